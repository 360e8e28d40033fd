/* SPDX-License-Identifier: MIT */
/* A member of a multicast group of IPv6.
 * victim: refused "fd %d: a member of multicast group [ff02::1:2:3]" */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "victim.h"

int main(void)
{
	struct ipv6_mreq group = {.ipv6mr_interface = if_nametoindex("lo")};
	int udp = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (udp < 0)
		SKIP("no IPv6");
	CHECK_EQ(inet_pton(AF_INET6, "ff02::1:2:3", &group.ipv6mr_multiaddr), 1);
	CHECK_EQ(setsockopt(udp, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &group, sizeof group), 0);
	hook();
	CHECK_EQ(setsockopt(udp, IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, &group, sizeof group), 0);
	return pass();
}
