/* SPDX-License-Identifier: MIT */
/* A connection that nobody has accepted yet.
 * victim: refused "fd %d: connections wait to be accepted" */
#include <sys/socket.h>
#include <sys/un.h>

#include "victim.h"

int main(void)
{
	struct sockaddr_un name = {AF_UNIX, "pending.sock"};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
	    client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	unlink(name.sun_path);
	CHECK(bind(listener, (struct sockaddr *)&name, sizeof name) == 0 && listen(listener, 2) == 0);
	CHECK_EQ(connect(client, (struct sockaddr *)&name, sizeof name), 0);
	hook();
	CHECK(accept4(listener, NULL, NULL, SOCK_CLOEXEC) >= 0);
	return pass();
}
