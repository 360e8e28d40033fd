/* SPDX-License-Identifier: MIT */
/* The hook inside of two nested signal handlers, the inner one on an alternate stack: frames, masks, values on the way
 * back; and a jump out of a handler. */
#include <setjmp.h>

#include "victim.h"

static char stack[128 << 10];
static int volatile depth, returned;
static sigjmp_buf out;

static int blocked(int sig)
{
	sigset_t mask;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	return sigismember(&mask, sig);
}

static void inner(int sig, siginfo_t *info, void *context)
{
	uint64_t local[512];
	stack_t now;

	(void)context;
	fill(local, sizeof local, 5);
	CHECK((char *)local > stack && (char *)local < stack + sizeof stack);
	depth = 2;
	hook();
	CHECK(filled(local, sizeof local, 5));
	CHECK_EQ(sig, SIGRTMIN + 4);
	CHECK_EQ(info->si_value.sival_int, 1234);
	CHECK(blocked(SIGUSR1) && blocked(SIGUSR2) && blocked(SIGHUP) && !blocked(SIGRTMIN + 4)); /* SA_NODEFER */
	CHECK(sigaltstack(NULL, &now) == 0 && now.ss_flags == SS_ONSTACK && now.ss_sp == stack);
	CHECK(raise(SIGUSR2) == 0 && returned == 0);
	returned = 1;
}

static void outer(int sig)
{
	volatile uint64_t local[64];

	for (int i = 0; i < 64; i++)
		local[i] = mix((uint64_t)i + 9);
	depth = 1;
	CHECK_EQ(sigqueue(getpid(), SIGRTMIN + 4, (union sigval){.sival_int = 1234}), 0);
	CHECK(depth == 2 && returned == 1);
	for (int i = 0; i < 64; i++)
		CHECK(local[i] == mix((uint64_t)i + 9));
	CHECK(blocked(SIGUSR1) && blocked(SIGUSR2) && !blocked(SIGHUP));
	CHECK_EQ(sig, SIGUSR1);
	returned = 2;
}

static void later(int sig)
{
	(void)sig;
	CHECK_EQ(returned, 2); /* it was blocked until both had returned */
	returned = 3;
	siglongjmp(out, 1);
}

int main(void)
{
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack}, now;
	struct sigaction a = {.sa_handler = outer}, b = {.sa_sigaction = inner}, c = {.sa_handler = later};

	CHECK_EQ(sigaltstack(&alternate, NULL), 0);
	sigaddset(&a.sa_mask, SIGUSR2);
	b.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
	sigaddset(&b.sa_mask, SIGHUP);
	CHECK(sigaction(SIGUSR1, &a, NULL) == 0 && sigaction(SIGRTMIN + 4, &b, NULL) == 0 &&
	      sigaction(SIGUSR2, &c, NULL) == 0);
	if (sigsetjmp(out, 1) == 0) {
		CHECK_EQ(raise(SIGUSR1), 0);
		FAIL("SIGUSR2, which was blocked, has not come");
	}
	CHECK_EQ(returned, 3);
	CHECK(!blocked(SIGUSR1) && !blocked(SIGUSR2) && !blocked(SIGHUP));
	CHECK(sigaltstack(NULL, &now) == 0 && now.ss_flags == 0 && now.ss_sp == stack);
	return pass();
}
