/* SPDX-License-Identifier: MIT */
/* A FIFO in the file system, with bytes in it. victim: alone */
#include <sys/stat.h>

#include "victim.h"

int main(void)
{
	char back[64] = "";
	int both, reader, writer, meeting;
	struct stat a, b;

	unlink("fifo");
	CHECK_EQ(mkfifo("fifo", 0600), 0);
	both = open("fifo", O_RDWR | O_CLOEXEC);
	reader = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	writer = open("fifo", O_WRONLY | O_CLOEXEC);
	CHECK(both >= 0 && reader >= 0 && writer >= 0);
	CHECK_EQ(write(writer, "through the hook", 16), 16);
	unlink("meeting");
	CHECK_EQ(mkfifo("meeting", 0600), 0);
	meeting = open("meeting", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	CHECK_EQ(fstat(meeting, &a), 0);
	hook();

	CHECK(fstat(both, &b) == 0 && S_ISFIFO(b.st_mode));     /* with bytes in it: a pipe of the clone's own */
	CHECK(fstat(meeting, &b) == 0 && a.st_ino == b.st_ino); /* empty: the file */
	CHECK_EQ(fcntl(meeting, F_GETFL) & ~0100000, O_RDWR | O_NONBLOCK);
	CHECK_EQ(fcntl(both, F_GETFL) & ~0100000, O_RDWR);
	CHECK_EQ(fcntl(reader, F_GETFL) & ~0100000, O_RDONLY | O_NONBLOCK);
	CHECK_EQ(fcntl(writer, F_GETFL) & ~0100000, O_WRONLY);
	CHECK_EQ(read(reader, back, sizeof back), 16);
	CHECK(memcmp(back, "through the hook", 16) == 0);
	CHECK(read(reader, back, 1) == -1 && errno == EAGAIN);
	CHECK(write(both, "more", 4) == 4 && read(reader, back, 9) == 4);
	return pass();
}
