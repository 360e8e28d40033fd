/* SPDX-License-Identifier: MIT */
/*
 * The performance data of a HotSpot JVM, made as HotSpot makes it: a file of its own in /tmp/hsperfdata_USER, locked,
 * mapped shared, closed - once with its name and once deleted by "another JVM's start" before the hook. It is the
 * plugin jvm that brings it back: a clone has the bytes, and neither the original's file nor another clone's.
 */
#include <pwd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "victim.h"

#define SIZE 32768u

static char folder[200];

static void make_folder(void)
{
	const struct passwd *user = getpwuid(geteuid());
	struct stat st;

	CHECK(user);
	snprintf(folder, sizeof folder, "/tmp/hsperfdata_%s", user->pw_name);
	CHECK(mkdir(folder, 0755) == 0 || errno == EEXIST);
	CHECK(lstat(folder, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid());
	CHECK((st.st_mode & (S_IWGRP | S_IWOTH)) == 0);
}

static uint64_t *make_data(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	uint64_t *data;

	CHECK(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
	CHECK(ftruncate(fd, 0) == 0 && ftruncate(fd, SIZE) == 0);
	data = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(data != MAP_FAILED && close(fd) == 0);
	return data;
}

/* What the file of that name has now, where it is there. */
static int file_has(const char *path, size_t slot, uint64_t value)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t got = 0;
	int same = fd >= 0 && pread(fd, &got, sizeof got, (off_t)(slot * 8)) == sizeof got && got == value;

	if (fd >= 0)
		close(fd);
	return same;
}

static void own_only(uint64_t *data, const char *before, const char *path, int outcome)
{
	char after[600], area[40];
	uint64_t mine = nonce();
	size_t slot = SIZE / 8 - 1;

	CHECK(area_line(data, NULL, after, sizeof after));
	snprintf(area, sizeof area, "%.30s", before); /* addresses and rights; the file is another one */
	after[strlen(area)] = 0;
	CHECK_STR(after, area);
	CHECK(filled(data, SIZE - 8, 77) && data[slot] == 0);
	data[slot] = mine;
	sleep_ms(20); /* other clones write theirs meanwhile */
	CHECK(data[slot] == mine);
	CHECK(file_has(path, slot, mine) == (outcome != WARM_RESTORED && path[0]));
}

int main(void)
{
	char named[256], gone[256], before[2][600];
	uint64_t *data[2];
	int outcome;

	make_folder();
	snprintf(named, sizeof named, "%s/%d", folder, (int)getpid());
	snprintf(gone, sizeof gone, "%s/%d", folder, (int)getpid() + 100000000);
	data[0] = make_data(named);
	data[1] = make_data(gone);
	for (int i = 0; i < 2; i++)
		fill(data[i], SIZE - 8, 77);
	CHECK_EQ(unlink(gone), 0);
	for (int i = 0; i < 2; i++)
		CHECK(area_line(data[i], NULL, before[i], sizeof before[i]));
	outcome = hook();

	own_only(data[0], before[0], named, outcome);
	own_only(data[1], before[1], "", outcome);
	if (outcome != WARM_RESTORED)
		unlink(named);
	return pass();
}
