/* SPDX-License-Identifier: MIT */
/*
 * How a thread becomes what it was, by itself: a signal frame that holds all of its registers, and two pieces of code
 * that every program with a libc has.
 *
 *     syscall; ret                   makes one more call; `ret` takes the frame's first word:
 *     mov $15, %rax; syscall         libc's way back from a signal handler, rt_sigreturn(2), takes the rest
 *
 * restore/ leaves its arena by it; snapshot/ makes calls by it after which the thread needs nobody.
 */
#ifndef WARM_BASE_SIGFRAME_H
#define WARM_BASE_SIGFRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

struct err;

struct way_back {             /* addresses in the program; 0: not found */
	uint64_t syscall_ret; /* `syscall; ret` */
	uint64_t sigreturn;   /* the rt_sigreturn trampoline */
};

struct xstate_shape { /* of the extended state that the kernel accepts in a signal frame */
	uint32_t size;
	uint64_t features;
};

struct sigframe {
	pid_t tid; /* for messages */
	const struct user_regs_struct *regs;
	const uint8_t *xstate; /* as ptrace shows it: NT_X86_XSTATE */
	size_t xstate_len;
	uint64_t sigmask;
	uint64_t altstack_sp, altstack_size;
	uint32_t altstack_flags;
};

/* For altstack_flags: the thread keeps the alternate stack that it has, whatever that is. */
#define SIGFRAME_SAME_STACK 3u /* no mode that sigaltstack(2) knows: rt_sigreturn ignores its EINVAL */

/* Looks for what is still missing in code that lies at address `at` in the program. True: both are known now. */
bool way_back_find(struct way_back *way, const void *code, size_t len, uint64_t at);

/* Asks the kernel, by a SIGUSR1 to the calling thread: not while other threads may get one. 0 or -errno. */
int xstate_ask(struct xstate_shape *ret);

/* Bytes of a frame, and its highest place below `below`. Pushing it there leaves the red zone alone. */
size_t sigframe_len(const struct xstate_shape *shape);
uint64_t sigframe_place(const struct xstate_shape *shape, uint64_t below);

/* Writes the frame that will lie at address `at` (from sigframe_place()) to `to`: sigframe_len() bytes. */
int sigframe_build(void *to, uint64_t at, const struct sigframe *frame, const struct xstate_shape *shape,
                   uint64_t sigreturn, struct err *err);

#endif
