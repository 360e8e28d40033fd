/* SPDX-License-Identifier: MIT */
/* Private anonymous memory: patterns over sparse pages, pages never touched, read-only-touched zero pages, discard. */
#include <sys/mman.h>

#include "victim.h"

#define AREA (32u << 20)
#define PAGE 4096u

static int is_written(size_t page)
{
	return page % 7 == 3 || (page > 4000 && page < 4200);
}

int main(void)
{
	char *area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *moved;
	long sum = 0;

	CHECK(area != MAP_FAILED);
	for (size_t page = 0; page < AREA / PAGE; page++) {
		if (is_written(page))
			fill(area + page * PAGE, PAGE, (uint64_t)page << 20);
		else if (page % 11 == 0)
			sum += ((volatile char *)area)[page * PAGE];
	}
	CHECK_EQ(sum, 0);
	area[5 * PAGE + 4095] = 1; /* the last byte of an otherwise empty page */
	memset(area + 6 * PAGE, 1, PAGE);
	memset(area + 6 * PAGE, 0, PAGE); /* zero again, and not untouched */
	hook();

	for (size_t page = 0; page < AREA / PAGE; page++) {
		char *at = area + page * PAGE;

		if (is_written(page) && !filled(at, PAGE, (uint64_t)page << 20))
			FAIL("written page %zu differs", page);
		if (!is_written(page) && page != 5 && !is_zero(at, PAGE))
			FAIL("empty page %zu is not zero", page);
	}
	CHECK(is_zero(area + 5 * PAGE, 4095) && area[5 * PAGE + 4095] == 1);

	CHECK_EQ(madvise(area, 100 * PAGE, MADV_DONTNEED), 0);
	CHECK(is_zero(area, 100 * PAGE)); /* zeroes, and not the image's bytes */
	CHECK_EQ(madvise(area + 200 * PAGE, 100 * PAGE, MADV_FREE), 0);
	memset(area + 200 * PAGE, 0x5a, 100 * PAGE);
	CHECK(area[200 * PAGE] == 0x5a && area[299 * PAGE] == 0x5a);

	moved = mremap(area, AREA, AREA * 2, MREMAP_MAYMOVE);
	CHECK(moved != MAP_FAILED);
	CHECK(is_zero(moved + AREA, AREA));
	CHECK(filled(moved + 3006 * PAGE, PAGE, (uint64_t)3006 << 20)); /* one of the written pages */
	CHECK_EQ(munmap(moved, AREA * 2), 0);
	return pass();
}
