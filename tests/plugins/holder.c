/* SPDX-License-Identifier: MIT */
/*
 * Holds what the plugins of these tests are about: a memory file at two numbers, and a device. After the hook it prints
 * its outcome and what has become of them: the file's bytes, its position, whether both numbers still share it, whether
 * another clone writes into it, the device.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sdk/c/warm.h"

#define SIZE     20000
#define POSITION 1234
#define SECOND   77

static unsigned sum(int fd)
{
	static unsigned char bytes[SIZE];
	unsigned total = 0;

	if (pread(fd, bytes, SIZE, 0) != SIZE)
		return 0;
	for (int i = 0; i < SIZE; i++)
		total = total * 31 + bytes[i];
	return total;
}

static const char *own(int fd)
{
	unsigned mine = 0, got = 0;

	if (syscall(SYS_getrandom, &mine, sizeof(mine), 0) != sizeof(mine) || pwrite(fd, &mine, sizeof(mine), SIZE) < 0)
		return "broken";
	usleep(20000);
	return pread(fd, &got, sizeof(got), SIZE) == sizeof(got) && got == mine ? "own" : "shared";
}

int main(void)
{
	static const char *const outcomes[] = {
	        [WARM_RESUMED] = "resumed", [WARM_RESTORED] = "restored", [WARM_COLD] = "cold"};
	static unsigned char bytes[SIZE];
	int fd = memfd_create("kept", 0), device = open("/dev/full", O_RDWR | O_CLOEXEC), outcome;
	unsigned before;
	long at, after;

	for (int i = 0; i < SIZE; i++)
		bytes[i] = (unsigned char)(i * 7 + i / 256);
	if (fd < 0 || device < 0 || write(fd, bytes, SIZE) != SIZE || dup2(fd, SECOND) != SECOND)
		return 2;
	lseek(fd, POSITION, SEEK_SET);
	before = sum(fd);
	outcome = warm_ready(0);
	if (outcome < 0)
		return 3;

	at = lseek(SECOND, 0, SEEK_CUR);
	lseek(fd, 5, SEEK_CUR);
	after = lseek(SECOND, 0, SEEK_CUR);
	printf("%s: %s bytes, at %ld, then %ld, %s, device %s\n", outcomes[outcome],
	       sum(fd) == before ? "same" : "other", at, after, own(SECOND),
	       write(device, "x", 1) < 0 ? "full" : "not full");
	return 0;
}
