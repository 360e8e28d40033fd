/* SPDX-License-Identifier: MIT */
/* One of a pair of datagram sockets, which the other one has left (AF_UNSPEC).
 * victim: refused "fd %d: unix socket connected to one that is not connected to it" */
#include <sys/socket.h>

#include "victim.h"

int main(void)
{
	struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	socklen_t len = sizeof(int);
	int pair[2], reset = 0;
	char byte;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
	CHECK_EQ(connect(pair[0], &nobody, sizeof nobody), 0);
	CHECK(getsockopt(pair[1], SOL_SOCKET, SO_ERROR, &reset, &len) == 0);
	hook();
	CHECK(send(pair[1], "x", 1, 0) == 1 && recv(pair[0], &byte, 1, 0) == 1 && byte == 'x');
	CHECK(send(pair[0], "x", 1, 0) == -1 && errno == ENOTCONN);
	return pass();
}
