/* SPDX-License-Identifier: MIT */
/*
 * A fork server, as it is written by hand where Warm is not: the program is loaded once, and each launch is a fork of
 * it. The client (forkclient.c) connects to a unix socket, sends its arguments with its descriptors 0, 1, 2, and gets
 * one byte back, the exit status.
 */
#ifndef BENCH_FORKED_H
#define BENCH_FORKED_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FORKED_ARGUMENTS_MAX 64
#define FORKED_BYTES_MAX     4096

/* Takes what one client sent and becomes its launch. */
static void become(int client, int (*launch)(int argc, char **argv))
{
	static char bytes[FORKED_BYTES_MAX], *argv[FORKED_ARGUMENTS_MAX + 1] = {(char *)"forked"};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(3 * sizeof(int))];
	struct iovec part = {bytes, sizeof(bytes) - 1};
	struct msghdr msg = {
	        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(client, &msg, 0);
	struct cmsghdr *header = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	unsigned char status = 1;
	int fd[3], argc = 1;

	if (header && header->cmsg_len == CMSG_LEN(sizeof(fd))) {
		memcpy(fd, CMSG_DATA(header), sizeof(fd));
		for (int i = 0; i < 3; i++) {
			dup2(fd[i], i);
			close(fd[i]);
		}
		for (char *at = bytes; at < bytes + n && argc < FORKED_ARGUMENTS_MAX; at += strlen(at) + 1)
			argv[argc++] = at;
		status = (unsigned char)launch(argc, argv);
	}
	_exit(write(client, &status, 1) == 1 ? 0 : 1);
}

/* Until it is killed. Says that it listens by a byte on standard output. */
static int serve_forked(const char *path, int (*launch)(int argc, char **argv))
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), client;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	signal(SIGCHLD, SIG_IGN);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 128) < 0 ||
	    write(1, "r", 1) != 1)
		return 1;
	while ((client = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0 || errno == EINTR) {
		if (client >= 0 && fork() == 0)
			become(client, launch);
		close(client);
	}
	return 1;
}

#endif
