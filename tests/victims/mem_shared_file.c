/* SPDX-License-Identifier: MIT */
/* A shared file mapping: what is written before and after the hook is in the file, what others write is seen.
 * What a clone writes spoils the snapshot, so the original does not write. victim: once */
#include <sys/mman.h>
#include <sys/stat.h>

#include "victim.h"

#define PAGE  4096u
#define SLOTS (1u << 16)

int main(void)
{
	int fd = open("shared.dat", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char before[600], after[600];
	uint64_t *area, *read_only, mine, seen = 0;
	size_t slot;
	int outcome;

	CHECK(fd >= 0 && ftruncate(fd, PAGE + SLOTS * 8) == 0);
	area = mmap(NULL, PAGE + SLOTS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	read_only = mmap(NULL, PAGE + SLOTS * 8, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(area != MAP_FAILED && read_only != MAP_FAILED);
	close(fd);
	fill(area, PAGE, 5);
	CHECK(area_line(area, NULL, before, sizeof before));
	outcome = hook();

	CHECK(area_line(area, NULL, after, sizeof after));
	CHECK_STR(after, before);
	CHECK(filled(area, PAGE, 5) && filled(read_only, PAGE, 5));
	if (outcome == WARM_RESUMED)
		return pass();
	mine = nonce(); /* the file is everybody's: each clone writes into a place of its own */
	slot = PAGE / 8 + mine % SLOTS;
	area[slot] = mine;
	CHECK(read_only[slot] == mine);
	fd = open("shared.dat", O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0 && pread(fd, &seen, 8, slot * 8) == 8);
	CHECK(seen == mine);
	mine++;
	CHECK(pwrite(fd, &mine, 8, slot * 8) == 8 && area[slot] == mine);
	CHECK_EQ(msync(area, PAGE, MS_SYNC), 0);
	return pass();
}
