/* SPDX-License-Identifier: MIT */
#include "snapshot/unix_diag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clean.h"

static void take_attribute(const struct rtattr *attr, struct unix_diag_answer *ret)
{
	const void *data = RTA_DATA(attr);

	if (attr->rta_type == UNIX_DIAG_PEER)
		ret->peer = *(const uint32_t *)data;
	else if (attr->rta_type == UNIX_DIAG_SHUTDOWN)
		ret->shutdown = *(const uint8_t *)data;
	else if (attr->rta_type == UNIX_DIAG_VFS)
		ret->file_ino = ((const struct unix_diag_vfs *)data)->udiag_vfs_ino;
	else if (attr->rta_type == UNIX_DIAG_RQLEN) {
		ret->read_queue = ((const struct unix_diag_rqlen *)data)->udiag_rqueue;
		ret->write_queue = ((const struct unix_diag_rqlen *)data)->udiag_wqueue;
	}
}

int unix_diag_ask(uint64_t inode, struct unix_diag_answer *ret)
{
	CLEAN(fd) int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct {
		struct nlmsghdr head;
		struct unix_diag_req req;
	} ask = {{sizeof(ask), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0},
	         {.sdiag_family = AF_UNIX,
	          .udiag_ino = (uint32_t)inode,
	          .udiag_show = UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN | UDIAG_SHOW_VFS,
	          .udiag_cookie = {~0u, ~0u}}};
	_Alignas(struct nlmsghdr) char buf[8192];
	const struct nlmsghdr *head = (const struct nlmsghdr *)buf;
	const struct unix_diag_msg *msg;
	ssize_t n;
	int left;

	memset(ret, 0, sizeof(*ret));
	if (sock < 0 || send(sock, &ask, sizeof(ask), 0) < 0 || (n = recv(sock, buf, sizeof(buf), 0)) < 0)
		return -errno;
	if (!NLMSG_OK(head, (unsigned)n))
		return -EPROTO;
	if (head->nlmsg_type == NLMSG_ERROR)
		return ((const struct nlmsgerr *)NLMSG_DATA(head))->error;
	msg = NLMSG_DATA(head);
	ret->state = msg->udiag_state;
	left = (int)(head->nlmsg_len - NLMSG_LENGTH(sizeof(*msg)));
	for (const struct rtattr *attr = (const struct rtattr *)(msg + 1); RTA_OK(attr, left);
	     attr = RTA_NEXT(attr, left))
		take_attribute(attr, ret);
	return 0;
}
