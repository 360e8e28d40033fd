/* SPDX-License-Identifier: MIT */
/* A byte out of band in a unix socket.
 * victim: refused "fd %d: an urgent byte (MSG_OOB) waits in the socket" */
#include <sys/socket.h>

#include "victim.h"

int main(void)
{
	int pair[2];
	char byte = 0;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	CHECK_EQ(send(pair[0], "first", 5, 0), 5);
	if (send(pair[0], "!", 1, MSG_OOB) != 1)
		SKIP("MSG_OOB: %s", strerror(errno));
	hook();
	CHECK(recv(pair[1], &byte, 1, MSG_OOB) == 1 && byte == '!');
	return pass();
}
