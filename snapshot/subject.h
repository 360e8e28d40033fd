/* SPDX-License-Identifier: MIT */
/*
 * The frozen process that a snapshot is about, and the image that is being made of it. Every collector
 * (snapshot/collect_*.c) reads the one and fills its part of the other.
 */
#ifndef WARM_SNAPSHOT_SUBJECT_H
#define WARM_SNAPSHOT_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/proc.h"
#include "base/sigframe.h"
#include "proto/image.pb-c.h"
#include "proto/rpc.pb-c.h"
#include "snapshot/snapshot.h"
#include "snapshot/tracee.h"

struct err;
struct plugins;
struct plugins_place;
struct aside;
struct kept;
struct renewal;
struct smaps;
/* Memory whose bytes the program does not look at again before it has written them. */
struct unused {
	uint64_t start, end;
};

struct warm_object;

struct area { /* one line of /proc/PID/smaps, as collect_memory needs it again when it reads pages */
	uint64_t start, end;
	bool readable;
	bool shared;    /* anonymous: snapshot/collect_shared.c */
	bool anon_only; /* pages of a private file mapping that are still the file's are not wanted */
	bool unforked; /* read while it stands still: a fork has not got it, or has it in common, or does not show it */
};

struct subject {
	pid_t pid;     /* as seen from here */
	pid_t own_pid; /* as the process sees itself */
	int proc_fd;   /* /proc/PID */
	int pidfd;
	int hook_fd;
	uint64_t exe_dev, exe_ino; /* what it executed when plugins were asked */
	const char *program;       /* base/program.h, or NULL */
	bool net_private;          /* it was launched with --net private */
	bool vanishes;             /* it is refused for what a process that ends looks like, too */
	int refused_fd;            /* it is refused for this descriptor; -1: for something else */
	uint64_t refused_dev, refused_ino;
	const struct launch_owner *owner;
	const struct launch_fd *launch_fd;
	size_t n_launch_fds;
	struct tracee *thread; /* the main thread first */
	size_t n_threads;
	struct proc_status status;

	struct way_back way; /* snapshot/inject.c: how a thread finds back by itself */
	struct xstate_shape xstate;
	uint64_t syscall_insn; /* a `syscall` instruction in the target's vdso */
	uint64_t scratch;      /* SCRATCH_SIZE bytes and more in the target, ours until release; 0 = none */
	size_t n_rooms;        /* frames of other threads than the main one that have room in scratch */
	size_t lender;         /* index of the thread with a */
	uint64_t shelf;        /* place on its stack for one frame; its end; 0 = none */

	struct renewal *renewal; /* snapshot/renew.c; NULL: random numbers are kept */

	struct smaps *smaps;  /* snapshot/smaps.h */
	uint64_t memory_left; /* snapshot/headroom.h */
	struct kept *kept;    /* snapshot/keep.h; NULL: pages are read from the process itself */
	struct aside *aside;  /* snapshot/pages_internal.h; NULL: nothing lies there */
	struct area *area;    /* of those with pages to store */
	size_t n_areas;

	uint64_t *shared_ino; /* shared anonymous memory that only this process has */
	size_t n_shared;
	Warm__Image__LockFuture lock_future; /* as the borrowed memory shows it */
	struct plugins *plugins;             /* NULL: none is asked */
	struct unused *unused;               /* memory whose bytes nobody looks at again: in order, whole pages */
	size_t n_unused;
	/* A trial: what plugins took in the original is taken here, too, and nobody is asked. Else NULL. */
	const Warm__Image__Image *original;

	Warm__Image__Image *image; /* grows while the collectors run; freed by image_free */
	Warm__Rpc__Summary *summary;
};

#define SCRATCH_SIZE 8192u

/* *s: proc_fd, pidfd and refused_fd are -1, the rest zeroes; subject_close() also where this fails. */
int subject_open(struct subject *s, const struct snapshot_request *req, struct err *err);
void subject_close(struct subject *s);

/* Whether a process that is not stopped has ended, or is about to. */
bool subject_has_ended(const struct subject *s);

/* Behind release(): is the descriptor that it was refused for closed by now, or within some milliseconds? Programs open
 * something for a moment; the freeze may fall into it. */
bool subject_closes(const struct subject *s);

/* A system call by the main thread; *ret is raw. Results that point to memory point into scratch. */
int subject_syscall(struct subject *s, long *ret, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                    struct err *err);

/* The same question to some threads at once, THREADS_ASKED at most: system call nr(a, place) by thread[first + i],
 * whose raw result is ret[i]. The answer, ANSWER_SIZE bytes at most, is at scratch + i * ANSWER_SIZE. */
#define THREADS_ASKED 32u
#define ANSWER_SIZE   64u
int subject_ask_threads(struct subject *s, size_t first, size_t n, long *ret, long nr, uint64_t a, struct err *err);
void subject_threads_asked(struct subject *s, size_t first, size_t n); /* done with these */

/*
 * Calls that the main thread is to make in any case: should this process end, it makes them by itself, in this order,
 * and then runs on. After subject_go_by(s, way[i]) a subject_syscall() is followed by calls i to n - 1; way[n] is how
 * it was, and is how it has to be in the end. The thread has made a call already, by a frame.
 */
struct call {
	long nr;
	uint64_t a, b, c, d;
};
int subject_way(struct subject *s, const struct call *call, size_t n, uint64_t *way, struct err *err);
void subject_go_by(struct subject *s, uint64_t frame);

/* A process, made by clone(2) in the name of the main thread. It is held before its first instruction, which if left
 * alone would be exit_group(2); tracee_end() ends it. *ret_child is 0 where *ret is an error. */
int subject_fork(struct subject *s, uint64_t flags, long *ret, pid_t *ret_child, struct err *err);

int subject_read(const struct subject *s, uint64_t addr, void *buf, size_t len, struct err *err);
int subject_write(const struct subject *s, uint64_t addr, const void *buf, size_t len, struct err *err);

/* Appends to a repeated protobuf field that malloc owns. Returns 0 or -ENOMEM. */
int grow(void *array_place, size_t *n, size_t element, const void *value);
#define GROW(msg, field, value)                                                                                        \
	({                                                                                                             \
		__typeof__(*(msg)->field) grow_value = (value);                                                        \
		grow(&(msg)->field, &(msg)->n_##field, sizeof(grow_value), &grow_value);                               \
	})

ProtobufCBinaryData bytes_copy(const void *data, size_t len); /* .data NULL when out of memory */

/* A line of the summary that people see under `warm show`. */
int summary_descriptor(struct subject *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Records a file the state depends on. path must still be the file with this identity: else refused by name.
 */
enum file_use {
	FILE_READ,
	FILE_WRITTEN,  /* open for writing */
	FILE_POSITION, /* ... with a writing position */
	FILE_MAPPED,   /* mapped shared for writing */
	FILE_APPENDED, /* written in append mode, and never read */
	FILE_PLACE,    /* a directory, a device: content does not count */
};
int summary_file(struct subject *s, const char *path, uint64_t dev, uint64_t ino, enum file_use use, struct err *err);

/* Is it a plugin's? Returns 1: it is, the image says so, and it is no business of ours any more; 0: it is not; or the
 * plugin refuses. `path`: as people and /proc call it. */
int offer_memory(struct subject *s, Warm__Image__Vma *vma, const char *path, uint64_t dev, uint64_t ino,
                 struct err *err);
int offer_description(struct subject *s, Warm__Image__Description *desc, uint32_t index, struct warm_object *object,
                      struct err *err);

/* ---- the steps, in the order of snapshot_run() ----------------------------------------------------------------- */

int offer_process(struct subject *s, const struct plugins_place *place, struct err *err); /* plugins are loaded */
int pages_prepare(struct subject *s, int pages_fd, struct err *err); /* before freeze: memory for the pages */
int shared_prepare(struct subject *s, struct err *err);              /* before freeze: who else has its memory? */
int inject_prepare(struct subject *s, struct err *err);              /* before freeze: the way back */
int renew_prepare(struct subject *s, struct err *err);               /* before freeze: whose random numbers? */
int freeze(struct subject *s, struct err *err);                      /* every thread stopped */
int offer_stopped(struct subject *s, struct err *err);               /* plugins look at it as it was found */
int borrow(struct subject *s, struct err *err);                      /* a scratch area */
int survey(struct subject *s, struct err *err);                      /* refuses what is no single, plain process */
int survey_status(struct subject *s, struct err *err);               /* ... all that the trial's clone needs of it */
int survey_network(struct subject *s, struct err *err);              /* one of its own: has it loopback only? */
int enter_network(struct subject *s, struct err *err);               /* this process goes where the sockets are */
int collect_memory(struct subject *s, struct err *err);              /* areas, mm fields */
int collect_threads(struct subject *s, struct err *err);
int collect_signals(struct subject *s, struct err *err);
int collect_timers(struct subject *s, struct err *err);
int collect_deadlines(struct subject *s, struct err *err);
int collect_task(struct subject *s, struct err *err);
int collect_files(struct subject *s, struct err *err);
int collect_contents(struct subject *s, struct err *err); /* of files that are mapped for writing */
int renew_apply(struct subject *s, struct err *err);      /* the image's OpenSSL will seed itself anew */
int keep_memory(struct subject *s, enum snapshot_fork fork, struct err *err); /* as it is, while it runs on */
int find_pages(struct subject *s, struct err *err);                           /* which there are; guard regions */
int store_unforked(struct subject *s, struct err *err);                       /* what kept memory does not have */
int store_pages(struct subject *s, int pages_fd, struct err *err); /* behind release(), where memory is kept */
void renew_undo(struct subject *s);                                /* not the original's */
void renew_free(struct subject *s);
void give_back(struct subject *s); /* registers and borrowed memory; all stay stopped */
void release(struct subject *s);
void end(struct subject *s);                                          /* instead: it does not run on */
int offer_resumed(struct subject *s, bool captured, struct err *err); /* it runs: plugins that took something know */

#endif
