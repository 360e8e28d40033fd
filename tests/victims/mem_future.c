/* SPDX-License-Identifier: MIT */
/* What was said about memory that is not there yet: mlockall(MCL_FUTURE); areas locked as they are touched. */
#include <sys/mman.h>

#include "victim.h"

#define SIZE (64u << 10)

static int has_flag(const void *at, const char *flag)
{
	char line[600];

	CHECK(area_line(at, "VmFlags:", line, sizeof line));
	return strstr(line, flag) != NULL;
}

static long locked_kib(void)
{
	static char status[8192];

	slurp("/proc/self/status", status, sizeof status);
	return strtol(strstr(status, "VmLck:") + 6, NULL, 10);
}

static char *area_of(int prot)
{
	char *room = mmap(NULL, 3 * SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(room != MAP_FAILED);
	CHECK(mmap(room + SIZE, SIZE, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == room + SIZE);
	return room + SIZE;
}

int main(void)
{
	char *on_fault = area_of(PROT_READ | PROT_WRITE), *later;
	unsigned char present[SIZE / 4096];
	long before;

	CHECK_EQ(mlock2(on_fault, SIZE, MLOCK_ONFAULT), 0);
	fill(on_fault + 8192, 4096, 3);
	CHECK_EQ(mlockall(MCL_FUTURE), 0);
	heap_room();
	before = locked_kib();
	hook();

	CHECK(has_flag(on_fault, " lo"));
	CHECK(filled(on_fault + 8192, 4096, 3) && is_zero(on_fault, 4096));
	CHECK_EQ(locked_kib(), before);
	later = area_of(PROT_READ | PROT_WRITE);
	CHECK(has_flag(later, " lo"));
	CHECK_EQ(mincore(later, SIZE, present), 0);
	for (size_t i = 0; i < sizeof present; i++)
		CHECK(present[i] & 1);
	CHECK_EQ(munlockall(), 0);
	CHECK(!has_flag(later, " lo") && !has_flag(area_of(PROT_READ), " lo"));
	return pass();
}
