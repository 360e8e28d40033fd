/* SPDX-License-Identifier: MIT */
#include "warmd/confine.h"

#include "base/err.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#define KEPT_MAX 3

static const struct confinement {
	cap_value_t kept[KEPT_MAX];
	int n_kept;
	bool handles; /* open_by_handle_at(2) */
} confinements[] = {
        /* /proc of a caller of another user; files that a snapshot of another user depends on. */
        [CONFINED_WARMD] = {{CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH}, 2, false},
        /* Marks on file systems; any file's name from its handle; whose child a process is. */
        [CONFINED_OPENED] = {{CAP_SYS_ADMIN, CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE}, 3, true},
        [CONFINED_PAGER] = {.n_kept = 0},
};

static int drop_capabilities(const cap_value_t *kept, int n_kept, struct err *err)
{
	cap_t now = cap_get_proc(), caps = cap_init();
	int r = 0;

	if (!now || !caps)
		r = err_sys(err, errno, "capabilities");
	for (int i = 0; !r && i < n_kept; i++) {
		cap_flag_value_t has = CAP_CLEAR;

		if (!cap_get_flag(now, kept[i], CAP_PERMITTED, &has) && has == CAP_SET &&
		    (cap_set_flag(caps, CAP_PERMITTED, 1, &kept[i], CAP_SET) ||
		     cap_set_flag(caps, CAP_EFFECTIVE, 1, &kept[i], CAP_SET)))
			r = err_sys(err, errno, "capabilities");
	}
	if (!r && cap_set_proc(caps))
		r = err_sys(err, errno, "drop capabilities");
	cap_free(now);
	cap_free(caps);
	return r;
}

static const int denied[] = {
        SCMP_SYS(ptrace),
        SCMP_SYS(process_vm_readv),
        SCMP_SYS(process_vm_writev),
        SCMP_SYS(execve),
        SCMP_SYS(execveat),
        SCMP_SYS(fork),
        SCMP_SYS(vfork),
        SCMP_SYS(mount),
        SCMP_SYS(umount2),
        SCMP_SYS(move_mount),
        SCMP_SYS(open_tree),
        SCMP_SYS(fsopen),
        SCMP_SYS(fsmount),
        SCMP_SYS(fsconfig),
        SCMP_SYS(mount_setattr),
        SCMP_SYS(pivot_root),
        SCMP_SYS(chroot),
        SCMP_SYS(setns),
        SCMP_SYS(unshare),
        SCMP_SYS(bpf),
        SCMP_SYS(perf_event_open),
        SCMP_SYS(userfaultfd),
        SCMP_SYS(io_uring_setup),
        SCMP_SYS(init_module),
        SCMP_SYS(finit_module),
        SCMP_SYS(delete_module),
        SCMP_SYS(kexec_load),
        SCMP_SYS(kexec_file_load),
        SCMP_SYS(reboot),
        SCMP_SYS(swapon),
        SCMP_SYS(swapoff),
        SCMP_SYS(add_key),
        SCMP_SYS(request_key),
        SCMP_SYS(keyctl),
        SCMP_SYS(mknod),
        SCMP_SYS(mknodat),
        SCMP_SYS(setuid),
        SCMP_SYS(setgid),
        SCMP_SYS(setreuid),
        SCMP_SYS(setregid),
        SCMP_SYS(setresuid),
        SCMP_SYS(setresgid),
        SCMP_SYS(setgroups),
        SCMP_SYS(personality),
        SCMP_SYS(acct),
        SCMP_SYS(quotactl),
        SCMP_SYS(syslog),
        SCMP_SYS(settimeofday),
        SCMP_SYS(clock_settime),
        SCMP_SYS(sethostname),
        SCMP_SYS(iopl),
        SCMP_SYS(ioperm),
};

static int filter_calls(bool handles, struct err *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = filter ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < sizeof(denied) / sizeof(*denied); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), denied[i], 0);
	if (!r && !handles)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(open_by_handle_at), 0);
	/* Processes; threads remain. What clone3 makes cannot be seen by a filter: glibc falls back on ENOSYS. */
	if (!r)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
		                     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
	if (!r)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (!r)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree instead of a list */
	if (!r)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r ? err_sys(err, -r, "seccomp") : 0;
}

/* All that the pager and its guardian do, and what libc does for them. */
static const int pager_calls[] = {
        SCMP_SYS(brk),
        SCMP_SYS(clock_gettime),
        SCMP_SYS(close),
        SCMP_SYS(epoll_ctl),
        SCMP_SYS(epoll_pwait2),
        SCMP_SYS(exit),
        SCMP_SYS(exit_group),
        SCMP_SYS(fcntl),
        SCMP_SYS(futex),
        SCMP_SYS(getrandom),
        SCMP_SYS(getrlimit),
        SCMP_SYS(getsockopt),
        SCMP_SYS(ioctl),
        SCMP_SYS(madvise),
        SCMP_SYS(mmap),
        SCMP_SYS(mprotect),
        SCMP_SYS(mremap),
        SCMP_SYS(munmap),
        SCMP_SYS(newfstatat),
        SCMP_SYS(poll),
        SCMP_SYS(pread64),
        SCMP_SYS(prlimit64),
        SCMP_SYS(read),
        SCMP_SYS(recvmsg),
        SCMP_SYS(restart_syscall),
        SCMP_SYS(rt_sigreturn),
        SCMP_SYS(sendmsg),
        SCMP_SYS(setsid),
        SCMP_SYS(shutdown),
        SCMP_SYS(wait4),
        SCMP_SYS(write),
};

static int filter_pager(struct err *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = filter ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < sizeof(pager_calls) / sizeof(*pager_calls); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, pager_calls[i], 0);
	if (!r)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	/* Another guardian, and nothing else. */
	if (!r)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
		                     SCMP_A0(SCMP_CMP_EQ, CLONE_FILES | CLONE_PIDFD | SIGCHLD));
	if (!r)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!r)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r ? err_sys(err, -r, "seccomp") : 0;
}

int confine(enum confined who, struct err *err)
{
	int r = drop_capabilities(confinements[who].kept, confinements[who].n_kept, err);

	if (r)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_sys(err, errno, "no_new_privs");
	return who == CONFINED_PAGER ? filter_pager(err) : filter_calls(confinements[who].handles, err);
}
