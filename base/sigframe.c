/* SPDX-License-Identifier: MIT */
/*
 * The frame is that of arch/x86/kernel/signal_64.c and fpu/signal.c. The extended state is the thread's as ptrace
 * showed it (NT_X86_XSTATE has the same layout), with the software bytes that the kernel wants to see in a frame.
 */
#include "base/sigframe.h"

#include <asm/sigcontext.h>
#include <errno.h>
#include <string.h>

#include "base/err.h"

#define XSTATE_SW  464 /* software-reserved bytes of the legacy area */
#define XSTATE_BV  512 /* xsave header: which components are in use */
#define XSTATE_MIN 576
#define UC_FLAGS   (0x1 | 0x2 | 0x4) /* UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS */

struct frame_stack { /* stack_t; <signal.h> and the kernel's sigcontext do not go together */
	void *sp;
	int flags;
	size_t size;
};

struct frame_ucontext { /* struct ucontext of asm-generic, as the kernel has it */
	unsigned long flags;
	void *link;
	struct frame_stack stack;
	struct sigcontext mcontext;
	uint64_t sigmask;
};

struct frame {
	uint64_t pretcode;
	struct frame_ucontext uc;
};

#define RED_ZONE   128
#define FRAME_ROOM 320 /* the frame, and up to the next multiple of 64: the extended state follows */
_Static_assert(sizeof(struct frame) <= FRAME_ROOM && FRAME_ROOM % 64 == 0, "frame and extended state");

static void fill_registers(struct sigcontext *sc, const struct user_regs_struct *r)
{
	sc->r8 = r->r8;
	sc->r9 = r->r9;
	sc->r10 = r->r10;
	sc->r11 = r->r11;
	sc->r12 = r->r12;
	sc->r13 = r->r13;
	sc->r14 = r->r14;
	sc->r15 = r->r15;
	sc->rdi = r->rdi;
	sc->rsi = r->rsi;
	sc->rbp = r->rbp;
	sc->rbx = r->rbx;
	sc->rdx = r->rdx;
	sc->rax = r->rax;
	sc->rcx = r->rcx;
	sc->rsp = r->rsp;
	sc->rip = r->rip;
	sc->eflags = r->eflags;
	sc->cs = (uint16_t)r->cs;
	sc->ss = (uint16_t)r->ss;
}

static int fill_xstate(const struct sigframe *f, const struct xstate_shape *shape, uint8_t *to, struct err *err)
{
	struct _fpx_sw_bytes sw = {.magic1 = FP_XSTATE_MAGIC1,
	                           .extended_size = shape->size + FP_XSTATE_MAGIC2_SIZE,
	                           .xfeatures = shape->features,
	                           .xstate_size = shape->size};
	const uint32_t magic2 = FP_XSTATE_MAGIC2;
	size_t len = f->xstate_len < shape->size ? f->xstate_len : shape->size;
	uint64_t in_use;

	if (f->xstate_len < XSTATE_MIN)
		return err_set(err, EBADMSG, "floating-point state of thread %d is too short", f->tid);
	memcpy(&in_use, f->xstate + XSTATE_BV, sizeof(in_use));
	if (in_use & ~shape->features)
		return err_set(err, ENOTSUP,
		               "thread %d uses CPU state (components %#lx) that this machine does not restore", f->tid,
		               (unsigned long)(in_use & ~shape->features));
	memcpy(to, f->xstate, len);
	memset(to + len, 0, shape->size - len);
	memcpy(to + XSTATE_SW, &sw, sizeof(sw));
	memcpy(to + shape->size, &magic2, sizeof(magic2));
	return 0;
}

size_t sigframe_len(const struct xstate_shape *shape)
{
	return FRAME_ROOM + shape->size + FP_XSTATE_MAGIC2_SIZE;
}

/* Where the kernel itself would put a signal's frame; the extended state wants to be aligned to 64. */
uint64_t sigframe_place(const struct xstate_shape *shape, uint64_t below)
{
	uint64_t xstate = (below - RED_ZONE - shape->size - FP_XSTATE_MAGIC2_SIZE) & ~UINT64_C(63);

	return xstate - FRAME_ROOM;
}

int sigframe_build(void *to, uint64_t at, const struct sigframe *f, const struct xstate_shape *shape,
                   uint64_t sigreturn, struct err *err)
{
	struct frame frame = {.pretcode = sigreturn};
	int r = fill_xstate(f, shape, (uint8_t *)to + FRAME_ROOM, err);

	if (r < 0)
		return r;
	frame.uc.flags = UC_FLAGS;
	frame.uc.stack.sp = (void *)f->altstack_sp;
	frame.uc.stack.size = f->altstack_size;
	frame.uc.stack.flags = (int)f->altstack_flags;
	fill_registers(&frame.uc.mcontext, f->regs);
	frame.uc.mcontext.fpstate = (void *)(at + FRAME_ROOM);
	frame.uc.sigmask = f->sigmask;
	memset(to, 0, FRAME_ROOM);
	memcpy(to, &frame, sizeof(frame));
	return 0;
}

bool way_back_find(struct way_back *way, const void *code, size_t len, uint64_t at)
{
	static const uint8_t ret_bytes[] = {0x0f, 0x05, 0xc3};
	static const uint8_t tramp_bytes[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
	const uint8_t *ret = memmem(code, len, ret_bytes, sizeof(ret_bytes));
	const uint8_t *tramp = memmem(code, len, tramp_bytes, sizeof(tramp_bytes));

	if (ret && !way->syscall_ret)
		way->syscall_ret = at + (uint64_t)(ret - (const uint8_t *)code);
	if (tramp && !way->sigreturn)
		way->sigreturn = at + (uint64_t)(tramp - (const uint8_t *)code);
	return way->syscall_ret && way->sigreturn;
}
