/* SPDX-License-Identifier: MIT */
/* A datagram that waits in a UDP socket.
 * victim: refused "fd %d: datagrams wait in a UDP socket" */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "victim.h"

int main(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof to;
	char text[8];

	CHECK(bind(fd, (struct sockaddr *)&to, sizeof to) == 0 && getsockname(fd, (struct sockaddr *)&to, &len) == 0);
	CHECK_EQ(sendto(fd, "waits", 5, 0, (struct sockaddr *)&to, sizeof to), 5);
	hook();
	CHECK_EQ(recv(fd, text, sizeof text, MSG_DONTWAIT), 5);
	return pass();
}
