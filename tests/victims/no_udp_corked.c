/* SPDX-License-Identifier: MIT */
/* A datagram that is being put together (UDP_CORK).
 * victim: refused "fd %d: a datagram that is not sent yet (UDP_CORK)" */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include "victim.h"

int main(void)
{
	struct sockaddr_in to = {
	        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;

	CHECK_EQ(setsockopt(fd, IPPROTO_UDP, UDP_CORK, &on, sizeof on), 0);
	CHECK_EQ(sendto(fd, "half", 4, 0, (struct sockaddr *)&to, sizeof to), 4);
	hook();
	return pass();
}
