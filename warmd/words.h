/* SPDX-License-Identifier: MIT */
/*
 * What the plan of a snapshot says, line by line: `warm-restore --plan`, run as a worker. For `warm plan`, and for the
 * words behind "operation 17 of the plan".
 */
#ifndef WARM_WARMD_WORDS_H
#define WARM_WARMD_WORDS_H

#include <stdint.h>

struct client;
struct daemon;
struct err;
struct plan_reader;
struct words;

/* Called for each line and, with NULL, at the end; then the reader is gone. n_lines: so many came. */
typedef void plan_line_cb(void *arg, const char *line, unsigned n_lines);

/* Which of an image's plans. */
enum plan_kind {
	PLAN_TEMPLATE,
	PLAN_STRAIGHT, /* of a start from disk, without a template */
	PLAN_PAGED,    /* ... with a pager */
};

struct plan_reader *plan_read(struct daemon *daemon, const char *id, enum plan_kind plan, plan_line_cb *cb, void *arg,
                              struct err *err);
void plan_reader_free(struct plan_reader *reader);

/* Called once, with what failed and how, or NULL where that cannot be found out. */
typedef void words_cb(void *arg, const char *text);

/* Logs what the operation was and keeps it as the reason of the snapshot. cb may be NULL. NULL: no words will come, and
 * cb is not called. */
struct words *words_fetch(struct daemon *daemon, const char *id, enum plan_kind plan, int op, int code, words_cb *cb,
                          void *arg);

/* Whoever asked is gone: no call. NULL is fine. */
void words_forget(struct words *words);

#endif
