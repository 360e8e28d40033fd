/* SPDX-License-Identifier: MIT */
/*
 * What the program says to its NOTIFY_SOCKET (sd_notify(3)), passed on to ours as if we had said it: whoever started us
 * believes nobody else. Descriptors go with it. One message at a time is held where ours takes nothing.
 */
#include <errno.h>
#include <sys/un.h>

#include "sdk/cli/hot/hot.h"
#include "sdk/cli/hot/sys.h"
#include "sdk/cli/hot/text.h"

#define TEXT_MAX 4096 /* systemd takes no more */
#define FDS_MAX  253  /* SCM_MAX_FD */

static struct {
	struct iovec iov;
	_Bool held;
	char text[TEXT_MAX + 1];
	struct {
		struct cmsghdr header;
		int fd[FDS_MAX + 1];
	} rights;
	unsigned n_fds;
} message;

static _Bool receive(struct launch *l);
static void take_controls(struct msghdr *msg, int *ret_sender);
static _Bool read_lines(const struct launch *l);
static void pass_on(struct launch *l);
static void drop(void);

void notify_open(struct launch *l, int fd)
{
	const char *path = text_env(l->options->env, "NOTIFY_SOCKET");
	struct sockaddr_un addr;
	size_t n;

	l->notify_fd = fd;
	l->notify_to = -1;
	if (!path || (*path != '/' && *path != '@') || text_len(path) >= sizeof(addr.sun_path))
		return;
	n = text_len(path);
	addr.sun_family = AF_UNIX;
	text_copy(addr.sun_path, path, n + 1);
	if (*path == '@')
		addr.sun_path[0] = '\0';
	l->notify_to = sys_socket(AF_UNIX, SOCK_DGRAM);
	if (l->notify_to >= 0 &&
	    sys_connect(l->notify_to, &addr, offsetof(struct sockaddr_un, sun_path) + n + (*path == '/')) < 0) {
		sys_close(l->notify_to);
		l->notify_to = -1;
	}
}

void notify_say_ready(struct launch *l)
{
	static const char ready[] = "READY=1";

	if (l->notify_to >= 0)
		sys_send(l->notify_to, ready, sizeof(ready) - 1, 0);
}

void notify_fds(const struct launch *l, struct pollfd fds[NOTIFY_FDS])
{
	fds[0].fd = message.held ? -1 : l->notify_fd;
	fds[1].fd = message.held ? l->notify_to : -1;
	fds[0].events = POLLIN;
	fds[1].events = POLLOUT;
	fds[0].revents = fds[1].revents = 0;
}

void notify_serve(struct launch *l, const struct pollfd fds[NOTIFY_FDS])
{
	if (fds[1].revents)
		pass_on(l);
	if (fds[0].revents && !message.held && receive(l))
		pass_on(l);
}

void notify_finish(struct launch *l)
{
	while (!message.held && receive(l))
		pass_on(l);
}

/* Returns 0 where there is none. */
static _Bool receive(struct launch *l)
{
	static struct {
		struct cmsghdr header;
		char room[FDS_MAX * sizeof(int) + 128];
	} aux;
	struct iovec iov = {.iov_base = message.text, .iov_len = TEXT_MAX};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &aux, .msg_controllen = sizeof(aux)};
	long n = sys_recvmsg(l->notify_fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int sender = 0;

	if (l->notify_fd < 0 || n < 0)
		return 0;
	message.n_fds = 0;
	take_controls(&msg, &sender);
	message.text[n] = '\0';
	if (msg.msg_flags & MSG_TRUNC)
		message.text[0] = '\0'; /* nobody would take it */
	if (read_lines(l) && l->notified && sender == l->program_pid)
		l->notified(l);
	if (!*message.text && !message.n_fds)
		return receive(l);
	message.held = 1;
	return 1;
}

static void take_controls(struct msghdr *msg, int *ret_sender)
{
	char *at = msg->msg_control, *end = at + msg->msg_controllen;

	while (at + sizeof(struct cmsghdr) <= end) {
		const struct cmsghdr *header = (const struct cmsghdr *)at;
		size_t len = header->cmsg_len;

		if (len < sizeof(*header) || at + len > end)
			return;
		if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS) {
			text_copy(ret_sender, header + 1, sizeof(*ret_sender)); /* struct ucred: pid, uid, gid */
		} else if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
			message.n_fds = (unsigned)((len - sizeof(*header)) / sizeof(int));
			text_copy(message.rights.fd, header + 1, message.n_fds * sizeof(int));
		}
		at += (len + 7) & ~(size_t)7;
	}
}

/* Whether one of them is READY=1. MAINPID goes where it names the program: to whoever started us that is we, and a
 * clone's numbers mean nothing outside. */
static _Bool read_lines(const struct launch *l)
{
	char *from = message.text, *to = from, own[32];
	_Bool ready = 0;
	struct text text;

	text_init(&text, own, sizeof(own) - 1);
	text_add(&text, "MAINPID=");
	text_number(&text, (uint64_t)l->program_pid);
	*text.at = '\0';
	while (*from) {
		const char *end = text_find(from, '\n');
		size_t len = end ? (size_t)(end - from) : text_len(from);
		char after = from[len];

		from[len] = '\0';
		ready |= text_equal(from, "READY=1") != 0;
		if (!text_starts(from, l->program_pid ? own : "MAINPID")) {
			if (to > message.text)
				*to++ = '\n';
			for (size_t i = 0; i < len; i++)
				*to++ = from[i];
		}
		from += len + (after != '\0');
	}
	*to = '\0';
	return ready;
}

static void pass_on(struct launch *l)
{
	struct msghdr msg = {.msg_iov = &message.iov, .msg_iovlen = 1};
	long ret;

	message.iov.iov_base = message.text;
	message.iov.iov_len = text_len(message.text);
	if (message.n_fds) {
		message.rights.header.cmsg_level = SOL_SOCKET;
		message.rights.header.cmsg_type = SCM_RIGHTS;
		message.rights.header.cmsg_len = sizeof(message.rights.header) + message.n_fds * sizeof(int);
		msg.msg_control = &message.rights;
		msg.msg_controllen = message.rights.header.cmsg_len;
	}
	ret = l->notify_to < 0 ? 0 : sys_sendmsg(l->notify_to, &msg, MSG_DONTWAIT);
	if (ret != -EAGAIN)
		drop();
}

static void drop(void)
{
	for (unsigned i = 0; i < message.n_fds; i++)
		sys_close(message.rights.fd[i]);
	message.n_fds = 0;
	message.held = 0;
}
