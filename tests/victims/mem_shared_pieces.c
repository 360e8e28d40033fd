/* SPDX-License-Identifier: MIT */
/* Shared anonymous memory in pieces: one object shown by several areas, protected and advised each in its own way; what
 * is in the object and in no page table; a process-shared lock with a waiter; and each clone has its own. */
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "victim.h"

#define PAGE  4096ul
#define PAGES 64ul

static atomic_int *word, waiting, woken;

static void *waiter(void *arg)
{
	atomic_store(&waiting, 1);
	while (!atomic_load(word))
		syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0); /* not private: by the object */
	atomic_store(&woken, 1);
	return arg;
}

static char *map(size_t pages, int prot, int flags)
{
	char *area = mmap(NULL, pages * PAGE, prot, MAP_SHARED | MAP_ANONYMOUS | flags, -1, 0);

	CHECK(area != MAP_FAILED);
	return area;
}

static void lines(char *const at[], int n, const char *which, char (*to)[600])
{
	for (int i = 0; i < n; i++)
		if (!area_line(at[i], which, to[i], 600))
			FAIL("no area at %p", (void *)at[i]);
}

/* "dev:inode" of an area */
static void object_of(const char *line, char *to)
{
	CHECK(sscanf(line, "%*s %*s %*s %63s", to) == 1);
	CHECK(sscanf(line, "%*s %*s %*s %*s %20s", to + strlen(to)) == 1);
}

int main(void)
{
	char *pieces = map(PAGES, PROT_READ | PROT_WRITE, 0), *again, *second, *empty, *locked, *named, *at[8];
	static char before[8][600], after[8][600], flags[8][600], one[128], other[128];
	uint64_t mine = nonce();
	pthread_t thread;
	int child_status;
	pid_t child;

	for (size_t i = 0; i < PAGES; i += 3)
		fill(pieces + i * PAGE, PAGE, 100 + i);
	/* the second half once more, elsewhere */
	again = mremap(pieces + PAGES / 2 * PAGE, 0, PAGES / 2 * PAGE, MREMAP_MAYMOVE);
	CHECK(again != MAP_FAILED);
	CHECK(mprotect(pieces + 3 * PAGE, PAGE, PROT_READ) == 0 && mprotect(pieces + 6 * PAGE, PAGE, PROT_NONE) == 0 &&
	      madvise(pieces + 9 * PAGE, PAGE, MADV_RANDOM) == 0 &&
	      madvise(pieces + 12 * PAGE, 3 * PAGE, MADV_DONTFORK) == 0);
	CHECK_EQ(madvise(pieces + 15 * PAGE, 10 * PAGE, MADV_DONTNEED), 0); /* it is still in the object */
	second = map(2, PROT_READ | PROT_WRITE, 0);
	empty = map(4096, PROT_READ | PROT_WRITE, MAP_NORESERVE);
	locked = map(4, PROT_READ | PROT_WRITE, 0);
	CHECK_EQ(mlock(locked, 4 * PAGE), 0);
	named = map(1, PROT_READ | PROT_WRITE, 0);
	prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, named, PAGE, "our own");
	word = (atomic_int *)(second + 100);
	strcpy(second + PAGE, "second");
	CHECK_EQ(pthread_create(&thread, NULL, waiter, NULL), 0);
	CHECK(reached(&waiting, 1));
	sleep_ms(5);
	memcpy(at,
	       (char *[]){pieces, pieces + 3 * PAGE, pieces + 9 * PAGE, pieces + 12 * PAGE, again, empty, locked,
	                  named},
	       sizeof at);
	lines(at, 8, "VmFlags:", flags);
	lines(at, 8, NULL, before);
	hook();

	lines(at, 8, "VmFlags:", after);
	for (int i = 0; i < 8; i++)
		CHECK_STR(after[i], flags[i]);
	lines(at, 8, NULL, after);
	for (int i = 0; i < 8; i++) /* but for the number of the object */
		CHECK(strncmp(after[i], before[i], strcspn(before[i], ":")) == 0);
	object_of(after[0], one);
	object_of(after[4], other);
	CHECK_STR(other, one);
	CHECK_EQ(mprotect(pieces + 6 * PAGE, PAGE, PROT_READ), 0);
	for (size_t i = 0; i < PAGES; i++)
		if (i % 3 ? !is_zero(pieces + i * PAGE, PAGE) : !filled(pieces + i * PAGE, PAGE, 100 + i))
			FAIL("page %zu", i);
	CHECK(memcmp(again, pieces + PAGES / 2 * PAGE, PAGES / 2 * PAGE) == 0);
	memcpy(again + 5, &mine, sizeof mine);
	CHECK(memcmp(pieces + PAGES / 2 * PAGE + 5, &mine, sizeof mine) == 0);
	CHECK(is_zero(empty, 4096 * PAGE / 8) && is_zero(locked, 4 * PAGE) && strcmp(second + PAGE, "second") == 0);
	child = fork();
	if (child == 0) {
		strcpy(second + PAGE, "by the child");
		_exit(0);
	}
	CHECK(child > 0 && waitpid(child, &child_status, 0) == child && child_status == 0);
	CHECK_STR(second + PAGE, "by the child");
	CHECK_EQ(atomic_load(&woken), 0);
	atomic_store(word, 1);
	CHECK_EQ(syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	sleep_ms(20); /* other clones are at it, too */
	CHECK(memcmp(again + 5, &mine, sizeof mine) == 0);
	return pass();
}
