/* SPDX-License-Identifier: MIT */
/* An address space in pieces: thousands of areas, holes, a stack of its own that grows, moved memory, an odd break. */
#include <malloc.h>
#include <sys/mman.h>

#include "victim.h"

#define PAGE  4096ul
#define AREAS 2500

int main(void)
{
	char *many = mmap(NULL, AREAS * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
	                  0);
	char *down = mmap(NULL, 512 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *holes = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *moved = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *room = mmap(NULL, 64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *stack, *end;
	static char before[600], after[600];

	CHECK(many != MAP_FAILED && down != MAP_FAILED && holes != MAP_FAILED && moved != MAP_FAILED);
	for (size_t i = 0; i < AREAS; i += 97)
		fill(many + i * PAGE, PAGE, i);
	for (size_t i = 0; i < AREAS; i += 2)
		CHECK_EQ(mprotect(many + i * PAGE, PAGE, i % 4 ? PROT_READ : PROT_NONE), 0);
	CHECK_EQ(munmap(down, 512 * PAGE), 0);
	stack = mmap(down + 500 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE,
	             MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1, 0);
	CHECK(stack == down + 500 * PAGE);
	fill(stack, 4 * PAGE, 77);
	fill(holes, 64 * PAGE, 1);
	for (size_t i = 1; i < 64; i += 2)
		CHECK_EQ(munmap(holes + i * PAGE, PAGE), 0);
	fill(moved, 16 * PAGE, 500);
	CHECK(mremap(moved, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room + 8 * PAGE) == room + 8 * PAGE);
	CHECK(mremap(moved + 8 * PAGE, 8 * PAGE, 20 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room + 32 * PAGE) ==
	      room + 32 * PAGE);
	mallopt(M_TOP_PAD, 1 << 20);
	heap_room();
	CHECK(sbrk(12345) != (void *)-1);
	end = sbrk(0);
	CHECK(area_line(stack, NULL, before, sizeof before));
	hook();

	CHECK(sbrk(0) == end && sbrk(100) == end);
	CHECK(area_line(stack, NULL, after, sizeof after));
	CHECK_STR(after, before);
	CHECK(filled(stack, 4 * PAGE, 77));
	*(volatile char *)(stack - 100) = 1; /* a page below: it still grows */
	*(volatile char *)(stack - PAGE - 100) = 1;
	CHECK(area_line(stack - PAGE - 100, NULL, after, sizeof after));
	for (size_t i = 0; i < 64; i += 2)
		CHECK(filled(holes + i * PAGE, PAGE, 1 + i * PAGE / 8));
	for (size_t i = 1; i < 64; i += 2) /* still holes */
		CHECK(mmap(holes + i * PAGE, PAGE, PROT_READ | PROT_WRITE,
		           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == holes + i * PAGE);
	CHECK(filled(room + 8 * PAGE, 8 * PAGE, 500) && filled(room + 32 * PAGE, 8 * PAGE, 500 + PAGE));
	CHECK(is_zero(room + 40 * PAGE, 12 * PAGE));
	for (size_t i = 0; i < AREAS; i++) {
		if (i % 97 == 0 && i % 4 != 0)
			CHECK(filled(many + i * PAGE, PAGE, i));
	}
	CHECK_EQ(mprotect(many, AREAS * PAGE, PROT_READ | PROT_WRITE), 0);
	for (size_t i = 0; i < AREAS; i++)
		CHECK(i % 97 == 0 ? filled(many + i * PAGE, PAGE, i) : is_zero(many + i * PAGE, PAGE));
	return pass();
}
