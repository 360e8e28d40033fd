/* SPDX-License-Identifier: MIT */
/* A private file mapping, some pages written: contents, the file's bytes below, and that a discard brings them back. */
#include <sys/mman.h>

#include "victim.h"

#define PAGE  4096u
#define PAGES 8u

/* The file is this program's own: one that it had just written would not be trusted ("changed while it started"). */
static char bytes[PAGES * PAGE], *area;

static int as_in_file(unsigned page)
{
	return memcmp(area + page * PAGE, bytes + page * PAGE, PAGE) == 0;
}

int main(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char before[600], after[600];

	CHECK(fd >= 0 && pread(fd, bytes, sizeof bytes, 2 * PAGE) == sizeof bytes);
	area = mmap(NULL, sizeof bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 2 * PAGE);
	CHECK(area != MAP_FAILED);
	for (unsigned i = 0; i < PAGES; i += 3)
		area[i * PAGE + 17] = (char)(bytes[i * PAGE + 17] + 1);
	CHECK(area_line(area, NULL, before, sizeof before));
	hook();

	CHECK(area_line(area, NULL, after, sizeof after));
	CHECK_STR(after, before); /* same address, protection, offset, device, inode and path */
	for (unsigned i = 0; i < PAGES; i++) {
		if (i % 3 == 0) {
			CHECK(area[i * PAGE + 17] == (char)(bytes[i * PAGE + 17] + 1));
			area[i * PAGE + 17] = bytes[i * PAGE + 17];
		}
		CHECK(as_in_file(i));
		area[i * PAGE] = (char)(area[i * PAGE] + 1);
	}
	CHECK_EQ(madvise(area, sizeof bytes, MADV_DONTNEED), 0);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(as_in_file(i)); /* the file again, and not what was written, and no zeroes */
	return pass();
}
