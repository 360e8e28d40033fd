/* SPDX-License-Identifier: MIT */
/* A raw inet socket.
 * victim: refused "fd %d: raw inet socket" */
#include <netinet/in.h>
#include <sys/socket.h>

#include "victim.h"

int main(void)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

	if (fd < 0)
		SKIP("a raw socket: %s", strerror(errno));
	hook();
	return pass();
}
