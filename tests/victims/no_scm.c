/* SPDX-License-Identifier: MIT */
/* Descriptors that wait in a socket.
 * victim: refused "fd %d: descriptors waiting in the socket" */
#include <sys/socket.h>

#include "victim.h"

int main(void)
{
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {(char[]){'x'}, 1};
	struct msghdr msg = {
	        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int pair[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(c), &pair[0], sizeof(int));
	CHECK_EQ(sendmsg(pair[0], &msg, 0), 1);
	hook();
	CHECK(recvmsg(pair[1], &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&msg));
	return pass();
}
