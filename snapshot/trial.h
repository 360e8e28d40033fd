/* SPDX-License-Identifier: MIT */
/*
 * The trial restore of a new image: a standby gets its GO, is held before its first own instruction, looked at by the
 * collectors that looked at the original, and compared with the image. Then it is killed: it has not run.
 */
#ifndef WARM_SNAPSHOT_TRIAL_H
#define WARM_SNAPSHOT_TRIAL_H

#include <stdint.h>
#include <sys/types.h>

struct err;
struct report;

struct trial_request {
	pid_t pid;         /* of the parked standby's application, made for a trial (proto/launch.h, MAKE_NO_TRIAL) */
	int go_fd;         /* its GO socket, our end */
	int image_fd;      /* the image it was made from */
	const char *label; /* of the image, for messages */
	uint32_t stdio_kind[3]; /* enum stdio_kind of the launch that the image was made under */
};

/* Returns 0 where the clone equals the original, or a negative errno with the first difference in *err. Where the clone
 * itself failed on its way, *ret_said is what it said (struct report, with the operation's number); else its kind is 0.
 * Either way the clone is gone. */
int trial_run(const struct trial_request *req, struct report *ret_said, struct err *err);

#endif
