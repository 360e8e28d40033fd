/* SPDX-License-Identifier: MIT */
/* A connected UDP socket that is shut down for reading.
 * victim: refused "fd %d: a UDP socket that is shut down for reading" */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "victim.h"

int main(void)
{
	struct sockaddr_in to = {
	        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char byte;

	CHECK(connect(fd, (struct sockaddr *)&to, sizeof to) == 0 && shutdown(fd, SHUT_RD) == 0);
	hook();
	CHECK_EQ(recv(fd, &byte, 1, 0), 0);
	return pass();
}
