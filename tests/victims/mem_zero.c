/* SPDX-License-Identifier: MIT */
/* Huge, almost empty areas: they stay almost empty, and what is empty reads as zero. */
#include <sys/mman.h>

#include "victim.h"

#define SIZE      (64ul << 30)
#define READ_SIZE (64ul << 20)
#define PAGE      4096ul

static long rss_kib(void)
{
	static char status[8192];

	slurp("/proc/self/status", status, sizeof status);
	return strtol(strstr(status, "VmRSS:") + 6, NULL, 10);
}

int main(void)
{
	char *area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	long before;
	unsigned sum = 0;

	CHECK(area != MAP_FAILED);
	CHECK_EQ(madvise(area, SIZE, MADV_NOHUGEPAGE), 0);
	for (size_t at = SIZE / 16; at < SIZE; at += SIZE / 16)
		fill(area + at, PAGE, at);
	for (size_t at = 0; at < READ_SIZE; at += PAGE)
		sum += (unsigned char)area[at]; /* the kernel's one zero page, many times */
	CHECK_EQ(sum, 0);
	before = rss_kib();
	hook();

	if (rss_kib() > before + (32 << 10))
		FAIL("resident memory went from %ld to %ld KiB", before, rss_kib());
	for (size_t at = SIZE / 16; at < SIZE; at += SIZE / 16) {
		CHECK(filled(area + at, PAGE, at));
		CHECK(is_zero(area + at - PAGE, PAGE) && is_zero(area + at + PAGE, PAGE));
	}
	for (size_t at = 0; at < READ_SIZE; at += PAGE)
		sum += (unsigned char)area[at + 7];
	CHECK_EQ(sum, 0);
	return pass();
}
