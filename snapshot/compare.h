/* SPDX-License-Identifier: MIT */
/*
 * Whether a clone equals its original: what the collectors found in the one is compared with what they had found in
 * the other. The first difference ends it, and is named. Not compared is what a launch brings and what time does:
 * niceness of the process, expirations meanwhile, a stack's dead part below the red zone, words that the kernel itself
 * writes (rseq).
 */
#ifndef WARM_SNAPSHOT_COMPARE_H
#define WARM_SNAPSHOT_COMPARE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/image.pb-c.h"

struct err;

struct compared { /* the clone, stopped before its first own instruction */
	const Warm__Image__Image *image;
	pid_t pid;                 /* as seen from here */
	uint64_t arena, arena_end; /* the restorer's memory: it may still be there */
	uint64_t skipped;          /* held objects (Description.held) that it went without */
	int64_t go_ns;             /* CLOCK_MONOTONIC, before it was sent its GO */
};

/* All but the bytes of memory. 0, or -EUCLEAN with the difference in *err. */
int compare_state(const Warm__Image__Image *want, const struct compared *clone, struct err *err);

/* Every page of every area: those of the image (back to back at `pages`), and that nothing else is there. */
int compare_pages(const Warm__Image__Image *want, const char *pages, const struct compared *clone, struct err *err);

/* ---- private to snapshot/compare*.c ----------------------------------------------------------------------------- */

int compare_files(const Warm__Image__Image *want, const struct compared *clone, struct err *err);
/* Of pages as compare_pages() has them: deadlines have moved by what their clocks have gone on. */
int compare_deadlines(const Warm__Image__Image *want, const char *pages, const struct compared *clone, int mem,
                      struct err *err);
/* As these: what each clone draws for itself it has drawn. */
int compare_random(const Warm__Image__Image *want, const char *pages, int mem, struct err *err);
/* Bytes of the image. false: the page is not in it, but a file has it. */
bool image_bytes(const Warm__Image__Image *want, const char *pages, uint64_t addr, void *buf, size_t len);
int compare_timers(const Warm__Image__Image *want, const struct compared *clone, struct err *err);

/* How long it has been on its way by now: clocks and timers have gone on by no more. */
int64_t compared_way_ns(const struct compared *clone);

/* One thing: 0, or -EUCLEAN and "WHAT is IS, was WAS". */
int same_number(uint64_t was, uint64_t is, struct err *err, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
int same_text(const char *was, const char *is, struct err *err, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));
int same_bytes(ProtobufCBinaryData was, ProtobufCBinaryData is, struct err *err, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

/* The time to the next expiry. */
struct countdown {
	int64_t was_ns, is_ns; /* 0: it does not run */
	int64_t interval_ns;   /* of one that begins another period when it expires; else 0 */
	bool shows;            /* that it has expired can be seen in the clone */
};
int same_countdown(const struct countdown *c, const struct compared *clone, struct err *err, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

#endif
