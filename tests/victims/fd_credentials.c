/* SPDX-License-Identifier: MIT */
/* Who is at the other end of a unix socket pair, and who sent what waits in it: this user. victim: as-nobody */
#include <sys/socket.h>

#include "victim.h"

static void expect_sender(int fd, const char *text)
{
	char back[64] = "", control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = {back, sizeof back - 1};
	struct msghdr msg = {
	        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	struct cmsghdr *c;
	struct ucred who;

	CHECK_EQ(recvmsg(fd, &msg, MSG_DONTWAIT), (int)strlen(text));
	CHECK_STR(back, text);
	c = CMSG_FIRSTHDR(&msg);
	CHECK(c && c->cmsg_type == SCM_CREDENTIALS);
	memcpy(&who, CMSG_DATA(c), sizeof who);
	CHECK_EQ(who.pid, getpid());
	CHECK_EQ(who.uid, getuid());
	CHECK_EQ(who.gid, getgid());
}

static void expect_peer(int fd)
{
	struct ucred who = {0};
	gid_t groups[64], own[64];
	socklen_t len = sizeof who, groups_len = sizeof groups;

	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len), 0);
	CHECK_EQ(who.pid, getpid());
	CHECK_EQ(who.uid, getuid());
	CHECK_EQ(who.gid, getgid());
	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_len), 0);
	CHECK_EQ(groups_len / sizeof(gid_t), getgroups(64, own));
	CHECK(memcmp(groups, own, groups_len) == 0);
}

int main(void)
{
	int stream[2], seq[2], on = 1;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream), 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, seq), 0);
	CHECK_EQ(setsockopt(stream[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
	CHECK_EQ(setsockopt(seq[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
	CHECK(send(stream[0], "stream", 6, 0) == 6 && send(seq[0], "packet", 6, 0) == 6 &&
	      send(seq[0], "2", 1, 0) == 1);
	hook();

	expect_peer(stream[0]);
	expect_peer(seq[1]);
	expect_sender(stream[1], "stream");
	expect_sender(seq[1], "packet");
	expect_sender(seq[1], "2");
	return pass();
}
