/* SPDX-License-Identifier: MIT */
/* A thread that has gone over to 32-bit code, and runs there until a signal brings it back.
 * victim: refused "thread %d runs 32-bit code" */
#include <setjmp.h>
#include <sys/mman.h>

#include "victim.h"

#define CODE_32 0x23 /* the segment */

static const unsigned char spin[] = {0xf3, 0x90, 0xeb, 0xfc}; /* pause, and again */

static sigjmp_buf way_back;
static atomic_int started, impossible;
static char room[65536];
static struct {
	uint32_t offset;
	uint16_t segment;
} __attribute__((packed)) target;

static void on_signal(int sig)
{
	atomic_store(&impossible, sig == SIGSEGV);
	siglongjmp(way_back, 1);
}

/* The handler has a stack of its own: 32-bit code may lose the upper half of the stack pointer. */
static void *other(void *arg)
{
	stack_t stack = {.ss_sp = room, .ss_size = sizeof room};

	CHECK_EQ(sigaltstack(&stack, NULL), 0);
	if (sigsetjmp(way_back, 1) == 0) {
		atomic_store(&started, 1);
		__asm__ volatile("ljmp *%0" : : "m"(target));
	}
	return arg;
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
	void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1,
	                  0);
	pthread_t thread;
	void *result = NULL;

	CHECK(code != MAP_FAILED);
	memcpy(code, spin, sizeof spin);
	target.offset = (uint32_t)(uintptr_t)code;
	target.segment = CODE_32;
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGSEGV, &action, NULL) == 0);
	CHECK_EQ(pthread_create(&thread, NULL, other, &target), 0);
	CHECK(reached(&started, 1));
	sleep_ms(20);
	if (atomic_load(&impossible))
		SKIP("this machine runs no 32-bit code");
	hook();
	CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
	CHECK(pthread_join(thread, &result) == 0 && result == &target);
	return pass();
}
