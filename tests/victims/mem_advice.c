/* SPDX-License-Identifier: MIT */
/* Advice and flags of areas: VmFlags are as before; memory to be wiped on fork is wiped in a clone, and only there. */
#include <sys/mman.h>

#include "victim.h"

#define SIZE (4u << 20)

#ifndef MADV_COLD
#define MADV_COLD 20
#endif

static const struct {
	const char *name;
	int advice; /* 0: none */
	int flags;
	int lock;
} kind[] = {
        {"plain", 0, 0, 0},
        {"dontfork", MADV_DONTFORK, 0, 0},
        {"wipeonfork", MADV_WIPEONFORK, 0, 0},
        {"dontdump", MADV_DONTDUMP, 0, 0},
        {"hugepage", MADV_HUGEPAGE, 0, 0},
        {"nohugepage", MADV_NOHUGEPAGE, 0, 0},
        {"sequential", MADV_SEQUENTIAL, 0, 0},
        {"random", MADV_RANDOM, 0, 0},
        {"noreserve", 0, MAP_NORESERVE, 0},
        {"stack", 0, MAP_STACK, 0},
        {"locked", 0, 0, 1},
};
#define N ((int)(sizeof kind / sizeof kind[0]))

/* Whether userfaultfd or soft-dirty watches an area is the kernel's business, not the program's. */
static void vm_flags(void *at, char *to, size_t room)
{
	static const char *const unseen[] = {" sd", " um", " uw", " ui"};

	CHECK(area_line(at, "VmFlags:", to, room));
	for (unsigned i = 0; i < sizeof unseen / sizeof unseen[0]; i++) {
		char *found = strstr(to, unseen[i]);

		if (found)
			memmove(found, found + 3, strlen(found + 3) + 1);
	}
}

int main(void)
{
	static char before[N][600], after[600];
	char *area[N];
	int outcome;

	for (int i = 0; i < N; i++) {
		char *room = mmap(NULL, SIZE * 3, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		CHECK(room != MAP_FAILED);
		area[i] = room + SIZE; /* nothing beside it that it could be merged with */
		CHECK(mmap(area[i], SIZE, PROT_READ | PROT_WRITE,
		           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | kind[i].flags, -1, 0) == area[i]);
		if (kind[i].advice && madvise(area[i], SIZE, kind[i].advice) != 0)
			FAIL("madvise %s: %s", kind[i].name, strerror(errno));
		fill(area[i] + 8192, 65536, i);
		if (kind[i].lock && mlock(area[i], SIZE) != 0)
			FAIL("mlock: %s", strerror(errno));
	}
	for (int i = 0; i < N; i++)
		vm_flags(area[i], before[i], sizeof before[i]);
	outcome = hook();

	for (int i = 0; i < N; i++) {
		int wiped = outcome == WARM_RESTORED && kind[i].advice == MADV_WIPEONFORK;

		vm_flags(area[i], after, sizeof after);
		if (strcmp(after, before[i]) != 0)
			FAIL("area %s has \"%s\", had \"%s\"", kind[i].name, after, before[i]);
		if (wiped ? !is_zero(area[i], SIZE) : !filled(area[i] + 8192, 65536, i))
			FAIL("contents of area %s", kind[i].name);
	}
	return pass();
}
