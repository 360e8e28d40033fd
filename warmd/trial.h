/* SPDX-License-Identifier: MIT */
/*
 * The trial restore of an image that is not published yet: its first standby is given to a worker (warm-snap --trial),
 * which lets it become the application, compares it with the image, and kills it.
 *
 *     trial_start() ──► COMPARING ──► trial_cb(NULL)
 *                           └──► (the plan's words for what failed are looked up) ──► trial_cb(reason)
 */
#ifndef WARM_WARMD_TRIAL_H
#define WARM_WARMD_TRIAL_H

struct entry;
struct err;
struct standby;
struct trial;

/* Called once. reason: the first difference, or what failed; NULL: the clone equals the original. The callee may free
 * the trial. */
typedef void trial_cb(void *arg, const char *reason);

/* Takes the standby, parked and off its pool's list, in any case. NULL: could not be started. */
struct trial *trial_start(struct entry *entry, struct standby *standby, trial_cb *cb, void *arg, struct err *err);

/* NULL is fine. Nobody is called any more. */
void trial_free(struct trial *trial);

#endif
