/* SPDX-License-Identifier: MIT */
/* A member of a multicast group.
 * victim: refused "fd %d: a member of multicast group 239.1.2.3" */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "victim.h"

int main(void)
{
	struct ip_mreqn group = {.imr_multiaddr.s_addr = inet_addr("239.1.2.3"),
	                         .imr_ifindex = (int)if_nametoindex("lo")};
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	CHECK_EQ(setsockopt(udp, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group), 0);
	hook();
	CHECK_EQ(setsockopt(udp, IPPROTO_IP, IP_DROP_MEMBERSHIP, &group, sizeof group), 0); /* it was still in it */
	return pass();
}
