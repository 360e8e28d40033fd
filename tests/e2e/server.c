/* SPDX-License-Identifier: MIT */
/*
 * The server of the network tests. Before its hook it takes the sockets that it is handed (LISTEN_FDS), or else makes
 * those that its arguments say, and puts them into an epoll set; after it, it prints "serving OUTCOME" and serves.
 *
 *     tcp ADDRESS PORT    listens       udp ADDRESS PORT    is bound
 *     reuseport, reuseaddr   for the sockets behind it in the arguments
 *     dup / move          has what it is handed at 10, 11, ... as well / instead
 *     late                looks at LISTEN_FDS again behind the hook, and prints how many it sees
 *
 * Each line, or datagram, is answered with "OUTCOME fd N cloexec C nonblock B address A:P"; "quit" ends it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sdk/c/warm.h"

static const char *const outcome[] = {"resumed", "restored", "cold"};
static int result, epoll_fd, n_sockets;

static void fail(const char *what)
{
	fprintf(stderr, "server: %s: %s\n", what, strerror(errno));
	exit(4);
}

/* As sd_listen_fds(3). */
static int listen_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");

	if (!fds || (pid && atoi(pid) != getpid()))
		return 0;
	for (int fd = 3; fd < 3 + atoi(fds); fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			fail("a descriptor that was handed over");
	return atoi(fds);
}

static void serve_on(int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		fail("watch a socket");
	n_sockets++;
}

static void make(int type, const char *address, const char *port, int option)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || inet_pton(AF_INET, address, &name.sin_addr) != 1 ||
	    (option && setsockopt(fd, SOL_SOCKET, option, &on, sizeof on) < 0) ||
	    bind(fd, (struct sockaddr *)&name, sizeof name) < 0 || (type == SOCK_STREAM && listen(fd, 17) < 0))
		fail(address);
	serve_on(fd);
}

static void take(int n, const char *how)
{
	for (int fd = 3; fd < 3 + n; fd++) {
		int other = how ? fcntl(fd, F_DUPFD_CLOEXEC, 10) : fd;

		if (how && strcmp(how, "move") == 0)
			close(fd);
		serve_on(other);
	}
}

static void answer(int socket_fd, int to, const struct sockaddr_in *peer, socklen_t peer_len)
{
	struct sockaddr_in name = {0};
	socklen_t len = sizeof name;
	char ip[INET_ADDRSTRLEN] = "?", text[200];
	int n;

	getsockname(socket_fd, (struct sockaddr *)&name, &len);
	inet_ntop(AF_INET, &name.sin_addr, ip, sizeof ip);
	n = snprintf(text, sizeof text, "%s fd %d cloexec %d nonblock %d address %s:%d\n", outcome[result], socket_fd,
	             fcntl(socket_fd, F_GETFD) & FD_CLOEXEC, !!(fcntl(socket_fd, F_GETFL) & O_NONBLOCK), ip,
	             ntohs(name.sin_port));
	if (sendto(to, text, (size_t)n, MSG_NOSIGNAL, (const struct sockaddr *)peer, peer_len) != n)
		fail("answer");
}

static void serve(int fd)
{
	int type = 0, connection;
	socklen_t len = sizeof type;
	struct sockaddr_in peer;
	char line[100] = "", text[8];

	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
	if (type == SOCK_DGRAM) {
		len = sizeof peer;
		if (recvfrom(fd, line, sizeof line - 1, 0, (struct sockaddr *)&peer, &len) > 0)
			answer(fd, fd, &peer, len);
		if (strncmp(line, "quit", 4) == 0)
			exit(0);
		return;
	}
	connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (connection < 0)
		return;
	if (read(connection, line, sizeof line - 1) > 0)
		answer(fd, connection, NULL, 0);
	if (read(connection, text, sizeof text) ==
	    0) /* who closes first leaves its port in TIME_WAIT: the client does */
		close(connection);
	if (strncmp(line, "quit", 4) == 0)
		exit(0);
}

int main(int argc, char **argv)
{
	int n = listen_fds(), option = 0, late = 0;
	const char *how = NULL;

	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "reuseport") == 0)
			option = SO_REUSEPORT;
		else if (strcmp(argv[i], "reuseaddr") == 0)
			option = SO_REUSEADDR;
		else if (strcmp(argv[i], "dup") == 0 || strcmp(argv[i], "move") == 0)
			how = argv[i];
		else if (strcmp(argv[i], "late") == 0)
			late = 1;
		else if (n == 0)
			make(strcmp(argv[i], "udp") == 0 ? SOCK_DGRAM : SOCK_STREAM, argv[i + 1], argv[i + 2], option),
			        i += 2;
		else
			i += 2;
	}
	take(n, how);
	if (late)
		warm_launch_env("LISTEN_*");
	result = warm_ready(0);
	if (late)
		printf("handed %d\n", listen_fds());
	printf("serving %s\n", result >= 0 ? outcome[result] : "error");
	fflush(stdout);
	while (n_sockets) {
		struct epoll_event event;

		if (epoll_wait(epoll_fd, &event, 1, -1) == 1)
			serve(event.data.fd);
	}
	return 0;
}
