/* SPDX-License-Identifier: MIT */
/* Inet sockets that are neither bound nor connected: type, options, flags; and they can be used. */
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

static void set(int fd, int level, int name, int value)
{
	CHECK_EQ(setsockopt(fd, level, name, &value, sizeof value), 0);
}

int main(void)
{
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int six = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), rcvbuf;
	struct linger linger = {1, 5}, seen;
	socklen_t len = sizeof seen;

	CHECK(tcp >= 0 && udp >= 0);
	set(tcp, IPPROTO_TCP, TCP_NODELAY, 1);
	set(tcp, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(tcp, IPPROTO_TCP, TCP_KEEPIDLE, 123);
	CHECK_EQ(setsockopt(tcp, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
	set(udp, SOL_SOCKET, SO_BROADCAST, 1);
	set(udp, SOL_SOCKET, SO_RCVBUF, 100000);
	set(udp, IPPROTO_IP, IP_TTL, 33);
	set(udp, SOL_SOCKET, SO_REUSEADDR, 1);
	if (six >= 0)
		set(six, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	rcvbuf = option(udp, SOL_SOCKET, SO_RCVBUF);
	hook();

	CHECK_EQ(option(tcp, IPPROTO_TCP, TCP_NODELAY), 1);
	CHECK_EQ(option(tcp, SOL_SOCKET, SO_KEEPALIVE), 1);
	CHECK_EQ(option(tcp, IPPROTO_TCP, TCP_KEEPIDLE), 123);
	CHECK_EQ(getsockopt(tcp, SOL_SOCKET, SO_LINGER, &seen, &len), 0);
	CHECK(seen.l_onoff == 1 && seen.l_linger == 5);
	CHECK_EQ(option(udp, SOL_SOCKET, SO_BROADCAST), 1);
	CHECK_EQ(option(udp, SOL_SOCKET, SO_RCVBUF), rcvbuf);
	CHECK_EQ(option(udp, IPPROTO_IP, IP_TTL), 33);
	CHECK_EQ(option(udp, SOL_SOCKET, SO_REUSEADDR), 1);
	CHECK(six < 0 || option(six, IPPROTO_IPV6, IPV6_V6ONLY) == 1);
	CHECK(six < 0 || option(six, SOL_SOCKET, SO_DOMAIN) == AF_INET6);
	CHECK_EQ(fcntl(udp, F_GETFL), O_RDWR | O_NONBLOCK);
	CHECK_EQ(fcntl(udp, F_GETFD), 0);
	CHECK_EQ(fcntl(tcp, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(bind(udp, (struct sockaddr *)&local, sizeof local), 0);
	CHECK_EQ(bind(tcp, (struct sockaddr *)&local, sizeof local), 0);
	CHECK_EQ(listen(tcp, 5), 0);
	return pass();
}
