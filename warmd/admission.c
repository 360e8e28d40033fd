/* SPDX-License-Identifier: MIT */
#include "warmd/admission.h"

#include "warmd/daemon.h"
#include "warmd/exec_internal.h"
#include "warmd/exec_queue.h"

/* One a turn of the loop, in which who comes is heard first, and what is ready goes on. */
static void admit(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct daemon *daemon = timer->data;
	struct exec_job *job = exec_queue_first(&daemon->asked);

	(void)revents;
	if (!job)
		return;
	exec_queue_leave(job);
	if (admission_crowded(daemon))
		ev_timer_start(loop, timer);
	exec_job_run(job); /* may be gone on return */
}

void admission_init(struct daemon *daemon)
{
	exec_queue_init(&daemon->asked);
	ev_timer_init(&daemon->admit, admit, 0, 0);
	daemon->admit.data = daemon;
}

void admission_fini(struct daemon *daemon)
{
	ev_timer_stop(daemon->loop, &daemon->admit);
}

bool admission_crowded(const struct daemon *daemon)
{
	return daemon->asked.n > 0;
}

void admission_wait(struct exec_job *job)
{
	struct daemon *daemon = job->daemon;

	exec_queue_join(&daemon->asked, job);
	if (!ev_is_active(&daemon->admit))
		ev_timer_start(daemon->loop, &daemon->admit);
}
