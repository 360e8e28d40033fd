/* SPDX-License-Identifier: MIT */
/* Guard pages: our own, those of thread stacks, and read-only memory fault as before, at the same address. */
#include <setjmp.h>
#include <sys/mman.h>

#include "victim.h"

#define PAGE 4096

static sigjmp_buf back;
static void *volatile fault_at;
static int volatile fault_code;
static char *thread_guard;
static pthread_barrier_t barrier;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	fault_at = info->si_addr;
	fault_code = info->si_code;
	siglongjmp(back, 1);
}

static int faults(char *at, int code)
{
	fault_at = NULL;
	if (sigsetjmp(back, 1) == 0) {
		*(volatile char *)at = 1;
		return 0;
	}
	return fault_at == at && fault_code == code;
}

static void *thread_main(void *arg)
{
	pthread_attr_t attr;
	size_t size, guard;
	void *low;

	(void)arg;
	CHECK_EQ(pthread_getattr_np(pthread_self(), &attr), 0);
	pthread_attr_getstack(&attr, &low, &size);
	pthread_attr_getguardsize(&attr, &guard);
	CHECK(guard >= PAGE);
	thread_guard = (char *)low - 16;
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void look(char *area)
{
	CHECK(faults(area, SEGV_ACCERR));
	CHECK(faults(area + PAGE - 1, SEGV_ACCERR));
	CHECK(!faults(area + PAGE, 0));
	CHECK(faults(area + 2 * PAGE, SEGV_ACCERR));
	CHECK(faults(area + 3 * PAGE + 100, SEGV_ACCERR)); /* readable */
	CHECK(area[3 * PAGE + 100] == 0);
	CHECK(faults(area + 5 * PAGE, SEGV_MAPERR)); /* a hole */
	CHECK(faults(thread_guard, SEGV_ACCERR));
	CHECK(faults(NULL, SEGV_MAPERR));
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	char *area = mmap(NULL, 7 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t thread;

	CHECK(area != MAP_FAILED && mprotect(area + PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECK(mprotect(area + 3 * PAGE, PAGE, PROT_READ) == 0 && munmap(area + 5 * PAGE, PAGE) == 0);
	CHECK_EQ(sigaction(SIGSEGV, &action, NULL), 0);
	pthread_barrier_init(&barrier, NULL, 2);
	CHECK_EQ(pthread_create(&thread, NULL, thread_main, NULL), 0);
	pthread_barrier_wait(&barrier);
	look(area);
	hook();
	look(area);
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	return pass();
}
