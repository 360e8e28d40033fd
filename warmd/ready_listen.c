/* SPDX-License-Identifier: MIT */
/* Which sockets listen on a TCP port (sock_diag(7), one dump for each family), and whether one of them is a process's
 * own. */
#include "warmd/ready.h"

#include "base/clean.h"
#include "base/fd.h"
#include "base/proc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STATE_LISTEN  10 /* TCP_LISTEN */
#define TABLE_MAX     (1u << 20)
#define LISTENERS_MAX 64 /* of one port: several only with SO_REUSEPORT */

struct listeners {
	uint32_t inode[LISTENERS_MAX];
	size_t n;
	int proc_fd;
	bool found;
};

/* 1: the dump goes on; 0: that was all; -errno. */
static int take_answers(const char *buf, ssize_t len, uint16_t port, struct listeners *ret)
{
	const struct nlmsghdr *head = (const struct nlmsghdr *)buf;

	for (; NLMSG_OK(head, (unsigned)len); head = NLMSG_NEXT(head, len)) {
		const struct inet_diag_msg *msg = NLMSG_DATA(head);

		if (head->nlmsg_type == NLMSG_DONE)
			return 0;
		if (head->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(head))->error;
		if (ntohs(msg->id.idiag_sport) == port && ret->n < LISTENERS_MAX)
			ret->inode[ret->n++] = msg->idiag_inode;
	}
	return 1;
}

static int dump(int sock, uint8_t family, uint16_t port, struct listeners *ret)
{
	_Alignas(struct nlmsghdr) char buf[16384];
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 req;
	} ask = {{sizeof(ask), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0},
	         {.sdiag_family = family,
	          .sdiag_protocol = IPPROTO_TCP,
	          .idiag_states = 1u << STATE_LISTEN,
	          .id = {.idiag_sport = htons(port)}}};
	ssize_t len;
	int r = 1;

	if (send(sock, &ask, sizeof(ask), 0) < 0)
		return -errno;
	while (r > 0) {
		len = recv(sock, buf, sizeof(buf), MSG_DONTWAIT); /* a dump is made by whoever reads it: no waiting */
		r = len < 0 ? -errno : take_answers(buf, len, port, ret);
	}
	return r;
}

static int match(void *arg, int fd)
{
	struct listeners *listeners = arg;
	char name[32], text[64];
	unsigned inode;

	snprintf(name, sizeof(name), "fd/%d", fd);
	if (proc_link(listeners->proc_fd, name, text, sizeof(text)) || sscanf(text, "socket:[%u]", &inode) != 1)
		return 0;
	for (size_t i = 0; i < listeners->n; i++)
		listeners->found |= listeners->inode[i] == inode;
	return listeners->found;
}

/* sock_diag(7) tells of its own network namespace only; that of --net private is small enough to be read as text. */
static int read_table(int proc_fd, const char *name, uint16_t port, struct listeners *ret)
{
	CLEAN(free) char *text = NULL;
	int r = fd_read_file_at(proc_fd, name, TABLE_MAX, &text, NULL);

	for (char *line = text, *next; r == 0 && line; line = next) {
		unsigned local, state, inode;

		next = strchr(line, '\n');
		next = next ? next + 1 : NULL;
		if (sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s %*u %*u %u", &local, &state,
		           &inode) == 3 &&
		    local == port && state == STATE_LISTEN && ret->n < LISTENERS_MAX)
			ret->inode[ret->n++] = inode;
	}
	return r == -ENOENT ? 0 : r; /* no IPv6 */
}

static bool same_network(int proc_fd)
{
	CLEAN(fd) int self = proc_open(getpid());
	uint64_t theirs, ours;

	return proc_ns(proc_fd, "net", &theirs) || proc_ns(self, "net", &ours) || theirs == ours;
}

int ready_listens(pid_t pid, uint16_t port)
{
	CLEAN(fd) int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	CLEAN(fd) int proc_fd = -1;
	struct listeners listeners = {.n = 0};
	int r;

	if (sock < 0)
		return -errno;
	listeners.proc_fd = proc_fd = proc_open(pid);
	if (proc_fd < 0)
		return proc_fd;
	if (same_network(proc_fd)) {
		r = dump(sock, AF_INET, port, &listeners);
		if (!r)
			r = dump(sock, AF_INET6, port, &listeners);
	} else {
		r = read_table(proc_fd, "net/tcp", port, &listeners);
		if (!r)
			r = read_table(proc_fd, "net/tcp6", port, &listeners);
	}
	if (r || !listeners.n)
		return r;
	r = proc_each_fd(proc_fd, match, &listeners);
	return r < 0 ? r : listeners.found;
}
