/* SPDX-License-Identifier: MIT */
/*
 * What a thread has of its own and /proc or a system call on its number tells: scheduling, processors, I/O priority,
 * machine checks, speculation; and that it shares with the others what it must. Nothing here stops the thread once
 * more.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <linux/kcmp.h>
#include <linux/sched/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "snapshot/remedies.h"
#include "snapshot/threads_internal.h"

#define POLICY_DEADLINE 6
#define POLICY_EXT      7
#define RESET_ON_FORK   1
#define CPUS_MAX        1024 /* bytes of a processor mask */

/* task_struct.flags, as /proc/PID/stat shows them: <linux/sched.h> of the kernel. */
#define PF_MCE_PROCESS (1u << 7)
#define PF_IO_FLUSHER  (1u << 19 | 1u << 20) /* PF_MEMALLOC_NOIO, PF_LOCAL_THROTTLE */
#define PF_MCE_EARLY   (1u << 27)

int same_credentials(const struct subject *s, const struct proc_status *one, pid_t tid, struct err *err)
{
	const struct proc_status *main = &s->status;
	bool same = memcmp(one->uid, main->uid, sizeof(one->uid)) == 0 &&
	            memcmp(one->gid, main->gid, sizeof(one->gid)) == 0 && one->cap_effective == main->cap_effective &&
	            one->cap_permitted == main->cap_permitted && one->cap_inheritable == main->cap_inheritable &&
	            one->cap_bounding == main->cap_bounding && one->no_new_privs == main->no_new_privs &&
	            one->cap_ambient == main->cap_ambient && one->n_groups == main->n_groups &&
	            (!one->n_groups || memcmp(one->groups, main->groups, one->n_groups * sizeof(one->groups[0])) == 0);

	if (one->seccomp)
		return err_refuse(err, DO_IT_AFTER, "thread %d has a seccomp filter", tid);
	if (syscall(SYS_kcmp, s->pid, tid, KCMP_FILES, 0, 0) != 0 || syscall(SYS_kcmp, s->pid, tid, KCMP_FS, 0, 0) != 0)
		return err_refuse(err, "let it end before the snapshot",
		                  "thread %d has descriptors or a working directory of its own", tid);
	if (!same)
		return err_refuse(err, "let it end before the snapshot",
		                  "thread %d has other credentials than thread %d", tid, s->pid);
	return 0;
}

static int take_scheduling(Warm__Image__Thread *thread, pid_t tid, struct err *err)
{
	struct sched_attr attr = {.size = sizeof(attr)};
	uint8_t cpus[CPUS_MAX];
	long len, priority;

	if (syscall(SYS_sched_getattr, tid, &attr, sizeof(attr), 0) < 0)
		return err_sys(err, errno, "scheduling of thread %d", tid);
	if (attr.sched_policy == POLICY_DEADLINE)
		return err_refuse(err, "give it another one before the snapshot",
		                  "thread %d has a deadline scheduling policy", tid);
	if (attr.sched_policy == POLICY_EXT)
		return err_refuse(err, "give it another policy before the snapshot",
		                  "thread %d is scheduled by a BPF program", tid);
	thread->sched_policy = attr.sched_policy;
	thread->sched_priority = attr.sched_priority;
	thread->nice = attr.sched_nice;
	thread->reset_on_fork = attr.sched_flags & RESET_ON_FORK;
	len = syscall(SYS_sched_getaffinity, tid, sizeof(cpus), cpus);
	if (len < 0)
		return err_sys(err, errno, "processors of thread %d", tid);
	thread->cpus = bytes_copy(cpus, (size_t)len);
	if (!thread->cpus.data)
		return err_sys(err, ENOMEM, "threads");
	priority = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, tid);
	thread->io_priority = priority > 0 ? (uint32_t)priority : 0;
	return 0;
}

static int take_flags(struct subject *s, Warm__Image__Thread *thread, pid_t tid, struct err *err)
{
	CLEAN(free) char *text = NULL;
	struct proc_stat stat = {0};
	char path[64];
	int r;

	snprintf(path, sizeof(path), "task/%d/stat", tid);
	r = fd_read_file_at(s->proc_fd, path, 4096, &text, NULL);
	if (r == 0)
		r = proc_stat_parse(text, &stat);
	if (r < 0)
		return err_sys(err, -r, "state of thread %d", tid);
	if (stat.flags & PF_IO_FLUSHER)
		return err_refuse(err, SWITCH_IT_OFF, "thread %d is an I/O flusher (PR_SET_IO_FLUSHER)", tid);
	thread->mce_kill = !(stat.flags & PF_MCE_PROCESS) ? PR_MCE_KILL_DEFAULT
	                   : stat.flags & PF_MCE_EARLY    ? PR_MCE_KILL_EARLY
	                                                  : PR_MCE_KILL_LATE;
	return 0;
}

/* The process's is the main thread's; others have the same, or are refused. */
static int same_personality(struct subject *s, pid_t tid, struct err *err)
{
	CLEAN(free) char *text = NULL;
	char path[64];
	int r;

	snprintf(path, sizeof(path), "task/%d/personality", tid);
	r = fd_read_file_at(s->proc_fd, path, 64, &text, NULL);
	if (r < 0)
		return err_sys(err, -r, "personality of thread %d", tid);
	if (tid == s->pid)
		s->image->process->personality = (uint32_t)strtoul(text, NULL, 16);
	else if ((uint32_t)strtoul(text, NULL, 16) != s->image->process->personality)
		return err_refuse(err, "give it the same before the snapshot",
		                  "thread %d has another personality than thread %d", tid, s->pid);
	return 0;
}

/* "Speculation_Store_Bypass:	thread force mitigated" and "SpeculationIndirectBranch:	conditional disabled" */
static uint32_t speculation(const char *status, const char *name, const char *disabled, const char *forced)
{
	const char *at = strstr(status, name);

	at = at ? at + strlen(name) : "";
	at += strspn(at, ":\t ");
	return strncmp(at, forced, strlen(forced)) == 0       ? PR_SPEC_FORCE_DISABLE
	       : strncmp(at, disabled, strlen(disabled)) == 0 ? PR_SPEC_DISABLE
	                                                      : 0;
}

int take_thread_settings(struct subject *s, Warm__Image__Thread *thread, pid_t tid, const char *status, struct err *err)
{
	int r;

	thread->store_bypass = speculation(status, "\nSpeculation_Store_Bypass", "thread mitigated",
	                                   "thread force mitigated");
	thread->indirect_branch = speculation(status, "\nSpeculationIndirectBranch", "conditional disabled",
	                                      "conditional force disabled");
	if ((r = take_scheduling(thread, tid, err)) < 0 || (r = take_flags(s, thread, tid, err)) < 0)
		return r;
	return same_personality(s, tid, err);
}
