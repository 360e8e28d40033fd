/* SPDX-License-Identifier: MIT */
/*
 * An error as the person who typed `warm` will read it: what failed, on what, and the remedy.
 *
 * A `struct err` is made once, where the cause is known, and travels up unchanged. Leaf helpers return -errno and
 * know nothing of it; steps take `struct err *err` as their last argument. Never both log and return.
 */
#ifndef WARM_BASE_ERR_H
#define WARM_BASE_ERR_H

#define ERR_MSG_MAX 240

struct err {
	int code;              /* errno value, positive; 0 means "no error" */
	char msg[ERR_MSG_MAX]; /* one line, no newline at the end */
};

/* Fills *err (may be NULL) and returns -code. code is a positive errno value. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same, with ": " and the text of `code` behind the message. */
int err_sys(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "fmt: " in front of the message that is there: the step, seen from one level up. Returns -err->code. */
int err_step(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
