/* SPDX-License-Identifier: MIT */
/*
 * System calls without a libc, for the part of `warm` that runs before libc has started. Every one returns what the
 * kernel returns: -errno on failure; nothing touches errno. Types and constants come from libc's headers, functions
 * never do.
 */
#ifndef WARM_HOT_SYS_H
#define WARM_HOT_SYS_H

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#define SIGSET_BYTES    8 /* the kernel's, not libc's */
#define SIGNAL_BIT(sig) (1ull << ((sig)-1))

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

static inline int sys_open(const char *path, int flags)
{
	return (int)sys6(SYS_openat, AT_FDCWD, (long)path, flags | O_CLOEXEC, 0, 0, 0);
}

static inline int sys_close(int fd)
{
	return (int)sys6(SYS_close, fd, 0, 0, 0, 0, 0);
}

static inline long sys_read(int fd, void *buf, size_t size)
{
	return sys6(SYS_read, fd, (long)buf, (long)size, 0, 0, 0);
}

static inline long sys_write(int fd, const void *buf, size_t size)
{
	return sys6(SYS_write, fd, (long)buf, (long)size, 0, 0, 0);
}

static inline long sys_getdents(int fd, void *buf, size_t size)
{
	return sys6(SYS_getdents64, fd, (long)buf, (long)size, 0, 0, 0);
}

static inline int sys_fcntl(int fd, int cmd, long arg)
{
	return (int)sys6(SYS_fcntl, fd, cmd, arg, 0, 0, 0);
}

static inline int sys_ioctl(int fd, unsigned long request, long arg)
{
	return (int)sys6(SYS_ioctl, fd, (long)request, arg, 0, 0, 0);
}

static inline int sys_stat(const char *path, struct stat *st)
{
	return (int)sys6(SYS_newfstatat, AT_FDCWD, (long)path, (long)st, 0, 0, 0);
}

static inline int sys_access(const char *path, int mode)
{
	return (int)sys6(SYS_faccessat2, AT_FDCWD, (long)path, mode, AT_EACCESS, 0, 0);
}

static inline long sys_getcwd(char *buf, size_t size)
{
	return sys6(SYS_getcwd, (long)buf, (long)size, 0, 0, 0, 0);
}

static inline int sys_execve(const char *path, char *const *argv, char *const *env)
{
	return (int)sys6(SYS_execve, (long)path, (long)argv, (long)env, 0, 0, 0);
}

static inline int sys_poll(struct pollfd *fds, unsigned n, int timeout_ms)
{
	return (int)sys6(SYS_poll, (long)fds, n, timeout_ms, 0, 0, 0);
}

static inline int sys_socket(int domain, int type)
{
	return (int)sys6(SYS_socket, domain, type | SOCK_CLOEXEC, 0, 0, 0, 0);
}

static inline int sys_socketpair(int domain, int type, int fd[2])
{
	return (int)sys6(SYS_socketpair, domain, type | SOCK_CLOEXEC, 0, (long)fd, 0, 0);
}

static inline int sys_connect(int fd, const void *addr, size_t size)
{
	return (int)sys6(SYS_connect, fd, (long)addr, (long)size, 0, 0, 0);
}

static inline int sys_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	return (int)sys6(SYS_getsockopt, fd, level, name, (long)value, (long)len, 0);
}

static inline long sys_send(int fd, const void *buf, size_t size, int flags)
{
	return sys6(SYS_sendto, fd, (long)buf, (long)size, flags | MSG_NOSIGNAL, 0, 0);
}

static inline long sys_recv(int fd, void *buf, size_t size, int flags)
{
	return sys6(SYS_recvfrom, fd, (long)buf, (long)size, flags, 0, 0);
}

static inline long sys_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return sys6(SYS_sendmsg, fd, (long)msg, flags | MSG_NOSIGNAL, 0, 0, 0);
}

static inline long sys_recvmsg(int fd, struct msghdr *msg, int flags)
{
	return sys6(SYS_recvmsg, fd, (long)msg, flags, 0, 0, 0);
}

static inline int sys_pidfd_kill(int pidfd)
{
	return (int)sys6(SYS_pidfd_send_signal, pidfd, SIGKILL, 0, 0, 0, 0);
}

static inline int sys_unshare(unsigned long flags)
{
	return (int)sys6(SYS_unshare, (long)flags, 0, 0, 0, 0, 0);
}

static inline int sys_setns(int fd, int kind)
{
	return (int)sys6(SYS_setns, fd, kind, 0, 0, 0, 0);
}

static inline int sys_eventfd(unsigned value, int flags)
{
	return (int)sys6(SYS_eventfd2, value, flags | EFD_CLOEXEC, 0, 0, 0, 0);
}

/* fd -1 makes one; otherwise the mask of `fd` is changed. */
static inline int sys_signalfd(int fd, uint64_t mask)
{
	return (int)sys6(SYS_signalfd4, fd, (long)&mask, SIGSET_BYTES, SFD_CLOEXEC | SFD_NONBLOCK, 0, 0);
}

static inline int sys_sigprocmask(uint64_t mask, uint64_t *ret_old)
{
	return (int)sys6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, (long)ret_old, SIGSET_BYTES, 0, 0);
}

static inline uint64_t sys_sigpending(void)
{
	uint64_t set = 0;

	sys6(SYS_rt_sigpending, (long)&set, SIGSET_BYTES, 0, 0, 0, 0);
	return set;
}

/* The kernel's struct sigaction: handler, flags, restorer, mask. NULL handler and no flags: the default action. */
struct sys_sigaction {
	uint64_t handler, flags, restorer, mask;
};

static inline int sys_sigaction(int sig, const struct sys_sigaction *action, struct sys_sigaction *ret_old)
{
	return (int)sys6(SYS_rt_sigaction, sig, (long)action, (long)ret_old, SIGSET_BYTES, 0, 0);
}

static inline int sys_kill(int pid, int sig)
{
	return (int)sys6(SYS_kill, pid, sig, 0, 0, 0, 0);
}

static inline int sys_getpid(void)
{
	return (int)sys6(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

static inline unsigned sys_geteuid(void)
{
	return (unsigned)sys6(SYS_geteuid, 0, 0, 0, 0, 0, 0);
}

/* What it is. */
static inline int sys_personality(void)
{
	return (int)sys6(SYS_personality, 0xffffffff, 0, 0, 0, 0, 0);
}

/* Of the process. */
static inline int sys_get_mempolicy(int *mode)
{
	return (int)sys6(SYS_get_mempolicy, (long)mode, 0, 0, 0, 0, 0);
}

static inline int sys_prctl(int option, long arg)
{
	return (int)sys6(SYS_prctl, option, arg, 0, 0, 0, 0);
}

static inline int sys_setrlimit(int resource, const struct rlimit *limit)
{
	return (int)sys6(SYS_prlimit64, 0, resource, (long)limit, 0, 0, 0);
}

/* Anonymous memory, or NULL. */
static inline void *sys_map(size_t size)
{
	long ret = sys6(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return ret < 0 && ret > -4096 ? NULL : (void *)ret;
}

static inline uint64_t sys_now_ns(void)
{
	struct timespec now = {0};

	sys6(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0, 0, 0, 0);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
