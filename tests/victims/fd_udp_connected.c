/* SPDX-License-Identifier: MIT */
/* Datagram sockets that are connected: to whom, from where, and that only that one is heard. victim: alone */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "victim.h"

static struct sockaddr_in name_of(int fd, int peer)
{
	struct sockaddr_in name = {0};
	socklen_t len = sizeof name;

	CHECK_EQ(peer ? getpeername(fd, (struct sockaddr *)&name, &len)
	              : getsockname(fd, (struct sockaddr *)&name, &len),
	         0);
	return name;
}

static int same(const struct sockaddr_in *a, const struct sockaddr_in *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

int main(void)
{
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int service = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
	    client = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int stranger = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in there, here, now;
	char text[8] = "";

	CHECK_EQ(bind(service, (struct sockaddr *)&local, sizeof local), 0);
	there = name_of(service, 0);
	CHECK_EQ(connect(client, (struct sockaddr *)&there, sizeof there), 0);
	here = name_of(client, 0);
	hook();

	now = name_of(client, 1);
	CHECK(same(&now, &there));
	now = name_of(client, 0);
	CHECK(same(&now, &here));
	CHECK_EQ(fcntl(client, F_GETFL), O_RDWR | O_NONBLOCK);
	CHECK_EQ(send(client, "ask", 3, 0), 3);
	CHECK(recv(service, text, sizeof text, 0) == 3 && memcmp(text, "ask", 3) == 0);
	CHECK_EQ(sendto(stranger, "lie", 3, 0, (struct sockaddr *)&here, sizeof here), 3);
	CHECK_EQ(sendto(service, "answer", 6, 0, (struct sockaddr *)&here, sizeof here), 6);
	CHECK(recv(client, text, sizeof text, 0) == 6 && memcmp(text, "answer", 6) == 0);
	CHECK(recv(client, text, sizeof text, 0) == -1 && errno == EAGAIN);
	return pass();
}
