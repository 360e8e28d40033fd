/* SPDX-License-Identifier: MIT */
/*
 * An error as the person who typed `warm` will read it: what failed, on what, and the remedy.
 *
 * A `struct err` is made once, where the cause is known, and travels up unchanged. Leaf helpers return -errno and
 * know nothing of it; steps take `struct err *err` as their last argument. Never both log and return.
 */
#ifndef WARM_BASE_ERR_H
#define WARM_BASE_ERR_H

#define ERR_MSG_MAX     240
#define ERR_REFUSAL_MAX 180

struct err {
	int code;              /* errno value, positive; 0 means "no error" */
	char msg[ERR_MSG_MAX]; /* one line, no newline at the end */
};

/* Fills *err (may be NULL) and returns -code. code is a positive errno value. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same, with ": " and the text of `code` behind the message. */
int err_sys(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * What is there cannot be in a snapshot (or is no plugin that may be loaded): nothing of ours has failed, the program
 * is to run on as it was. The remedy is put behind the message, after ": ", and is there whatever length the message
 * has: of that no more than ERR_REFUSAL_MAX is left, which fits behind what is said of it on its way to a launch. The
 * code is ENOTSUP. Each has a test: tests/lint/refusals.py makes the list.
 */
int err_refuse(struct err *err, const char *remedy, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Words that a table has for the %s of such a message: each is a refusal of its own. */
#define REFUSED(words) words

/* Puts "fmt: " in front of the message that is there: the step, seen from one level up. Returns -err->code. */
int err_step(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
