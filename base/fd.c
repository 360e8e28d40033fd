/* SPDX-License-Identifier: MIT */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clean.h"

/* The kernel passes up to 253 descriptors in a message: room for all, so that surplus ones are seen and closed. */
#define KERNEL_PASS_MAX 253

int fd_send(int sock, const void *buf, size_t len, const int *fds, size_t n_fds)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
	} control;
	struct iovec iov = {.iov_base = (void *)buf, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t sent;

	if (n_fds > FD_PASS_MAX)
		return -E2BIG;
	if (n_fds > 0) {
		struct cmsghdr *cmsg = &control.align;

		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * n_fds);
		msg.msg_control = control.space;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
	}
	do {
		sent = sendmsg(sock, &msg, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

ssize_t fd_recv(int sock, void *buf, size_t size, int *fds, size_t *n_fds, int flags)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * KERNEL_PASS_MAX) +
		           256]; /* and credentials, where they are switched on */
	} control;
	struct iovec iov = {.iov_base = buf, .iov_len = size};
	struct msghdr msg = {
	        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof(control)};
	size_t room = n_fds ? *n_fds : 0, n_got = 0;
	int got[KERNEL_PASS_MAX];
	ssize_t len;

	if (n_fds)
		*n_fds = 0;
	do {
		len = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | flags);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		n_got = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(got, CMSG_DATA(cmsg), n_got * sizeof(int));
	}
	/* MSG_CTRUNC: the limit on open files kept some of them away. */
	if (n_got > room || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		fd_close_all(got, n_got);
		return -EMSGSIZE;
	}
	if (n_got > 0)
		memcpy(fds, got, n_got * sizeof(int));
	if (n_fds)
		*n_fds = n_got;
	return len;
}

ssize_t fd_read_full(int fd, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, (char *)buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t fd_recv_pid(int sock, void *buf, size_t size, pid_t *ret_pid, int flags)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = {buf, size};
	struct msghdr msg = {
	        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	const struct cmsghdr *cmsg;
	ssize_t len;

	*ret_pid = 0;
	do
		len = recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_CREDENTIALS) {
		struct ucred cred;

		memcpy(&cred, CMSG_DATA(cmsg), sizeof(cred));
		*ret_pid = cred.pid;
	}
	return msg.msg_flags & MSG_TRUNC ? -EMSGSIZE : len;
}

ssize_t fd_pread_full(int fd, void *buf, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)buf + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int fd_write_full(int fd, const void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, (const char *)buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

int fd_pwrite_full(int fd, const void *buf, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pwrite(fd, (const char *)buf + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

int fd_read_file_at(int dir_fd, const char *path, size_t limit, char **ret_data, size_t *ret_len)
{
	CLEAN(fd) int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	return fd_read_all(fd, limit, ret_data, ret_len);
}

/* Grows as it reads: files of /proc have no size. */
int fd_read_all(int fd, size_t limit, char **ret_data, size_t *ret_len)
{
	CLEAN(free) char *data = NULL;
	size_t len = 0, room = 0;

	for (;;) {
		ssize_t n;

		if (len + 1 >= room) {
			char *larger;

			room = room ? room * 2 : 4096;
			larger = realloc(data, room);
			if (!larger)
				return -ENOMEM;
			data = larger;
		}
		n = fd_read_full(fd, data + len, room - len - 1);
		if (n < 0)
			return (int)n;
		len += (size_t)n;
		if (len > limit)
			return -EFBIG;
		if (len + 1 < room) /* that was its end */
			break;
	}
	data[len] = 0;
	*ret_data = take_ptr(data);
	if (ret_len)
		*ret_len = len;
	return 0;
}

int fd_socket_option(int sock, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(sock, SOL_SOCKET, name, &value, &len) < 0 ? -1 : value;
}

void fd_close_all(const int *fds, size_t n_fds)
{
	for (size_t i = 0; i < n_fds; i++)
		close(fds[i]);
}
