/* SPDX-License-Identifier: MIT */
/* Pipes: the bytes in them, sizes, flags of each end, duplicates. */
#include <linux/kcmp.h>
#include <sys/ioctl.h>

#include "victim.h"

#define BYTES 150000

int main(void)
{
	static char data[BYTES], back[BYTES + 1];
	int big[2], empty[2], copy, left, got = 0;

	CHECK(pipe2(big, O_CLOEXEC) == 0 && pipe2(empty, O_NONBLOCK) == 0);
	CHECK_EQ(fcntl(big[1], F_SETPIPE_SZ, 256 * 1024), 256 * 1024);
	fill(data, sizeof data, 3);
	CHECK_EQ(write(big[1], data, sizeof data), sizeof data);
	CHECK_EQ(read(big[0], back, 5000), 5000); /* not at the start of a page */
	CHECK_EQ(fcntl(big[0], F_SETFL, O_NONBLOCK), 0);
	copy = dup(big[0]);
	hook();

	CHECK_EQ(fcntl(big[0], F_GETPIPE_SZ), 256 * 1024);
	CHECK_EQ(fcntl(big[0], F_GETFL) & ~0100000, O_RDONLY | O_NONBLOCK);
	CHECK_EQ(fcntl(big[1], F_GETFL) & ~0100000, O_WRONLY);
	CHECK_EQ(fcntl(big[0], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(copy, F_GETFD), 0);
	CHECK_EQ(fcntl(empty[1], F_GETFL) & ~0100000, O_WRONLY | O_NONBLOCK);
	CHECK_EQ(syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, big[0], copy), 0);
	CHECK(ioctl(copy, FIONREAD, &left) == 0 && left == BYTES - 5000);
	while (got < BYTES - 5000) {
		ssize_t len = read(got % 2 ? copy : big[0], back + got, 1001);

		CHECK(len > 0);
		got += (int)len;
	}
	CHECK(memcmp(back, data + 5000, BYTES - 5000) == 0);
	CHECK(read(copy, back, 1) == -1 && errno == EAGAIN);
	CHECK(write(big[1], "x", 1) == 1 && read(copy, back, 10) == 1 && back[0] == 'x');
	CHECK(read(empty[0], back, 1) == -1 && errno == EAGAIN);
	CHECK(write(empty[1], "yz", 2) == 2 && read(empty[0], back, 10) == 2);
	close(big[1]);
	CHECK_EQ(read(big[0], back, 1), 0); /* nobody else holds a write end: no clone, no supervisor */
	return pass();
}
