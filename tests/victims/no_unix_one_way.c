/* SPDX-License-Identifier: MIT */
/* A datagram socket that is connected to one which is not connected to it.
 * victim: refused "fd %d: a connected unix socket with a name" */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "victim.h"

int main(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int bound = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0),
	    client = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof name;
	char byte;

	CHECK_EQ(bind(bound, (struct sockaddr *)&name, offsetof(struct sockaddr_un, sun_path)),
	         0); /* the kernel names it */
	CHECK(getsockname(bound, (struct sockaddr *)&name, &len) == 0 &&
	      connect(client, (struct sockaddr *)&name, len) == 0);
	hook();
	CHECK(send(client, "x", 1, 0) == 1 && recv(bound, &byte, 1, 0) == 1);
	return pass();
}
