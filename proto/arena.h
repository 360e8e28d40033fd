/* SPDX-License-Identifier: MIT */
/*
 * The arena: one private anonymous mapping at an address that neither the image nor warm-restore uses. It holds the
 * restorer's code, the plan and everything the plan points to. It lives through template and standby; the application's
 * main thread unmaps it on its way out (restore/plan_leave.c).
 *
 *     arena          struct arena
 *     + code         the restorer blob, position-independent; entered at its first byte
 *     + ops          struct rop[n_ops]
 *     + data         paths, clone_args, signal frames, stacks, ...
 */
#ifndef WARM_PROTO_ARENA_H
#define WARM_PROTO_ARENA_H

#include "proto/launch.h"
#include "proto/rop.h"

enum arena_slot {
	SLOT_IMAGE = GO_FDS_MAX, /* free for the planners */
	SLOT_TMP = SLOT_IMAGE,   /* a descriptor on its way to its number */
	SLOT_TMP2 = SLOT_IMAGE + 1,
	SLOT_MAKE_GO = SLOT_IMAGE + 2,  /* from a make_standby: the standby's GO socket */
	SLOT_MAKE_SUP = SLOT_IMAGE + 3, /* and its supervisor's */
	SLOT_MAKE_TTY = SLOT_IMAGE + 4, /* and, for a launch on a terminal, the pty's slave; else -1 */
	SLOT_PIPES = SLOT_IMAGE + 5,    /* two for one pipe or socket pair */
	SLOT_PLUGIN = SLOT_IMAGE + 7,   /* a descriptor that a plugin's call has made */
	SLOT_END = SLOT_IMAGE + 8,
};

struct arena {
	struct rop *ops;
	uint32_t n_ops;
	int32_t report_fd;           /* where REPORT_* goes: the template's socket, from the standby on its GO socket */
	int32_t fd_base;             /* service descriptors live from here on */
	uint32_t n_parked;           /* threads that reached ROP_WAIT */
	uint32_t go_word;            /* 0 = parked, 1 = go */
	uint32_t n_left;             /* threads that woke at GO and have left the arena */
	uint64_t gadget;             /* `syscall; ret` in the application's own code, for ROP_LEAVE */
	uint32_t held_from, held_to; /* the ops from..to - 1 take held object `held` */
	uint32_t held;
	int32_t slot[SLOT_END];
	unsigned char control[1024]; /* SCM_RIGHTS as received */
	union {
		struct go_header go;
		struct make_standby make;
		unsigned char bytes[MAKE_SIZE_MAX];
	} message;
};

#endif
