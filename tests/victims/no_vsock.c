/* SPDX-License-Identifier: MIT */
/* A socket between virtual machines.
 * victim: refused "fd %d: vsock socket (address family %d)" */
#include <sys/socket.h>
#include <linux/vm_sockets.h>

#include "victim.h"

int main(void)
{
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		SKIP("a vsock socket: %s", strerror(errno));
	hook();
	return pass();
}
