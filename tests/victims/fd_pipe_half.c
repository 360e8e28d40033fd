/* SPDX-License-Identifier: MIT */
/* Pipes of which one end was closed: the last bytes and then end of file, or a broken pipe. victim: may-refuse pipe */
#include "victim.h"

int main(void)
{
	int orphan[2], writer[2];
	char back[100];

	CHECK(pipe2(orphan, O_CLOEXEC) == 0 && pipe2(writer, O_CLOEXEC) == 0);
	CHECK_EQ(write(orphan[1], "last words", 10), 10);
	close(orphan[1]);
	close(writer[0]);
	signal(SIGPIPE, SIG_IGN);
	hook();
	CHECK(read(orphan[0], back, 100) == 10 && memcmp(back, "last words", 10) == 0);
	CHECK_EQ(read(orphan[0], back, 100), 0); /* end of file: no writer is left */
	CHECK(write(writer[1], "x", 1) == -1 && errno == EPIPE);
	return pass();
}
