/* SPDX-License-Identifier: MIT */
/* A netlink socket.
 * victim: refused "fd %d: netlink socket (address family %d)" */
#include <linux/netlink.h>
#include <sys/socket.h>

#include "victim.h"

int main(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct sockaddr_nl name = {.nl_family = AF_NETLINK, .nl_groups = 1};

	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof name) == 0);
	hook();
	return pass();
}
