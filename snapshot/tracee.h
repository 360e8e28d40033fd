/* SPDX-License-Identifier: MIT */
/*
 * One stopped thread as an object: its registers, system calls made in its name. The only door to ptrace(2). An
 * injected call puts no code into the target: it borrows a `syscall` instruction of its own.
 */
#ifndef WARM_SNAPSHOT_TRACEE_H
#define WARM_SNAPSHOT_TRACEE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

struct err;

struct tracee {
	pid_t tid;
	struct user_regs_struct raw;  /* as they were: what the thread gets back */
	struct user_regs_struct regs; /* as the image has them: an interrupted call (orig_rax) starts again */
	uint64_t sigmask;
	uint64_t frame; /* 0, or where its stack pointer is during calls: a signal frame by which it becomes `regs` */
	int injected;   /* the registers in the kernel are not `raw` now */
	int stop;       /* a SIGSTOP came while it was ours: it gets it back */
	int stopped;    /* it has been heard of */
	int gone;       /* it has ended, and that has been heard: the number may be another's */
	pid_t child;    /* that its last call has made, where that is traced */
};

/* Why a thread has left a system call, negative in rax: <linux/errno.h> has them for the kernel alone. */
#define ERESTARTSYS           512 /* a handler with SA_RESTART: again; another one: EINTR */
#define ERESTARTNOINTR        513 /* again, whatever comes */
#define ERESTARTNOHAND        514 /* any handler: EINTR */
#define ERESTART_RESTARTBLOCK 516 /* likewise; else only this kernel knows what is left of the call */

/* Seizes and interrupts a running thread. -ESRCH: it has ended meanwhile. -ECHILD: its program has been replaced
 * meanwhile, and it has the main thread's number now. The rest in *err. */
int tracee_seize(pid_t tid, struct err *err);

/* Has it stopped, or ended? 1: `stopped` or `gone` says which, and `raw`, `regs`, `sigmask` are filled; 0: not yet;
 * -ECHILD: as tracee_seize(); or it cannot be frozen. A thread that ends after it has stopped is gone, too. */
int tracee_look(struct tracee *t, struct err *err);

/* If it has ended, it is gone. */
void tracee_hear_end(struct tracee *t);

/* Waits for two milliseconds, less where a child of this process has something to say: true. SIGCHLD must be
 * blocked; of several one comes. */
bool tracee_news(void);

/* Registers and signal mask go back to what they were; the thread stays stopped. From here on the end of this process
 * does it no harm. */
void tracee_settle(struct tracee *t);

/* Settles it, and it runs on. */
void tracee_release(struct tracee *t);

/* One system call by the thread, at an address that holds a `syscall` instruction (with `ret` behind it where the
 * thread has a frame). *ret is its raw result. The same in three steps, for several threads at a time: each step lets
 * the thread run, and the next one waits for it. */
int tracee_syscall(struct tracee *t, uint64_t insn, long *ret, long nr, const uint64_t args[6], struct err *err);
int tracee_call_begin(struct tracee *t, uint64_t insn, long nr, const uint64_t args[6], struct err *err);
int tracee_call_enter(struct tracee *t, struct err *err);
int tracee_call_end(struct tracee *t, long *ret, struct err *err);

/* As tracee_syscall(), for a call that makes a process: that is held before its first instruction, and does not outlive
 * this process. *ret_child is 0 where the call has failed. tracee_end() kills it, and hears of its end. */
int tracee_fork(struct tracee *t, uint64_t insn, long *ret, pid_t *ret_child, const uint64_t args[6], struct err *err);
void tracee_end(pid_t pid);

/* Regsets and queues of a stopped thread. */
int tracee_xstate(const struct tracee *t, uint8_t **ret_data, size_t *ret_len, struct err *err);
int tracee_rseq(const struct tracee *t, uint64_t *addr, uint32_t *len, uint32_t *signature, struct err *err);

/* Writes into the program's memory, code too: whole words, at a multiple of their size. */
int tracee_poke(const struct tracee *t, uint64_t addr, const long *words, size_t n, struct err *err);

/* 1: system calls are dispatched to a handler of the thread's own (prctl(2), PR_SET_SYSCALL_USER_DISPATCH). */
int tracee_dispatches(const struct tracee *t);

/* siginfo_t records, back to back, malloc'ed; shared: the process's queue. */
int tracee_pending(const struct tracee *t, int shared, uint8_t **ret_infos, size_t *ret_n, struct err *err);

/* ---- a parked clone (snapshot/tracee_become.c) ------------------------------------------------------------------- */

/* The area that the thread runs in: of a parked clone's main thread the restorer's arena. */
int tracee_find_area(const struct tracee *t, uint64_t *ret_start, uint64_t *ret_end, struct err *err);

/* Lets the threads that are in the arena on until each has become the application's, and holds it there: registers and
 * signal mask are then its own. go() is called when all are on their way. The clone does not outlive this process. */
int tracees_become(struct tracee *t, size_t n, uint64_t arena, uint64_t arena_end,
                   int (*go)(void *arg, struct err *err), void *arg, struct err *err);

#endif
