/* SPDX-License-Identifier: MIT */
/* Pipes whose other end is closed: what is in them can be read, then comes the end; who writes is told. */
#include <poll.h>
#include <sys/ioctl.h>

#include "victim.h"

int main(void)
{
	int full[2], empty[2], nobody_reads[2], twice[2], copy, waiting;
	struct pollfd look = {.events = POLLIN | POLLOUT};
	char back[64] = "";

	CHECK(pipe2(full, O_CLOEXEC) == 0 && pipe2(empty, O_NONBLOCK) == 0 && pipe2(nobody_reads, O_CLOEXEC) == 0 &&
	      pipe2(twice, O_CLOEXEC) == 0);
	CHECK_EQ(write(full[1], "what is left", 12), 12);
	CHECK(fcntl(full[0], F_SETPIPE_SZ, 131072) == 131072 && write(twice[1], "x", 1) == 1);
	copy = dup(full[0]);
	close(full[1]);
	close(empty[1]);
	close(nobody_reads[0]);
	close(twice[1]);
	signal(SIGPIPE, SIG_IGN);
	hook();

	CHECK_EQ(fcntl(full[0], F_GETPIPE_SZ), 131072);
	CHECK(ioctl(copy, FIONREAD, &waiting) == 0 && waiting == 12);
	CHECK(read(copy, back, 5) == 5 && read(full[0], back + 5, 50) == 7);
	CHECK_STR(back, "what is left");
	CHECK_EQ(read(full[0], back, 1), 0);
	CHECK_EQ(read(empty[0], back, 1), 0);
	look.fd = empty[0];
	CHECK(poll(&look, 1, 0) == 1 && look.revents == POLLHUP);
	look.fd = nobody_reads[1];
	CHECK(poll(&look, 1, 0) == 1 && look.revents == (POLLOUT | POLLERR));
	CHECK(write(nobody_reads[1], "x", 1) == -1 && errno == EPIPE);
	CHECK_EQ(fcntl(empty[0], F_GETFL) & ~0100000, O_RDONLY | O_NONBLOCK);
	CHECK_EQ(fcntl(nobody_reads[1], F_GETFL) & ~0100000, O_WRONLY);
	CHECK(read(twice[0], back, 2) == 1 && read(twice[0], back, 2) == 0);
	return pass();
}
