/* SPDX-License-Identifier: MIT */
#include "snapshot/tracee.h"

#include <elf.h>
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/proc.h"
#include "snapshot/remedies.h"

#define SIGSET_BYTES 8
#define XSTATE_MAX   16384
#define ALL_SIGNALS  (~UINT64_C(0))
#define STOP_LIMIT_S 1
#ifndef PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG
#define PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG 0x4211 /* Linux 6.4 */
#endif

#define N_TRIES 20

/* Why may it not be seized? Returns 0: nothing speaks against another try. */
static int is_refused(pid_t tid, struct err *err)
{
	CLEAN(fd) int dir = proc_open(tid);
	struct proc_status status = {0};
	int r = dir < 0 ? dir : proc_status_read(dir, &status);

	proc_status_fini(&status);
	if (r < 0 || status.state == 'Z' || status.state == 'X')
		return -ESRCH;
	return status.tracer ? err_refuse(err, "detach the tracer, then try again",
	                                  "thread %d is being traced already, by process %d", tid, status.tracer)
	                     : 0;
}

int tracee_seize(pid_t tid, struct err *err)
{
	/* While a program is being executed ptrace(2) waits. The main thread that it finds then is the old one, which
	 * is dead, and that is EPERM, too: another thread has its number. */
	for (int i = 0; ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD) < 0; i++) {
		int code = errno;
		int r = code == EPERM ? is_refused(tid, err) : code == ESRCH ? -ESRCH : 0;

		if (r < 0)
			return r;
		if (code != EPERM || i == N_TRIES)
			return err_sys(err, code, "freeze thread %d", tid);
	}
	return ptrace(PTRACE_INTERRUPT, tid, 0, 0) < 0 ? -ECHILD : 0;
}

/* SIGCHLD is blocked while anybody is stopped (snapshot_run): it says when to look again. */
static int wait_stop(pid_t tid, int *status)
{
	const struct timespec tick = {0, 2000000}; /* SIGCHLD of several threads is one */
	struct timespec now, limit;
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_sec += STOP_LIMIT_S;
	for (;;) {
		pid_t got = waitpid(tid, status, __WALL | WNOHANG);

		if (got < 0 && errno != EINTR)
			return errno == ECHILD ? -ESRCH : -errno;
		if (got > 0)
			return WIFSTOPPED(*status) ? 0 : -ESRCH;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > limit.tv_sec || (now.tv_sec == limit.tv_sec && now.tv_nsec > limit.tv_nsec))
			return -EBUSY;
		sigtimedwait(&child, NULL, &tick);
	}
}

/* A wait until, not for: the kernel itself restarts it with nothing but its arguments. */
static bool has_deadline(const struct user_regs_struct *regs)
{
	return regs->orig_rax == SYS_futex &&
	       (regs->rsi & ~(uint64_t)(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)) == FUTEX_WAIT_BITSET;
}

/*
 * A thread that was stopped inside a system call has a restart code in rax. The thread itself gets it back and the
 * kernel acts on it (restart, or EINTR where a signal has come). In the image the call starts again; its number stays
 * in orig_rax.
 */
static void restart_call(struct user_regs_struct *regs)
{
	long code = (long)regs->orig_rax >= 0 ? -(long)regs->rax : 0;

	if (code == ERESTARTSYS || code == ERESTARTNOINTR || code == ERESTARTNOHAND ||
	    (code == ERESTART_RESTARTBLOCK && has_deadline(regs))) {
		regs->rax = regs->orig_rax;
		regs->rip -= 2;
		return;
	}
	if (code == ERESTART_RESTARTBLOCK)
		regs->rax = (unsigned long long)-EINTR;
	regs->orig_rax = (unsigned long long)-1;
}

static int take_stop(struct tracee *t, int status, struct err *err)
{
	if (WSTOPSIG(status) != SIGTRAP)
		return err_refuse(err, "let it run, then try again", "thread %d is stopped by a signal", t->tid);
	if (ptrace(PTRACE_GETREGS, t->tid, 0, &t->raw) < 0 ||
	    ptrace(PTRACE_GETSIGMASK, t->tid, SIGSET_BYTES, &t->sigmask) < 0)
		return errno == ESRCH ? 0 /* it has been killed: its end will be heard */
		                      : err_sys(err, errno, "read registers of thread %d", t->tid);
	t->stopped = 1;
	if (t->raw.cs != 0x33)
		return err_refuse(err, STARTS_COLD, "thread %d runs 32-bit code", t->tid);
	t->regs = t->raw;
	restart_call(&t->regs);
	return 1;
}

int tracee_look(struct tracee *t, struct err *err)
{
	while (!t->gone) {
		int status;
		pid_t got = waitpid(t->tid, &status, __WALL | WNOHANG);

		if (got == 0)
			return t->stopped;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) /* who ends, ends as our tracee: this one lives on under another number */
			return -ECHILD;
		t->gone = !WIFSTOPPED(status);
		if (!t->gone && status >> 16 == PTRACE_EVENT_STOP)
			return take_stop(t, status, err);
		/* A signal was on its way. It is delivered; the stop that was asked for comes before its handler's
		 * first step. */
		if (!t->gone && ptrace(PTRACE_CONT, t->tid, 0, (status >> 16) ? 0 : WSTOPSIG(status)) < 0 &&
		    errno != ESRCH)
			return err_sys(err, errno, "freeze thread %d", t->tid);
	}
	return 1;
}

void tracee_hear_end(struct tracee *t)
{
	siginfo_t info = {0};

	/* A tracee's stops come unasked for, and are taken by tracee_look(). */
	if (t->gone || waitid(P_PID, (id_t)t->tid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 || !info.si_pid)
		return;
	if (info.si_code == CLD_EXITED || info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED)
		t->gone = waitpid(t->tid, NULL, __WALL | WNOHANG) == t->tid;
}

bool tracee_news(void)
{
	const struct timespec tick = {0, 2000000};
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	return sigtimedwait(&child, NULL, &tick) == SIGCHLD;
}

/*
 * The mask is changed while the registers lead to the frame, here and before the first call: if this process ends
 * between the two steps, a signal that waits is handled on the frame's side of the stack pointer, and the frame does
 * the rest. The other way round the thread would keep all signals blocked.
 */
void tracee_settle(struct tracee *t)
{
	if (t->injected) {
		ptrace(PTRACE_SETSIGMASK, t->tid, SIGSET_BYTES, &t->sigmask);
		ptrace(PTRACE_SETREGS, t->tid, 0, &t->raw);
		t->injected = 0;
	}
	t->frame = 0;
}

void tracee_release(struct tracee *t)
{
	tracee_settle(t);
	ptrace(PTRACE_DETACH, t->tid, 0, 0);
	if (t->stop)
		syscall(SYS_tkill, t->tid, SIGSTOP);
}

/* Runs, to the next beginning or end of a system call. */
static int run(const struct tracee *t)
{
	return ptrace(PTRACE_SYSCALL, t->tid, 0, 0) < 0 ? -errno : 0;
}

/* Of what is told in the middle of a call: the process that it has made. */
static void note_child(struct tracee *t, int status)
{
	unsigned long pid = 0;

	if ((status >> 16 == PTRACE_EVENT_FORK || status >> 16 == PTRACE_EVENT_CLONE) &&
	    ptrace(PTRACE_GETEVENTMSG, t->tid, 0, &pid) == 0)
		t->child = (pid_t)pid;
}

/* Anything else that stops the thread there means that it is dying. */
static int wait_syscall_stop(struct tracee *t)
{
	int status, r;

	for (;;) {
		r = wait_stop(t->tid, &status);
		if (r < 0)
			return r;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			return 0;
		if (status >> 16 == 0 && WSTOPSIG(status) == SIGSTOP) /* it cannot be blocked */
			t->stop = 1;
		note_child(t, status);
		r = run(t);
		if (r < 0)
			return r;
	}
}

/* A call that waits with another mask: until the thread is out of it that one is in force, not t->sigmask. */
static bool waits_with_mask(const struct user_regs_struct *regs)
{
	switch ((long)regs->orig_rax) {
	case SYS_rt_sigsuspend:
	case SYS_ppoll:
	case SYS_pselect6:
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
		return true;
	default:
		return false;
	}
}

/*
 * Its own mask comes first: a signal that only the wait lets through would else be handled before that call is made
 * again, if this process ends now, and the wait would go on. Like this it comes when the thread waits anew.
 */
static int keep_waits_signals(const struct tracee *t)
{
	return waits_with_mask(&t->raw) && ptrace(PTRACE_SETSIGMASK, t->tid, SIGSET_BYTES, &t->sigmask) < 0 ? -errno
	                                                                                                    : 0;
}

int tracee_call_begin(struct tracee *t, uint64_t insn, long nr, const uint64_t args[6], struct err *err)
{
	struct user_regs_struct regs = t->raw;
	uint64_t mask = ALL_SIGNALS;
	int first = !t->injected;
	int r = first ? keep_waits_signals(t) : 0;

	if (r < 0)
		return err_sys(err, -r, "prepare system call %ld in thread %d", nr, t->tid);
	t->injected = 1;
	regs.rip = insn;
	if (t->frame)
		regs.rsp = t->frame;
	regs.rax = (unsigned long long)nr;
	regs.orig_rax = (unsigned long long)-1;
	regs.rdi = args[0];
	regs.rsi = args[1];
	regs.rdx = args[2];
	regs.r10 = args[3];
	regs.r8 = args[4];
	regs.r9 = args[5];
	if (ptrace(PTRACE_SETREGS, t->tid, 0, &regs) < 0 ||
	    (first && ptrace(PTRACE_SETSIGMASK, t->tid, SIGSET_BYTES, &mask) < 0))
		return err_sys(err, errno, "prepare system call %ld in thread %d", nr, t->tid);
	r = run(t);
	return r < 0 ? err_sys(err, -r, "begin system call %ld in thread %d", nr, t->tid) : 0;
}

int tracee_call_enter(struct tracee *t, struct err *err)
{
	int r = wait_syscall_stop(t);

	if (r == 0)
		r = run(t);
	return r < 0 ? err_sys(err, -r, "system call in thread %d", t->tid) : 0;
}

int tracee_call_end(struct tracee *t, long *ret, struct err *err)
{
	struct user_regs_struct regs;
	int r = wait_syscall_stop(t);

	if (r < 0 || ptrace(PTRACE_GETREGS, t->tid, 0, &regs) < 0)
		return err_sys(err, r < 0 ? -r : errno, "end of a system call in thread %d", t->tid);
	*ret = (long)regs.rax;
	return 0;
}

int tracee_syscall(struct tracee *t, uint64_t insn, long *ret, long nr, const uint64_t args[6], struct err *err)
{
	int r;

	if ((r = tracee_call_begin(t, insn, nr, args, err)) < 0 || (r = tracee_call_enter(t, err)) < 0)
		return r;
	return tracee_call_end(t, ret, err);
}

int tracee_fork(struct tracee *t, uint64_t insn, long *ret, pid_t *ret_child, const uint64_t args[6], struct err *err)
{
	int status, r;

	t->child = 0;
	if (ptrace(PTRACE_SETOPTIONS, t->tid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE) < 0)
		return err_sys(err, errno, "prepare a copy of thread %d", t->tid);
	r = tracee_syscall(t, insn, ret, SYS_clone, args, err);
	ptrace(PTRACE_SETOPTIONS, t->tid, 0, PTRACE_O_TRACESYSGOOD);
	*ret_child = t->child;
	if (!t->child)
		return r;
	/* It stops by itself, unless it is killed: it is traced from birth. */
	if (r == 0 && (wait_stop(t->child, &status) < 0 ||
	               ptrace(PTRACE_SETOPTIONS, t->child, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) < 0))
		r = err_sys(err, ESRCH, "hold the copy of process %d", t->tid);
	if (r < 0) {
		tracee_end(t->child);
		*ret_child = 0;
	}
	return r;
}

void tracee_end(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	while (waitpid(pid, &status, __WALL) == pid ? WIFSTOPPED(status) : errno == EINTR)
		;
}

int tracee_xstate(const struct tracee *t, uint8_t **ret_data, size_t *ret_len, struct err *err)
{
	struct iovec iov = {malloc(XSTATE_MAX), XSTATE_MAX};
	void *less;

	if (!iov.iov_base)
		return err_sys(err, ENOMEM, "floating-point state");
	if (ptrace(PTRACE_GETREGSET, t->tid, NT_X86_XSTATE, &iov) < 0) {
		int code = errno;

		free(iov.iov_base);
		return err_sys(err, code, "read floating-point state of thread %d", t->tid);
	}
	less = realloc(iov.iov_base, iov.iov_len); /* others use what is there already: snapshot_run() */
	*ret_data = less ? less : iov.iov_base;
	*ret_len = iov.iov_len;
	return 0;
}

int tracee_rseq(const struct tracee *t, uint64_t *addr, uint32_t *len, uint32_t *signature, struct err *err)
{
	struct __ptrace_rseq_configuration conf = {0};

	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, t->tid, sizeof(conf), &conf) < 0)
		return err_sys(err, errno, "read rseq of thread %d", t->tid);
	*addr = conf.rseq_abi_pointer;
	*len = conf.rseq_abi_size;
	*signature = conf.signature;
	return 0;
}

int tracee_poke(const struct tracee *t, uint64_t addr, const long *words, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (ptrace(PTRACE_POKEDATA, t->tid, addr + i * sizeof(long), words[i]) < 0)
			return err_sys(err, errno, "write memory of thread %d at %#lx", t->tid, (unsigned long)addr);
	return 0;
}

int tracee_dispatches(const struct tracee *t)
{
	struct {
		uint64_t mode, selector, offset, len;
	} conf = {0};

	return ptrace(PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG, t->tid, sizeof(conf), &conf) == 0 && conf.mode != 0;
}

int tracee_pending(const struct tracee *t, int shared, uint8_t **ret_infos, size_t *ret_n, struct err *err)
{
	size_t n = 0;
	siginfo_t *infos = NULL;

	for (;;) {
		struct __ptrace_peeksiginfo_args args = {n, shared ? PTRACE_PEEKSIGINFO_SHARED : 0, 32};
		siginfo_t *more = reallocarray(infos, n + 32, sizeof(*infos));
		long got;

		if (!more) {
			free(infos);
			return err_sys(err, ENOMEM, "pending signals");
		}
		infos = more;
		got = ptrace(PTRACE_PEEKSIGINFO, t->tid, &args, infos + n);
		if (got < 0) {
			int code = errno;

			free(infos);
			return err_sys(err, code, "read pending signals of thread %d", t->tid);
		}
		n += (size_t)got;
		if (got < 32)
			break;
	}
	*ret_infos = (uint8_t *)infos;
	*ret_n = n;
	return 0;
}
