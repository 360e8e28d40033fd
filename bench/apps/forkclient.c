/* SPDX-License-Identifier: MIT */
/* forkclient SOCKET [ARGUMENT...]: a launch by a fork server (forked.h; django_app/app.py --serve). */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BYTES_MAX 4096

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(3 * sizeof(int))] = {0};
	char bytes[BYTES_MAX] = {0};
	struct iovec part = {bytes, 0};
	struct msghdr msg = {
	        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), standard[3] = {0, 1, 2};
	unsigned char status;

	for (int i = 2; i < argc; i++) {
		size_t len = strlen(argv[i]) + 1;

		if (len > sizeof(bytes) - part.iov_len)
			return 1;
		memcpy(bytes + part.iov_len, argv[i], len);
		part.iov_len += len;
	}
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(standard));
	memcpy(CMSG_DATA(header), standard, sizeof(standard));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", argc > 1 ? argv[1] : "");
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || sendmsg(fd, &msg, 0) < 0 ||
	    read(fd, &status, 1) != 1) {
		perror("forkclient");
		return 1;
	}
	return status;
}
