/* SPDX-License-Identifier: MIT */
/* snapshot/interrupted.c: which calls start again in a clone, and which end with EINTR. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "snapshot/interrupted.h"
#include "snapshot/subject.h"

#define RIP 0x401000

static Warm__Image__Image image;
static Warm__Image__Process process;
static Warm__Image__Thread thread, *threads[] = {&thread};
static Warm__Image__Description description, *descriptions[] = {&description};
static ProtobufCBinaryData actions[64], pending[1];
static struct {
	uint64_t handler, flags, restorer, mask;
} action[64];
static siginfo_t info;
static struct user_regs_struct regs;
static struct tracee tracee;
static struct subject subject;

/* A thread that was stopped in a call, as tracee.c shows it. */
static void stopped_in(unsigned long long nr, long code)
{
	warm__image__image__init(&image);
	warm__image__process__init(&process);
	warm__image__thread__init(&thread);
	warm__image__description__init(&description);
	memset(action, 0, sizeof(action));
	for (int i = 0; i < 64; i++)
		actions[i] = (ProtobufCBinaryData){sizeof(action[i]), (uint8_t *)&action[i]};
	process.sigaction = actions;
	process.n_sigaction = 64;
	image.process = &process;
	image.thread = threads;
	image.n_thread = 1;
	image.description = descriptions;
	image.n_description = 1;
	tracee.raw = (struct user_regs_struct){.rip = RIP, .rax = (unsigned long long)code, .orig_rax = nr};
	regs = tracee.raw;
	if (code < 0) {
		regs.rip -= 2;
		regs.rax = nr;
	}
	thread.regs = (ProtobufCBinaryData){sizeof(regs), (uint8_t *)&regs};
	subject = (struct subject){.image = &image, .thread = &tracee, .n_threads = 1};
}

static void wait_signal(int sig, uint64_t handler, uint64_t flags)
{
	info.si_signo = sig;
	pending[0] = (ProtobufCBinaryData){sizeof(info), (uint8_t *)&info};
	process.pending = pending;
	process.n_pending = 1;
	action[sig - 1].handler = handler;
	action[sig - 1].flags = flags;
}

static void check_again(void)
{
	settle_calls(&subject);
	assert_int_equal(regs.rip, RIP - 2);
	assert_int_equal(regs.rax, tracee.raw.orig_rax);
}

static void check_interrupted(void)
{
	settle_calls(&subject);
	assert_int_equal(regs.rip, RIP);
	assert_int_equal((long)regs.rax, -EINTR);
	assert_int_equal((long)regs.orig_rax, -1);
}

static void test_without_a_signal_it_starts_again(void **state)
{
	(void)state;
	stopped_in(SYS_pause, -514);
	check_again();
	stopped_in(SYS_read, -512);
	check_again();
}

static void test_a_handler_interrupts(void **state)
{
	(void)state;
	stopped_in(SYS_pause, -514);
	wait_signal(SIGALRM, 0x500000, SA_RESTART);
	check_interrupted();
	stopped_in(SYS_read, -512);
	wait_signal(SIGALRM, 0x500000, 0);
	check_interrupted();
	stopped_in(SYS_futex, -516);
	wait_signal(SIGALRM, 0x500000, SA_RESTART);
	check_interrupted();
	stopped_in(SYS_pause, -514); /* in the thread's own queue */
	wait_signal(SIGALRM, 0x500000, 0);
	thread.pending = pending;
	thread.n_pending = 1;
	process.n_pending = 0;
	check_interrupted();
}

static void test_what_restarts_or_is_not_taken_does_not(void **state)
{
	(void)state;
	stopped_in(SYS_read, -512);
	wait_signal(SIGALRM, 0x500000, SA_RESTART);
	check_again();
	stopped_in(SYS_read, -513); /* ERESTARTNOINTR */
	wait_signal(SIGALRM, 0x500000, 0);
	check_again();
	stopped_in(SYS_pause, -514);
	wait_signal(SIGALRM, 0x500000, 0);
	thread.sigmask = UINT64_C(1) << (SIGALRM - 1);
	check_again();
	stopped_in(SYS_pause, -514);
	wait_signal(SIGCHLD, (uint64_t)SIG_DFL, 0);
	check_again();
	stopped_in(SYS_pause, -514);
	wait_signal(SIGALRM, (uint64_t)SIG_IGN, 0);
	check_again();
}

static void test_another_terminal_interrupts_who_follows_its_size(void **state)
{
	uint8_t modes[1] = {0};

	(void)state;
	stopped_in(SYS_pselect6, -514);
	action[SIGWINCH - 1].handler = 0x500000;
	check_again();
	assert_false(process.redraw);
	stopped_in(SYS_pselect6, -514);
	action[SIGWINCH - 1].handler = 0x500000;
	description.terminal = (ProtobufCBinaryData){sizeof(modes), modes};
	check_interrupted();
	assert_true(process.redraw);
	stopped_in(SYS_pselect6, -514);
	description.terminal = (ProtobufCBinaryData){sizeof(modes), modes};
	check_again();
	assert_false(process.redraw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_without_a_signal_it_starts_again),
	        cmocka_unit_test(test_a_handler_interrupts),
	        cmocka_unit_test(test_what_restarts_or_is_not_taken_does_not),
	        cmocka_unit_test(test_another_terminal_interrupts_who_follows_its_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
