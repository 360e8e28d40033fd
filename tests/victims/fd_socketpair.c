/* SPDX-License-Identifier: MIT */
/* Unix socket pairs: stream, datagram, seqpacket; the bytes and message borders on the way, options, half-closed ones.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include "victim.h"

static int option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof value;

	CHECK_EQ(getsockopt(fd, SOL_SOCKET, name, &value, &len), 0);
	return value;
}

static void expect(int fd, const char *text)
{
	char back[256] = "";

	CHECK_EQ(recv(fd, back, sizeof back - 1, MSG_DONTWAIT), (int)strlen(text));
	CHECK_STR(back, text);
}

int main(void)
{
	int stream[2], dgram[2], seq[2], half[2], orphan[2], one = 1, size = 80000, rcvbuf, sndbuf;
	static char data[60000], back[60000];
	size_t got = 0;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream), 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, dgram), 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, seq), 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, half), 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, orphan), 0);
	CHECK_EQ(setsockopt(stream[0], SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
	CHECK_EQ(setsockopt(seq[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one), 0);
	rcvbuf = option(stream[0], SO_RCVBUF);
	sndbuf = option(stream[1], SO_SNDBUF);
	fill(data, sizeof data, 12);
	CHECK_EQ(send(stream[0], data, sizeof data, 0), sizeof data);
	CHECK_EQ(send(stream[1], "backwards", 9, 0), 9);
	CHECK(send(dgram[0], "one", 3, 0) == 3 && send(dgram[0], "two two", 7, 0) == 7 &&
	      send(dgram[0], "3", 1, 0) == 1);
	CHECK(send(seq[0], "message", 7, 0) == 7 && send(seq[0], "another", 7, 0) == 7);
	CHECK(send(half[0], "the end", 7, 0) == 7 && shutdown(half[0], SHUT_WR) == 0);
	CHECK_EQ(send(orphan[0], "alone", 5, 0), 5);
	close(orphan[0]);
	signal(SIGPIPE, SIG_IGN);
	hook();

	CHECK_EQ(option(stream[0], SO_RCVBUF), rcvbuf);
	CHECK_EQ(option(stream[1], SO_SNDBUF), sndbuf);
	CHECK_EQ(option(seq[1], SO_PASSCRED), 1);
	CHECK_EQ(option(seq[0], SO_PASSCRED), 0);
	CHECK_EQ(option(dgram[0], SO_TYPE), SOCK_DGRAM);
	CHECK_EQ(option(seq[0], SO_TYPE), SOCK_SEQPACKET);
	CHECK_EQ(fcntl(dgram[1], F_GETFL), O_RDWR | O_NONBLOCK);
	CHECK_EQ(fcntl(dgram[1], F_GETFD), 0);
	CHECK_EQ(fcntl(stream[1], F_GETFD), FD_CLOEXEC);
	while (got < sizeof data) {
		ssize_t len = recv(stream[1], back + got, sizeof back - got, MSG_DONTWAIT);

		CHECK(len > 0);
		got += (size_t)len;
	}
	CHECK(memcmp(data, back, sizeof data) == 0);
	expect(stream[0], "backwards");
	CHECK(recv(stream[1], back, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
	expect(dgram[1], "one");
	expect(dgram[1], "two two");
	expect(dgram[1], "3");
	CHECK(recv(dgram[1], back, 1, 0) == -1 && errno == EAGAIN);
	expect(seq[1], "message");
	expect(seq[1], "another");
	expect(half[1], "the end");
	CHECK_EQ(recv(half[1], back, 1, 0), 0);
	CHECK(send(half[0], "x", 1, 0) == -1 && errno == EPIPE);
	CHECK_EQ(send(half[1], "other way", 9, 0), 9);
	expect(half[0], "other way");
	expect(orphan[1], "alone");
	CHECK_EQ(recv(orphan[1], back, 1, 0), 0);
	CHECK(send(orphan[1], "x", 1, 0) == -1 && errno == EPIPE);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(send(seq[i], "still", 5, 0), 5);
		expect(seq[!i], "still");
	}
	close(stream[0]);
	CHECK_EQ(recv(stream[1], back, 1, 0), 0); /* nobody else holds it */
	return pass();
}
