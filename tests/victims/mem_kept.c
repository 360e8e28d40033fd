/* SPDX-License-Identifier: MIT */
/*
 * Memory is read while the program runs on again (snapshot/keep.h), and that overwrites all of it at once: a copy has
 * it as it was. Of the fork that kept it the program sees nothing.
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/victims/victim.h"

#define LEN  (4u << 20)
#define PAGE 4096u

enum { PLAIN, UNFORKED, SHARED, LOCKED, OF_A_FILE, HIDDEN, WIPED, N_AREAS };

static char *area[N_AREAS];
static volatile sig_atomic_t children;

static void on_child(int sig)
{
	(void)sig;
	children++;
}

static void fill_all(uint64_t seed)
{
	CHECK_EQ(mprotect(area[HIDDEN], LEN, PROT_READ | PROT_WRITE), 0);
	for (uint64_t i = 0; i < N_AREAS; i++)
		fill(area[i], LEN, seed + i);
}

static void make_areas(void)
{
	char path[] = "mem_kept.XXXXXX";
	int fd = mkstemp(path);

	CHECK(fd >= 0 && ftruncate(fd, LEN) == 0);
	for (int i = 0; i < N_AREAS; i++) {
		int flags = i == SHARED      ? MAP_SHARED | MAP_ANONYMOUS
		            : i == OF_A_FILE ? MAP_PRIVATE
		                             : MAP_PRIVATE | MAP_ANONYMOUS;

		area[i] = mmap(NULL, LEN, PROT_READ | PROT_WRITE, flags, i == OF_A_FILE ? fd : -1, 0);
		CHECK(area[i] != MAP_FAILED);
	}
	CHECK_EQ(close(fd), 0);
	CHECK_EQ(madvise(area[UNFORKED], LEN, MADV_DONTFORK), 0);
	CHECK_EQ(madvise(area[WIPED], LEN, MADV_WIPEONFORK), 0);
	CHECK(mlock(area[LOCKED], PAGE) == 0 || errno == EPERM || errno == ENOMEM);
	fill_all(1);
	CHECK_EQ(mprotect(area[HIDDEN], LEN, PROT_NONE), 0);
}

static void no_child_was_here(const int *end)
{
	struct sigaction now;
	struct rusage usage;
	char c;

	CHECK_EQ(children, 0);
	CHECK(sigaction(SIGCHLD, NULL, &now) == 0 && now.sa_handler == on_child && now.sa_flags & SA_NOCLDSTOP &&
	      sigismember(&now.sa_mask, SIGUSR1) == 1);
	CHECK(waitpid(-1, NULL, __WALL | WNOHANG) == -1 && errno == ECHILD);
	CHECK_EQ(getrusage(RUSAGE_CHILDREN, &usage), 0);
	CHECK_EQ(usage.ru_maxrss, 0);
	CHECK_EQ(usage.ru_minflt, 0);
	CHECK_EQ(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec, 0);
	/* Nobody else has its descriptors. */
	CHECK_EQ(close(end[1]), 0);
	CHECK_EQ(read(end[0], &c, 1), 0);
}

int main(void)
{
	struct sigaction hears = {.sa_handler = on_child, .sa_flags = SA_NOCLDSTOP};
	int end[2], outcome;

	sigaddset(&hears.sa_mask, SIGUSR1);
	CHECK_EQ(sigaction(SIGCHLD, &hears, NULL), 0);
	CHECK_EQ(pipe2(end, O_CLOEXEC), 0);
	make_areas();
	outcome = hook();
	if (outcome == WARM_RESUMED)
		fill_all(1000);
	no_child_was_here(end);
	CHECK_EQ(mprotect(area[HIDDEN], LEN, PROT_READ | PROT_WRITE), 0);
	for (int i = 0; i < N_AREAS; i++) {
		uint64_t seed = (outcome == WARM_RESUMED ? 1000u : 1u) + (uint64_t)i;

		if (i == WIPED && outcome == WARM_RESTORED)
			CHECK(is_zero(area[i], LEN));
		else if (!filled(area[i], LEN, seed))
			FAIL("area %d is not what it was", i);
	}
	return pass();
}
