/* SPDX-License-Identifier: MIT */
/* Signal actions of all signals: handler, all flags, mask, restorer, as the kernel has them; and they work. */
#include "victim.h"

struct ksigaction {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

static int volatile got[65], got_value;

static void one(int sig)
{
	got[sig]++;
}

static void three(int sig, siginfo_t *info, void *context)
{
	(void)context;
	got[sig] += 100;
	got_value = info->si_value.sival_int;
}

static int free_to_use(int sig)
{
	return sig != SIGKILL && sig != SIGSTOP && sig != 32 && sig != 33;
}

static void ask(struct ksigaction *actions)
{
	for (int sig = 1; sig <= 64; sig++)
		if (free_to_use(sig))
			CHECK_EQ(syscall(SYS_rt_sigaction, sig, NULL, &actions[sig], 8), 0);
}

int main(void)
{
	static const int flag[] = {SA_RESTART, SA_NODEFER, SA_RESETHAND, SA_ONSTACK, SA_NOCLDSTOP, SA_NOCLDWAIT, 0};
	static struct ksigaction before[65], after[65];

	for (int sig = 1; sig <= 64; sig++) {
		struct sigaction action = {.sa_flags = flag[sig % 7] | flag[(sig / 7) % 7]};

		if (!free_to_use(sig))
			continue;
		if (sig % 5 == 4) {
			action.sa_handler = sig % 2 ? SIG_IGN : SIG_DFL;
		} else if (sig % 2) {
			action.sa_sigaction = three;
			action.sa_flags |= SA_SIGINFO;
		} else {
			action.sa_handler = one;
		}
		for (int other = 1; other <= 64; other++)
			if (mix(sig * 64 + other) % 3 == 0)
				sigaddset(&action.sa_mask, other);
		CHECK_EQ(sigaction(sig, &action, NULL), 0);
	}
	ask(before);
	hook();

	ask(after);
	for (int sig = 1; sig <= 64; sig++)
		if (free_to_use(sig) && memcmp(&before[sig], &after[sig], sizeof before[sig]) != 0)
			FAIL("action of signal %d: handler %p flags %#lx mask %#lx, was %p %#lx %#lx", sig,
			     after[sig].handler, after[sig].flags, (long)after[sig].mask, before[sig].handler,
			     before[sig].flags, (long)before[sig].mask);
	for (int sig = 34; sig <= 64; sig++) {
		int catches = before[sig].handler != (void *)SIG_DFL && before[sig].handler != (void *)SIG_IGN;

		if (!catches)
			continue;
		CHECK_EQ(sigqueue(getpid(), sig, (union sigval){.sival_int = sig * 3}), 0);
		CHECK_EQ(got[sig], sig % 2 ? 100 : 1);
		CHECK(sig % 2 == 0 || got_value == sig * 3);
	}
	return pass();
}
