/* SPDX-License-Identifier: MIT */
#include "snapshot/interrupted.h"

#include <errno.h>
#include <string.h>

#include "snapshot/subject.h"

#define N_SIGNALS 64

struct action { /* as the kernel has it; the mask follows */
	uint64_t handler, flags;
};

static bool has_handler(const Warm__Image__Process *process, int sig, struct action *ret)
{
	if (sig > (int)process->n_sigaction || process->sigaction[sig - 1].len < sizeof(*ret))
		return false;
	memcpy(ret, process->sigaction[sig - 1].data, sizeof(*ret));
	return ret->handler != (uint64_t)SIG_DFL && ret->handler != (uint64_t)SIG_IGN;
}

static bool waits(const ProtobufCBinaryData *pending, size_t n, int sig)
{
	siginfo_t info;

	for (size_t i = 0; i < n; i++) {
		memcpy(&info, pending[i].data, sizeof(info));
		if (info.si_signo == sig)
			return true;
	}
	return false;
}

/* The lowest of the thread's own first, then of the process's, as the kernel takes them. */
bool handler_comes(const Warm__Image__Process *process, const Warm__Image__Thread *thread, bool main,
                   uint64_t *ret_flags)
{
	struct action action;

	for (int shared = 0; shared <= main; shared++)
		for (int sig = 1; sig <= N_SIGNALS; sig++) {
			bool there = shared ? waits(process->pending, process->n_pending, sig) ||
			                              (sig == SIGWINCH && process->redraw)
			                    : waits(thread->pending, thread->n_pending, sig);

			if (there && !(thread->sigmask >> (sig - 1) & 1) && has_handler(process, sig, &action)) {
				*ret_flags = action.flags;
				return true;
			}
		}
	return false;
}

/* A program that follows the size of its terminal draws anew: what it had drawn is on another one. */
static bool wants_redraw(const Warm__Image__Image *image)
{
	struct action action;
	bool terminal = false;

	for (size_t i = 0; i < image->n_description; i++)
		terminal |= image->description[i]->terminal.len > 0;
	return terminal && has_handler(image->process, SIGWINCH, &action);
}

void settle_calls(struct subject *s)
{
	Warm__Image__Process *process = s->image->process;

	process->redraw = wants_redraw(s->image);
	for (size_t i = 0; i < s->n_threads; i++) {
		struct user_regs_struct *raw = &s->thread[i].raw, regs;
		long code = -(long)raw->rax;
		uint64_t flags;

		if ((long)raw->orig_rax < 0 ||
		    (code != ERESTARTSYS && code != ERESTARTNOHAND && code != ERESTART_RESTARTBLOCK) ||
		    !handler_comes(process, s->image->thread[i], i == 0, &flags) ||
		    (code == ERESTARTSYS && flags & SA_RESTART))
			continue;
		memcpy(&regs, s->image->thread[i]->regs.data, sizeof(regs));
		regs.rip = raw->rip;
		regs.rax = (unsigned long long)-EINTR;
		regs.orig_rax = (unsigned long long)-1;
		memcpy(s->image->thread[i]->regs.data, &regs, sizeof(regs));
	}
}
