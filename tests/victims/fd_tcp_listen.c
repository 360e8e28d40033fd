/* SPDX-License-Identifier: MIT */
/* Listening TCP and bound UDP sockets: address, port, options, and that clients reach them. victim: alone */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "victim.h"

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof value;

	CHECK_EQ(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static struct sockaddr_in6 name_of(int fd)
{
	struct sockaddr_in6 name;
	socklen_t len = sizeof name;

	memset(&name, 0, sizeof name);
	CHECK_EQ(getsockname(fd, (struct sockaddr *)&name, &len), 0);
	return name;
}

static void set(int fd, int level, int name, int value)
{
	CHECK_EQ(setsockopt(fd, level, name, &value, sizeof value), 0);
}

int main(void)
{
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server;
	int multipath = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP); /* -1: not in this kernel */
	struct sockaddr_in6 before, udp_before, multipath_before, after;
	char text[8] = "";

	set(tcp, SOL_SOCKET, SO_REUSEADDR, 1);
	set(tcp, IPPROTO_TCP, TCP_DEFER_ACCEPT, 3);
	set(tcp, SOL_SOCKET, SO_KEEPALIVE, 1);
	CHECK_EQ(bind(tcp, (struct sockaddr *)&local, sizeof local), 0);
	CHECK_EQ(listen(tcp, 33), 0);
	CHECK_EQ(bind(udp, (struct sockaddr *)&local, sizeof local), 0);
	before = name_of(tcp);
	udp_before = name_of(udp);
	if (multipath >= 0) {
		CHECK_EQ(bind(multipath, (struct sockaddr *)&local, sizeof local), 0);
		CHECK_EQ(listen(multipath, 7), 0);
		multipath_before = name_of(multipath);
	}
	hook();

	after = name_of(tcp);
	CHECK(memcmp(&before, &after, sizeof after) == 0);
	after = name_of(udp);
	CHECK(memcmp(&udp_before, &after, sizeof after) == 0);
	if (multipath >= 0) {
		after = name_of(multipath);
		CHECK(memcmp(&multipath_before, &after, sizeof after) == 0);
		CHECK_EQ(option(multipath, SOL_SOCKET, SO_PROTOCOL), IPPROTO_MPTCP);
		CHECK_EQ(option(multipath, SOL_SOCKET, SO_ACCEPTCONN), 1);
	}
	CHECK_EQ(option(tcp, SOL_SOCKET, SO_ACCEPTCONN), 1);
	CHECK_EQ(option(tcp, SOL_SOCKET, SO_REUSEADDR), 1);
	CHECK_EQ(option(tcp, SOL_SOCKET, SO_KEEPALIVE), 1);
	CHECK(option(tcp, IPPROTO_TCP, TCP_DEFER_ACCEPT) >= 3);
	CHECK_EQ(fcntl(tcp, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(udp, F_GETFL), O_RDWR | O_NONBLOCK);
	CHECK_EQ(connect(client, (struct sockaddr *)&before, sizeof local), 0);
	CHECK_EQ(send(client, "tcp", 3, 0), 3);
	server = accept4(tcp, NULL, NULL, SOCK_CLOEXEC);
	CHECK(server >= 0 && recv(server, text, sizeof text, 0) == 3 && memcmp(text, "tcp", 3) == 0);
	close(client); /* first: what stays in TIME_WAIT is not on our port */
	CHECK_EQ(recv(server, text, sizeof text, 0), 0);
	close(server);
	client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK_EQ(sendto(client, "udp", 3, 0, (struct sockaddr *)&udp_before, sizeof local), 3);
	CHECK(recv(udp, text, sizeof text, 0) == 3 && memcmp(text, "udp", 3) == 0);
	return pass();
}
