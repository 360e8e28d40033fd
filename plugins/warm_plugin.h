/* SPDX-License-Identifier: MIT */
/*
 * What Warm does not know, a plugin can: a shared object with one symbol, `warm_plugin`. docs/PLUGINS.md shows how to
 * write one. This header is all that a plugin needs of Warm.
 *
 * A plugin's code never runs in the program that is snapshotted, nor in a clone: it runs in a process of its own beside
 * the worker, answers questions, and what a clone needs it writes down as system calls with constant arguments. A
 * plugin that crashes, hangs or says what nobody understands costs that snapshot, or that clone, and nothing else: the
 * program runs on, the launch starts cold.
 *
 *     a snapshot   offer(PROCESS)                 the program still runs
 *                  stopped()                      the program is stopped: be quick
 *                  offer(MAPPING | DESCRIPTOR | DEVICE), one after the other    it still is
 *                  resumed()                      it runs again
 *     a restore    plan(object), for each that was taken
 */
#ifndef WARM_PLUGIN_H
#define WARM_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WARM_PLUGIN_ABI 1

/* Milliseconds that a plugin has for one answer, and, while the program is stopped, for all of them together. */
#define WARM_PLUGIN_ANSWER_MS 2000
#define WARM_PLUGIN_FROZEN_MS 500
/* And what more_time() may add while it runs, in all. */
#define WARM_PLUGIN_MORE_MS 30000

enum warm_answer {
	WARM_LEAVE = 0,  /* none of mine: the next plugin is asked, then Warm itself */
	WARM_TAKE = 1,   /* mine: what save() was given belongs to it, and plan() brings it back in every clone */
	WARM_REFUSE = 2, /* no snapshot of this program; refuse() has the words */
	WARM_WATCH = 3,  /* a PROCESS: nothing is taken, but stopped() is to be called, as for one that is */
};

enum warm_object_kind {
	WARM_PROCESS = 1,
	WARM_MAPPING = 2,    /* an area of memory with a path */
	WARM_DESCRIPTOR = 3, /* an open file description; several descriptors may share it */
	WARM_DEVICE = 4,     /* the same, of a character or block device */
};

struct warm_object {
	uint32_t kind; /* enum warm_object_kind */
	int32_t pid;   /* of the program, as seen from here; 0 in plan() */
	/* The executable; or the area's file as /proc/PID/maps has it, or where /proc/PID/fd/N leads to. */
	const char *path;
	uint64_t dev, ino, rdev; /* 0 in plan() */

	/* MAPPING */
	uint64_t start, end, offset;
	uint32_t prot;   /* PROT_* */
	uint32_t shared; /* MAP_SHARED */

	/* DESCRIPTOR, DEVICE */
	int32_t fd;     /* its number, or the lowest of them */
	int32_t local;  /* the same description in the plugin's own process, until it answers; -1 for O_PATH */
	uint32_t flags; /* O_* as F_GETFL says */
	uint32_t pad;
};

/* What Warm does for a plugin during a snapshot. Functions return 0 or -errno where nothing else is said. */
struct warm_snapshot {
	void *own; /* the plugin's; NULL at first */

	/* The program's memory. */
	int (*read)(struct warm_snapshot *s, uint64_t address, void *to, size_t len);

	/* Bytes for the object that is being offered. Calls add up. */
	int (*save)(struct warm_snapshot *s, const void *bytes, size_t len);

	/* Why not. Returns WARM_REFUSE. */
	int (*refuse)(struct warm_snapshot *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

	/* While a PROCESS is being offered: the answer comes within so many milliseconds from now. */
	int (*more_time)(struct warm_snapshot *s, uint32_t ms);

	/* In stopped(): the program does not look again at what these bytes of private anonymous memory hold before it
	 * has written them. They are no part of the image: in clones whole pages of them are zeroes. Calls add up. */
	int (*unused)(struct warm_snapshot *s, uint64_t start, uint64_t end);

	/* In stopped(): what these bytes of private writable memory hold was drawn at random, and the program expects
	 * no more of it. Each clone has others there, from the kernel. Calls add up. */
	int (*random)(struct warm_snapshot *s, uint64_t start, uint64_t end);
};

/* When an operation runs. A plan is made once, and run again and again. */
enum warm_phase {
	WARM_TEMPLATE = 0, /* memory that all clones start with; they inherit it as children do: nothing shared here */
	WARM_STANDBY = 1,  /* in each clone, ahead of its launch, with the program's own credentials */
	WARM_GO = 2,       /* in each clone, at its launch: what may be taken by somebody else meanwhile */
};

enum warm_want {
	WARM_WANT_OK = 0,    /* any result that is no error */
	WARM_WANT_EXACT = 1, /* exactly `expect` */
	WARM_WANT_ANY = 2,   /* the result does not matter */
};

/* One system call. A result that is not as wanted ends the clone, and its launch starts cold with `words`. */
struct warm_call {
	uint8_t phase; /* enum warm_phase */
	uint8_t want;  /* enum warm_want */
	uint16_t nr;   /* SYS_* */
	/* The result is a descriptor and is kept: one for each object and phase. For a DESCRIPTOR or DEVICE it becomes,
	 * at the end of the phase, the descriptor of that number; else it is to be closed by a later call. */
	uint8_t keep;
	uint8_t kept; /* bit i: argument i is the descriptor that was kept */
	uint8_t pad[2];
	uint64_t args[6];
	uint64_t expect;
	const char *words; /* for people: "map the ring buffer" */
};

/* What Warm does for a plugin that makes its part of a plan. */
struct warm_plan {
	void *own;
	uint32_t version; /* of the plugin that saved the object */
	const void *saved;
	size_t saved_len;

	/* A copy of these bytes (NULL: zeroes) that calls can point to, in every clone, at the address that is
	 * returned; 0: no memory. It is 16-byte aligned. */
	uint64_t (*data)(struct warm_plan *p, const void *bytes, size_t len);

	int (*call)(struct warm_plan *p, const struct warm_call *call);
	/* Copies len bytes from an address that data() returned to memory that is mapped by then. */
	int (*copy)(struct warm_plan *p, enum warm_phase phase, uint64_t to, uint64_t from, size_t len);

	/* Why the object cannot be brought back here. Returns WARM_REFUSE. */
	int (*refuse)(struct warm_plan *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
};

/* The table. The name of the file is `name`.so. */
struct warm_plugin {
	uint32_t abi;  /* WARM_PLUGIN_ABI */
	uint32_t size; /* sizeof(struct warm_plugin): later fields of one ABI come behind */
	const char *name;
	const char *words; /* what it is good for, in one line */
	uint32_t version;  /* of what it saves */
	uint32_t oldest;   /* the oldest version that plan() still understands */
	/* Patterns (fnmatch(3), no flags) of the paths of objects to be offered; NULL at the end. */
	const char *const *paths;
	/* Patterns, as above, of files and folders that the plugin answers for: where it has taken something, they are
	 * not among those whose change makes an image stale. May be NULL. */
	const char *const *places;

	/* enum warm_answer. Objects of the calling process's program only; PROCESS comes first, and always. */
	int (*offer)(struct warm_snapshot *s, const struct warm_object *object);

	/* The program runs again; captured: it was snapshotted. May be NULL. Only for one that something was taken of.
	 */
	void (*resumed)(struct warm_snapshot *s, int captured);

	/* 0, or WARM_REFUSE. */
	int (*plan)(struct warm_plan *p, const struct warm_object *object);

	/* ---- from here on: only where `size` says that it is there ---- */

	/* No thread of the program runs now, and none has been touched. 0, or WARM_REFUSE. May be NULL. */
	int (*stopped)(struct warm_snapshot *s);
};

extern const struct warm_plugin warm_plugin;

#ifdef __cplusplus
}
#endif

#endif
