/* SPDX-License-Identifier: MIT */
/*
 * A thread's registers as the frame that rt_sigreturn(2) takes them from: arch/x86/kernel/signal_64.c,
 * fpu/signal.c. The extended state is the thread's as ptrace showed it (NT_X86_XSTATE has the same layout), with the
 * software bytes that the kernel wants to see in a frame.
 */
#include <asm/sigcontext.h>
#include <errno.h>
#include <string.h>
#include <sys/user.h>

#include "base/err.h"
#include "restore/plan.h"

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

static int fill_xstate(struct plan *p, const Warm__Image__Thread *t, uint8_t *to, struct err *err)
{
	uint32_t size = p->place->xstate_size;
	struct _fpx_sw_bytes sw = {.magic1 = FP_XSTATE_MAGIC1,
	                           .extended_size = size + FP_XSTATE_MAGIC2_SIZE,
	                           .xfeatures = p->place->xstate_features,
	                           .xstate_size = size};
	const uint32_t magic2 = FP_XSTATE_MAGIC2;
	uint64_t in_use;

	if (t->xstate.len < XSTATE_MIN)
		return err_set(err, EBADMSG, "floating-point state of thread %d is too short", t->tid);
	memcpy(&in_use, t->xstate.data + XSTATE_BV, sizeof(in_use));
	if (in_use & ~p->place->xstate_features)
		return err_set(err, ENOTSUP,
		               "thread %d uses CPU state (components %#lx) that this machine does not restore", t->tid,
		               (unsigned long)(in_use & ~p->place->xstate_features));
	memcpy(to, t->xstate.data, t->xstate.len < size ? t->xstate.len : size);
	memcpy(to + XSTATE_SW, &sw, sizeof(sw));
	memcpy(to + size, &magic2, sizeof(magic2));
	return 0;
}

/* Below the red zone, where the kernel itself would put a signal's frame. */
static uint64_t stack_place(const struct plan *p, const struct user_regs_struct *regs)
{
	uint64_t xstate = (regs->rsp - RED_ZONE - p->place->xstate_size - FP_XSTATE_MAGIC2_SIZE) & ~UINT64_C(63);

	return xstate - FRAME_ROOM;
}

int plan_sigframe(struct plan *p, const Warm__Image__Thread *t, bool stack, uint64_t *ret_frame, struct err *err)
{
	size_t len = FRAME_ROOM + p->place->xstate_size + FP_XSTATE_MAGIC2_SIZE;
	uint64_t copy = plan_data(p, NULL, len, 64), at;
	struct user_regs_struct regs;
	struct frame frame = {0};
	uint8_t *to;
	int r;

	if (p->failed)
		return err_sys(err, ENOMEM, "plan");
	memcpy(&regs, t->regs.data, sizeof(regs));
	to = plan_at(p, copy);
	at = stack ? stack_place(p, &regs) : copy;
	r = fill_xstate(p, t, to + FRAME_ROOM, err);
	if (r < 0)
		return r;
	frame.pretcode = p->place->sigreturn;
	frame.uc.flags = UC_FLAGS;
	frame.uc.stack.sp = (void *)t->altstack_sp;
	frame.uc.stack.size = t->altstack_size;
	frame.uc.stack.flags = (int)t->altstack_flags;
	fill_registers(&frame.uc.mcontext, &regs);
	frame.uc.mcontext.fpstate = (void *)(at + FRAME_ROOM);
	frame.uc.sigmask = t->sigmask;
	memcpy(to, &frame, sizeof(frame));
	if (stack)
		plan_op(p, (struct rop){.kind = ROP_COPY, .args = {at, copy, len}},
		        "registers of thread %d, on its stack", t->tid);
	*ret_frame = at;
	return 0;
}
