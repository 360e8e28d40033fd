/* SPDX-License-Identifier: MIT */
/* A socket whose file was deleted.
 * victim: refused "fd %d: a unix socket whose file %s is not there any more" */
#include <sys/socket.h>
#include <sys/un.h>

#include "victim.h"

int main(void)
{
	struct sockaddr_un name = {AF_UNIX, "deleted.sock"};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 0;
	socklen_t len = sizeof on;

	unlink(name.sun_path);
	CHECK(bind(listener, (struct sockaddr *)&name, sizeof name) == 0 && listen(listener, 2) == 0);
	CHECK_EQ(unlink(name.sun_path), 0);
	hook();
	CHECK(getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on);
	return pass();
}
