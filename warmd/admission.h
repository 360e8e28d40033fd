/* SPDX-License-Identifier: MIT */
/*
 * Many launches at once. A `warm exec` that hears nothing for LAUNCH_SILENCE_MS starts cold, and to look a launch up
 * takes a good part of a millisecond: of several hundred, most would. So of launches that come in a crowd each hears
 * first that it is to wait, which takes a few system calls, and then they are looked at, one after the other, in the
 * order in which they came. A launch that comes alone is served at once.
 */
#ifndef WARM_WARMD_ADMISSION_H
#define WARM_WARMD_ADMISSION_H

#include <stdbool.h>

struct daemon;
struct exec_job;

void admission_init(struct daemon *daemon);
void admission_fini(struct daemon *daemon);

/* Whether others wait to be looked at: who comes now is behind them. */
bool admission_crowded(const struct daemon *daemon);

/* Has been told to wait; exec_job_run() when its turn comes. */
void admission_wait(struct exec_job *job);

#endif
