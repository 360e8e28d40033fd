/* SPDX-License-Identifier: MIT */
/* Preloaded into warm-snap: KILL_AT=N kills it by SIGKILL before its Nth call of ptrace(2) or process_vm_writev(2). The
 * number of calls made is written to descriptor COUNT_FD, where that is set, when it ends by itself. STOP_WAITING, set
 * to anything, stops it when it looks for the first time whether a tracee has stopped, and has that one not stopped
 * yet. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned long calls, kill_at;

static void step(void)
{
	if (++calls == kill_at)
		kill(getpid(), SIGKILL);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list args;
	long pid, addr, data;

	va_start(args, request);
	pid = va_arg(args, long);
	addr = va_arg(args, long);
	data = va_arg(args, long);
	va_end(args);
	step();
	return syscall(SYS_ptrace, (long)request, (long)(int)pid, addr, data);
}

ssize_t process_vm_writev(pid_t pid, const struct iovec *local, unsigned long n_local, const struct iovec *remote,
                          unsigned long n_remote, unsigned long flags)
{
	step();
	return syscall(SYS_process_vm_writev, pid, local, n_local, remote, n_remote, flags);
}

pid_t waitpid(pid_t pid, int *status, int options)
{
	if (getenv("STOP_WAITING")) {
		unsetenv("STOP_WAITING");
		kill(getpid(), SIGSTOP);
		return 0;
	}
	return (pid_t)syscall(SYS_wait4, pid, status, options, NULL);
}

static __attribute__((constructor)) void begin(void)
{
	const char *at = getenv("KILL_AT");

	kill_at = at ? strtoul(at, NULL, 10) : 0;
}

static __attribute__((destructor)) void end(void)
{
	const char *fd = getenv("COUNT_FD");

	if (fd)
		dprintf(atoi(fd), "%lu\n", calls);
}
