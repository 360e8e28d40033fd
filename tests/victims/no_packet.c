/* SPDX-License-Identifier: MIT */
/* A packet socket.
 * victim: refused "fd %d: packet socket (address family %d)" */
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <arpa/inet.h>
#include <sys/socket.h>

#include "victim.h"

int main(void)
{
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ARP));

	if (fd < 0)
		SKIP("a packet socket: %s", strerror(errno));
	hook();
	return pass();
}
