/* SPDX-License-Identifier: MIT */
/*
 * Asks for a launch as `warm exec --require` does, over a connection that somebody else has made, and says the answer:
 * its kind and its reason.
 *
 *     brother SOCK CMD ARG...
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/launch.h"

static union {
	struct launch_request head;
	char bytes[MESSAGE_MAX];
} request;
static size_t len = sizeof(request.head);

static void put(const char *text)
{
	size_t n = strlen(text) + 1;

	if (n > sizeof(request) - len)
		exit(3);
	memcpy(request.bytes + len, text, n);
	len += n;
}

static void send_with(int sock, void *data, size_t size, const int fds[3])
{
	union {
		char buf[CMSG_SPACE(3 * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {data, size};
	struct msghdr msg = {
	        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(3 * sizeof(int));
	memcpy(CMSG_DATA(c), fds, 3 * sizeof(int));
	if (sendmsg(sock, &msg, MSG_NOSIGNAL) < 0)
		exit(4);
}

static void build(char **argv, char **env)
{
	char cwd[4096];

	put(argv[0]);
	put(getcwd(cwd, sizeof(cwd)) ? cwd : "/");
	put("");
	put("");
	for (; *argv; argv++, request.head.n_argv++)
		put(*argv);
	for (; *env; env++, request.head.n_env++)
		put(*env);
	request.head.magic = LAUNCH_MAGIC;
	request.head.version = LAUNCH_VERSION;
	request.head.flags = LAUNCH_REQUIRE;
	request.head.size = (uint32_t)len;
	request.head.n_numbers = 3;
	for (int i = 0; i < 3; i++)
		request.head.fd_number[i] = i;
}

int main(int argc, char **argv)
{
	struct launch_reply reply = {.kind = LAUNCH_PENDING};
	int control[2], carrier[2], in[2], out[2], sock, token = eventfd(1, EFD_NONBLOCK);

	if (argc < 3 || token < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, control) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, carrier) < 0 || pipe(in) < 0 || pipe(out) < 0)
		return 2;
	sock = atoi(argv[1]);
	send_with(carrier[1], (char[]){0}, 1, (int[]){in[0], out[1], out[1]});
	close(carrier[1]);
	build(argv + 2, environ);
	send_with(sock, &request, len, (int[]){control[1], token, carrier[0]});
	while (reply.kind == LAUNCH_PENDING) {
		struct pollfd fd = {.fd = sock, .events = POLLIN};

		if (poll(&fd, 1, 20000) <= 0 || recv(sock, &reply, sizeof(reply), 0) != sizeof(reply))
			return 5;
	}
	printf("%u %.*s\n", reply.kind, (int)sizeof(reply.reason), reply.reason);
	return 0;
}
