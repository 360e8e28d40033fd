/* SPDX-License-Identifier: MIT */
/* What a trial's GO brings in the place of a launch: descriptors of the same kinds, that lead nowhere. */
#ifndef WARM_SNAPSHOT_STAND_INS_H
#define WARM_SNAPSHOT_STAND_INS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/image.pb-c.h"
#include "proto/launch.h"
#include "snapshot/snapshot.h"

struct err;

struct stand_ins {
	int token;                            /* an eventfd of value 1 */
	int stdio[3];                         /* -1: closed in the launch that the image was made under */
	int extra[LAUNCH_FDS_MAX];            /* in the place of what the original's launch brought besides, */
	int32_t extra_number[LAUNCH_FDS_MAX]; /* under these numbers */
	size_t n_extra;
	int other[3 + LAUNCH_FDS_MAX]; /* far ends of pipes and pairs: open, so that no end is seen */
	size_t n_other;
	struct launch_fd launch_fd[LAUNCH_FDS_MAX + 3]; /* what the clone has of them, for the collectors */
	size_t n_launch_fds;
};

void stand_ins_init(struct stand_ins *in);
void stand_ins_close(struct stand_ins *in);

/* stdio_kind: enum stdio_kind (policy/key.h) of 0 1 2. */
int stand_ins_open(struct stand_ins *in, const Warm__Image__Image *image, const uint32_t stdio_kind[3],
                   struct err *err);

/* Whether the clone has taken the launch's token: 0, or -EUCLEAN. */
int stand_ins_token_taken(const struct stand_ins *in, struct err *err);

/* Sends GO to a parked standby: held objects in `skip` are passed over. */
int stand_ins_go(const struct stand_ins *in, int go_fd, uint64_t skip, struct err *err);

#endif
