/* SPDX-License-Identifier: MIT */
/* The stack: deep frames, alloca below, the hook at the bottom; it can be unwound and still grows by itself. */
#include <alloca.h>

#include "victim.h"

static char *lowest;

__attribute__((noinline)) static uint64_t deep(int level)
{
	volatile uint64_t frame[16];
	uint64_t sum = 0;

	for (int i = 0; i < 16; i++)
		frame[i] = mix((uint64_t)level * 100 + i);
	if (level == 0) {
		char *room = alloca(100000);

		fill(room, 100000, 9);
		lowest = room;
		hook();
		CHECK(filled(room, 100000, 9));
	} else {
		sum = deep(level - 1);
	}
	for (int i = 0; i < 16; i++)
		if (frame[i] != mix((uint64_t)level * 100 + i))
			FAIL("frame %d, word %d", level, i);
	return sum + frame[3];
}

__attribute__((noinline)) static int grow(int levels)
{
	volatile char frame[4000];

	memset((char *)frame, levels, sizeof frame);
	if (levels && grow(levels - 1) < 0)
		return -1;
	return frame[1] == (char)levels ? 0 : -1;
}

int main(void)
{
	uint64_t want = 0;
	char line[600];

	for (int level = 0; level <= 3000; level++)
		want += mix((uint64_t)level * 100 + 3);
	CHECK(deep(3000) == want);
	CHECK_EQ(grow(1500), 0); /* 6 MiB: far below what was there before */
	CHECK(area_line(lowest, NULL, line, sizeof line) && strstr(line, "[stack]"));
	CHECK(area_line(lowest, "VmFlags:", line, sizeof line) && strstr(line, " gd"));
	return pass();
}
