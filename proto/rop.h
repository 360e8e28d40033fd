/* SPDX-License-Identifier: MIT */
/*
 * A snapshot is a program: this is its instruction set. A plan (restore/plan.h) is a list of `struct rop`, compiled
 * from an image; restore/restorer runs it inside the new process and knows nothing else. warmd appends a few of
 * them to the GO message for what a launch brings (limits, niceness, ...).
 *
 * The layout is fixed: it crosses process boundaries. Everything is little-endian, x86-64.
 */
#ifndef WARM_PROTO_ROP_H
#define WARM_PROTO_ROP_H

#include <stdint.h>

enum rop_kind {
	ROP_END = 0,     /* the list ends here: leave the loop */
	ROP_SYSCALL = 1, /* system call nr(args), its result judged by `want` */
	ROP_COPY = 2,    /* memcpy(args[0], args[1], args[2]) */
	ROP_CLONE = 3,   /* clone3(args[0], args[1]); the child goes on at op args[2] with stack top args[3] */
	ROP_TEMPLATE =
	        4, /* park as template on socket args[0]: each request goes on at the next op in the child branch */
	ROP_STANDBY = 5,   /* park as standby on socket args[0]; GO fills the slots and runs GO's own ops */
	ROP_WAIT = 6,      /* park a thread on the GO futex */
	ROP_WAKE = 7,      /* release the parked threads */
	ROP_TOKEN = 8,     /* take the exactly-once token (fd slot args[0]) and report RUNNING, or report and exit */
	ROP_SIGRETURN = 9, /* become the application thread whose signal frame is at args[0] */
	ROP_JUMP = 10,     /* go on at op args[0] */
	ROP_GO = 11,       /* run the ops that came with GO */
	ROP_TOUCH = 14,    /* touch what came with make_standby, then the args[1] struct touch at args[0] */
	ROP_GATHER = 12,   /* wait until the word at args[1] has reached args[0] (threads that are parked, or gone) */
	ROP_LEAVE = 13, /* as ROP_SIGRETURN, frame at `expect`, on the application's own stack; on the way out, and no
	                   longer in the arena, system call nr(args) is made: the arena can go */
	ROP_SKIP = 15,  /* if bit args[0] of the message's `skip` is set, pass over the next args[1] ops; the message is
	               GO behind  ROP_STANDBY, make_standby before it */
	ROP_DEADLINE = 16, /* the timespec at args[0] moves by what clock args[1] has gone on since it said args[2] */
	ROP_CHECK = 17,    /* the pagesum (proto/pagesum.h) of args[1] pages at args[0] is args[2], else EBADMSG */
};

/* ROP_DEADLINE leaves alone what is further away (seconds): it never comes, and could not be counted on. */
#define DEADLINE_FAR_S (INT64_C(1) << 40)

/* How a result is judged. Anything else ends the process after a REPORT_FAILED with the op's number and errno. */
enum rop_want {
	WANT_OK = 0,     /* any result that is no error */
	WANT_EXACT = 1,  /* exactly args' companion `expect` (mmap at an address, a descriptor number) */
	WANT_ANY = 2,    /* the result does not matter */
	WANT_NOBODY = 3, /* ECONNREFUSED, ENOENT or ENXIO: no socket, or nobody behind it. Success is EADDRINUSE */
};

/* rop.flags: how an argument is to be read. Bits 0-5: argument i is the number of an fd slot (see GO, proto/launch.h).
 * Bits 8-13: argument i is an offset into the GO message. */
#define ROP_SLOT(i)   (1u << (i))
#define ROP_OFFSET(i) (1u << (8 + (i)))
#define ROP_TO_SLOT   (1u << 16) /* the result (a descriptor) goes into slot `expect` */

struct rop {
	uint8_t kind; /* enum rop_kind */
	uint8_t want; /* enum rop_want */
	uint16_t nr;  /* system call number */
	uint32_t flags;
	uint64_t args[6];
	uint64_t expect;
};

_Static_assert(sizeof(struct rop) == 64, "a rop is one cache line");

#endif
