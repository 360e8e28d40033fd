/* SPDX-License-Identifier: MIT */
/* Files that are open and have no name: deleted, replaced by another one, made without (O_TMPFILE, tmpfile(3)), with
 * holes; several descriptions of one; each clone has its own. */
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "victim.h"

static int make(const char *name, int flags, const char *text)
{
	int fd = open(name, flags | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	return fd;
}

static void expect(int fd, const char *text)
{
	char back[64] = "";

	CHECK_EQ(pread(fd, back, sizeof back - 1, 0), (int)strlen(text));
	CHECK_STR(back, text);
}

int main(void)
{
	char name[64], new_name[64];
	int deleted, again, written, replaced, unnamed, holes, empty, text_fd, other;
	struct stat before[4], after;
	static char zero[40000];
	uint64_t mine = nonce(), seen = 0;
	FILE *stream;

	/* names of this process's own: clones start beside each other, but the original is alone */
	snprintf(name, sizeof name, "deleted-%016llx", (unsigned long long)mine);
	snprintf(new_name, sizeof new_name, "other-%016llx", (unsigned long long)mine);
	deleted = make(name, O_RDWR, "0123456789");
	again = open(name, O_RDONLY | O_CLOEXEC);
	written = open(name, O_WRONLY | O_APPEND);
	CHECK(again >= 0 && written >= 0 && lseek(deleted, 4, SEEK_SET) == 4 && lseek(again, 7, SEEK_SET) == 7);
	CHECK(unlink(name) == 0 && fchmod(deleted, 0404) == 0);
	replaced = make(name, O_RDWR, "old");
	other = make(new_name, O_WRONLY, "new");
	CHECK_EQ(rename(new_name, name), 0);
	close(other);
	CHECK_EQ(unlink(name), 0);
	unnamed = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	CHECK(unnamed >= 0 && write(unnamed, "unnamed", 7) == 7);
	holes = make(name, O_RDWR, "");
	CHECK(pwrite(holes, "far", 3, 40000) == 3 && ftruncate(holes, 50000) == 0 && unlink(name) == 0);
	empty = make(name, O_RDWR, "");
	CHECK_EQ(unlink(name), 0);
	stream = tmpfile();
	CHECK(stream && fputs("buffered", stream) >= 0);
	text_fd = fileno(stream);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(fstat((int[]){deleted, replaced, unnamed, holes}[i], &before[i]), 0);
	hook();

	for (int i = 0; i < 4; i++) {
		CHECK_EQ(fstat((int[]){deleted, replaced, unnamed, holes}[i], &after), 0);
		CHECK(after.st_nlink == 0 && after.st_mode == before[i].st_mode && after.st_dev == before[i].st_dev);
		CHECK(after.st_size == before[i].st_size && after.st_mtim.tv_sec == before[i].st_mtim.tv_sec &&
		      after.st_mtim.tv_nsec == before[i].st_mtim.tv_nsec);
	}
	expect(deleted, "0123456789");
	expect(replaced, "old");
	expect(unnamed, "unnamed");
	CHECK_EQ(fcntl(unnamed, F_GETFL) & O_TMPFILE, O_TMPFILE);
	CHECK_EQ(fcntl(written, F_GETFL) & (O_ACCMODE | O_APPEND), O_WRONLY | O_APPEND);
	CHECK_EQ(fcntl(written, F_GETFD), 0);
	CHECK(lseek(deleted, 0, SEEK_CUR) == 4 && lseek(again, 0, SEEK_CUR) == 7 && lseek(unnamed, 0, SEEK_CUR) == 7);
	CHECK_EQ(write(written, "+", 1), 1);
	expect(again, "0123456789+"); /* one file */
	CHECK(pread(holes, zero, sizeof zero, 0) == sizeof zero && is_zero(zero, sizeof zero));
	CHECK(pread(holes, zero, 8, 40000) == 8 && memcmp(zero, "far\0\0\0\0", 8) == 0);
	CHECK(read(empty, zero, 1) == 0 && pwrite(empty, &mine, 8, 0) == 8);
	sleep_ms(20);
	CHECK(pread(empty, &seen, 8, 0) == 8 && seen == mine); /* no other clone's */
	CHECK(fflush(stream) == 0 && lseek(text_fd, 0, SEEK_CUR) == 8);
	expect(text_fd, "buffered");
	return pass();
}
