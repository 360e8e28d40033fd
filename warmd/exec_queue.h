/* SPDX-License-Identifier: MIT */
/*
 * Launches that wait, the longest waiting first. A launch is in one queue at most: the daemon's, until it is looked at
 * (warmd/admission.h), or that of the snapshot which serves it, until there is a standby for it.
 */
#ifndef WARM_WARMD_EXEC_QUEUE_H
#define WARM_WARMD_EXEC_QUEUE_H

#include <sys/queue.h>

struct exec_job;

struct exec_queue {
	TAILQ_HEAD(exec_queue_jobs, exec_job) jobs;
	unsigned n;
};

void exec_queue_init(struct exec_queue *queue);
void exec_queue_join(struct exec_queue *queue, struct exec_job *job);

/* Leaves the one that it is in, if any. */
void exec_queue_leave(struct exec_job *job);

/* NULL: nobody waits. */
struct exec_job *exec_queue_first(const struct exec_queue *queue);

#endif
