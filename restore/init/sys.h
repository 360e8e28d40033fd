/* SPDX-License-Identifier: MIT */
/*
 * System calls without a libc. Every one returns what the kernel returns: -errno on failure; nothing sets errno.
 * Types and constants come from libc's headers, functions never do.
 */
#ifndef WARM_INIT_SYS_H
#define WARM_INIT_SYS_H

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define SIGSET_BYTES 8 /* the kernel's, not libc's */

static inline long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
	                 : "=a"(ret)
	                 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
	                 : "rcx", "r11", "memory");
	return ret;
}

static inline void __attribute__((noreturn)) sys_exit(int code)
{
	for (;;)
		sys6(SYS_exit_group, code, 0, 0, 0, 0, 0);
}

static inline int sys_open(const char *path)
{
	return (int)sys6(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
}

static inline int sys_open_to_write(int dir_fd, const char *name)
{
	return (int)sys6(SYS_openat, dir_fd, (long)name, O_WRONLY | O_CLOEXEC, 0, 0, 0);
}

static inline int sys_close(int fd)
{
	return (int)sys6(SYS_close, fd, 0, 0, 0, 0, 0);
}

static inline int sys_close_range(unsigned first, unsigned last)
{
	return (int)sys6(SYS_close_range, first, last, 0, 0, 0, 0);
}

static inline long sys_read(int fd, void *buf, size_t size)
{
	return sys6(SYS_read, fd, (long)buf, (long)size, 0, 0, 0);
}

static inline long sys_write(int fd, const void *buf, size_t size)
{
	return sys6(SYS_write, fd, (long)buf, (long)size, 0, 0, 0);
}

static inline long sys_send(int fd, const void *buf, size_t size, int flags)
{
	return sys6(SYS_sendto, fd, (long)buf, (long)size, flags | MSG_NOSIGNAL, 0, 0);
}

static inline long sys_recv(int fd, void *buf, size_t size, int flags)
{
	return sys6(SYS_recvfrom, fd, (long)buf, (long)size, flags, 0, 0);
}

static inline long sys_recvmsg(int fd, struct msghdr *msg, int flags)
{
	return sys6(SYS_recvmsg, fd, (long)msg, flags, 0, 0, 0);
}

static inline long sys_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return sys6(SYS_sendmsg, fd, (long)msg, flags | MSG_NOSIGNAL, 0, 0, 0);
}

static inline int sys_poll(struct pollfd *fds, unsigned n, int timeout_ms)
{
	return (int)sys6(SYS_poll, (long)fds, n, timeout_ms, 0, 0, 0);
}

static inline int sys_ioctl(int fd, unsigned long request, long arg)
{
	return (int)sys6(SYS_ioctl, fd, (long)request, arg, 0, 0, 0);
}

static inline int sys_kill(int pid, int sig)
{
	return (int)sys6(SYS_kill, pid, sig, 0, 0, 0, 0);
}

static inline int sys_getpid(void)
{
	return (int)sys6(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

static inline int sys_getpgid(int pid)
{
	return (int)sys6(SYS_getpgid, pid, 0, 0, 0, 0, 0);
}

static inline int sys_wait4(int pid, int *status, int options)
{
	return (int)sys6(SYS_wait4, pid, (long)status, options, 0, 0, 0);
}

static inline int sys_sigqueue(int pid, int sig, const void *info)
{
	return (int)sys6(SYS_rt_sigqueueinfo, pid, sig, (long)info, 0, 0, 0);
}

static inline int sys_block_all_signals(void)
{
	uint64_t all = ~0ull;

	return (int)sys6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, 0, SIGSET_BYTES, 0, 0);
}

static inline int sys_default_action(int sig)
{
	uint64_t action[4] = {0, 0, 0, 0};

	return (int)sys6(SYS_rt_sigaction, sig, (long)action, 0, SIGSET_BYTES, 0, 0);
}

static inline int sys_signalfd(uint64_t mask, int flags)
{
	return (int)sys6(SYS_signalfd4, -1, (long)&mask, SIGSET_BYTES, flags, 0, 0);
}

#endif
