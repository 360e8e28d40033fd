/* SPDX-License-Identifier: MIT */
/*
 * A plan under construction: the ops, the words that explain each of them to people, and the bytes that they point to.
 * Planners (restore/plan_*.c) append to it and touch nothing else: a plan can be made, printed and tested without root.
 *
 * Addresses that plan_data() returns are those the bytes will have in the arena (proto/arena.h).
 */
#ifndef WARM_RESTORE_PLAN_H
#define WARM_RESTORE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sigframe.h"
#include "cache/pack.h"
#include "proto/arena.h"
#include "proto/image.pb-c.h"
#include "proto/rop.h"

struct err;
struct plugins;
struct plugin_part;

#define PLAN_STACK 16384u /* bytes of stack for each thread while it runs the restorer */

struct vdso_area { /* of warm-restore itself: moved to where the image had its own */
	uint64_t start, end;
	Warm__Image__VmaKind kind;
};

/* What the process that will run the plan looks like; made by restore/place.c, or by a test. */
struct place {
	uint64_t ready;   /* where an arena and a block's buffer are mapped and touched ahead (restore/ready.h), or 0 */
	uint64_t arena;   /* base of the arena; ARENA_ROOM bytes are free there */
	uint64_t staging; /* the image's pages lie here, back to back, in private anonymous memory; lazy: room for a
	                     block */
	uint64_t staging_len;
	bool straight; /* no template is wanted: the application of one launch is made of this very address space */
	bool lazy;     /* straight, and only the first pages are there, which the plan reads a block at a time; */
	bool paged;    /* they are not all: a pager serves the others */
	bool huge;     /* a template's memory goes into huge pages, where it is dense */
	const struct pack_range *first; /* which they are; of the image, lazy or not. lazy: */
	size_t n_first;
	uint64_t n_first_pages;
	uint64_t first_offset; /*   where they begin in the image, */
	uint32_t *first_sum;   /*   and their pagesums, a block each */
	int image_fd;          /* lazy: the image, */
	int mem_fd;            /* and the memory of this process, to be written to, or -1: pages of files are copied */
	uint64_t shared;       /* room for the largest of Image.shared_memory, in a standby */
	struct vdso_area vdso[4];
	size_t n_vdso;
	int fd_base;  /* service descriptors: */
	int sock_fd;  /*   the template's socket */
	int init_fd;  /*   an open warm-init */
	int uffd;     /*   a userfaultfd with UFFDIO_MOVE, or -1: pages are copied. paged: the pager has it, too */
	int *file_fd; /* for each Image.file, open as it is to be mapped */
	int exe_fd;
	struct way_back way; /* in the image's own code; not found: the arena stays */
	struct xstate_shape xstate;
	uint32_t uid, gid; /* credentials of the template */
	uint64_t cap_bounding, cap_permitted, cap_effective, cap_inheritable, cap_ambient;
	uint32_t securebits, coredump_filter;
	uint32_t *group;
	size_t n_groups;
	bool no_new_privs;
	bool has_ipv6, has_keys; /* the kernel has */
	bool other_groups;       /* the template's supplementary groups are not the image's */
	uint32_t personality;
};

#define ARENA_ROOM (64u << 20)
#define ARENA_VDSO (60u << 20) /* offset in it where the vdso waits while everything else is unmapped */

struct plan {
	struct rop *op;
	char **words; /* one for each op */
	size_t n_ops, n_words;
	uint8_t *data;
	size_t n_data, data_room;
	uint64_t base;
	bool failed; /* out of memory; looked at once, in the end */
	bool silent; /* nobody reads the words: there are none */
	const Warm__Image__Image *image;
	const struct place *place;
	struct plugins *plugins;         /* those that the image needs, or NULL */
	struct plugin_part *plugin_part; /* what they have planned: one for each Image.plugin_object */
};

int plan_init(struct plan *p, const Warm__Image__Image *image, const struct place *place);
void plan_fini(struct plan *p);

/* Bytes in the arena; data NULL: zeroes. Returns their address there. */
uint64_t plan_data(struct plan *p, const void *data, size_t len, size_t align);
uint64_t plan_string(struct plan *p, const char *text);
void *plan_at(struct plan *p, uint64_t address); /* until the next plan_data() */

/* Append an op; its number is returned. Unused arguments are 0. */
uint32_t plan_op(struct plan *p, struct rop op, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
#define PLAN_SYS(p, number, words, ...)                                                                                \
	plan_op(p, (struct rop){.kind = ROP_SYSCALL, .nr = (number), .args = {__VA_ARGS__}}, "%s", words)

/* The whole: restore/plan.c is its table of contents. Fails by name where the image and this machine do not fit. */
int plan_compile(struct plan *p, struct err *err);

/* ---- planners, in the order they run ---------------------------------------------------------------------------- */

int plan_plugins(struct plan *p, struct err *err);  /* asks them; no op yet */
int plan_memory(struct plan *p, struct err *err);   /* phase 1: address space, pages, mm fields */
int plan_template(struct plan *p, struct err *err); /* park; supervisor; the application is born */
int plan_task(struct plan *p, struct err *err);     /* phase 2: process-wide state */
int plan_locks(struct plan *p, struct err *err);    /* memory that fork does not hand down */
int plan_signals(struct plan *p, struct err *err);
int plan_timers_make(struct plan *p, struct err *err);
int plan_files_make(struct plan *p, struct err *err); /* descriptors without a path */
int plan_threads(struct plan *p, struct err *err);    /* the other threads, each parked */
int plan_go(struct plan *p, struct err *err);         /* park; phase 3 */

/* ---- pieces that planners share --------------------------------------------------------------------------------- */

void plan_plugin_ops(struct plan *p, unsigned phase); /* enum warm_phase */
void plan_plugins_fini(struct plan *p);
void plan_files_open(struct plan *p);  /* phase 3: by path; the launch\'s */
void plan_files_watch(struct plan *p); /* epoll sets */
void plan_files_owner(struct plan *p); /* signal-driven I/O */
void plan_files_lock(struct plan *p);  /* file locks */
void plan_timers_arm(struct plan *p);
void plan_deadlines(struct plan *p);
void plan_random(struct plan *p); /* phase 2: memory that is every clone's own */
void plan_signals_redraw(struct plan *p);
void plan_huge(struct plan *p);                          /* of a template, once all its memory is in place */
void plan_touch(struct plan *p);                         /* the working set, as the last thing before a standby parks */
void plan_task_place(struct plan *p);                    /* working directory */
void plan_task_root(struct plan *p);                     /* root directory, when all is opened */
void plan_task_last(struct plan *p);                     /* what would be in the restorer's own way */
void plan_credentials(struct plan *p, bool main_thread); /* of the calling thread */
void plan_keys_own(struct plan *p);                      /* a session keyring, before there are threads */
void plan_keys_user(struct plan *p);                     /* ... with its user's, behind the credentials */
int plan_thread_state(struct plan *p, const Warm__Image__Thread *thread, struct err *err);
/* The thread's registers as a signal frame at an address of its own stack (stack = true) or in the arena. */
int plan_sigframe(struct plan *p, const Warm__Image__Thread *thread, bool stack, uint64_t *ret_frame, struct err *err);

/* Can every thread leave by its own stack and code, so that the arena can be unmapped? */
bool plan_can_leave(const struct plan *p);
/* A thread in an untimed futex wait may be let go before GO: it waits on. */
bool plan_waits_untimed(const struct plan *p, const Warm__Image__Thread *thread);
enum leave { LEAVE_EARLY, LEAVE_AT_GO, LEAVE_MAIN };
void plan_leave(struct plan *p, const Warm__Image__Thread *thread, enum leave when, uint64_t frame);

/* The descriptor in `slot` goes to every number of that description; the slot is closed. */
void plan_place(struct plan *p, uint32_t slot, size_t description);
/* Moves the descriptor that the last call returned out of the way, into `slot` (>= fd_base). */
uint32_t plan_raise(struct plan *p, uint32_t slot);

/* What is appended between these two is passed over where the message has that bit in `skip`: in phase 3 GO's, `held`
 * is Description.held; in the supervisor's part make_standby's, `held` is 1 + enum make_skip. 0: never. */
uint32_t plan_held_begin(struct plan *p, uint32_t held);
void plan_held_end(struct plan *p, uint32_t begin);

/* By the supervisor: a network namespace with loopback up; and in it any address can be bound. */
void plan_network_own(struct plan *p);
void plan_network_any_address(struct plan *p);
/* By the supervisor: the clone's own NOTIFY_SOCKET, at this number. */
void plan_notify(struct plan *p, int fd);

#define GO_FD(place)        ((place)->fd_base + 40) /* a standby's end of its GO socket */
#define UFFD_FD(place)      ((place)->fd_base + 2)  /* paged: the userfaultfd, */
#define LIFE_FROM_FD(place) ((place)->fd_base + 3)  /* and the socket that tells the supervisor of the pager's end */
#define IMAGE_FD(place)     ((place)->fd_base + 41) /* lazy: until the pages are in place */
#define MEM_FD(place)       ((place)->fd_base + 42)

#endif
