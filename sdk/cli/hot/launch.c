/* SPDX-License-Identifier: MIT */
/*
 * A launch until it is decided who runs the program. The token decides: whoever reads the eventfd. A clone takes it
 * before its first instruction; we take it when the daemon says so, is gone or silent, or a signal means us.
 *
 *     ASKED ── LAUNCH_RUNNING, or the token is gone ──► a clone runs: follow it
 *       ├──── LAUNCH_COLD_START, EOF, silence, signal: token taken ──► execve
 *       └──── LAUNCH_RELAY: token taken ──► back to the caller, who starts it as a child
 */
#include <errno.h>

#include "sdk/cli/hot/hot.h"
#include "sdk/cli/hot/sys.h"
#include "sdk/cli/hot/text.h"

#define NO_NAME "the working directory has no name"

static struct launch *begin(const struct exec_options *options, int daemon_fd, struct exec_relay *relay);
static long send_request(struct launch *l, struct request *request, int control_fd);
static long send_with(int sock, void *data, size_t size, const int *fd, unsigned n_fds);
static long receive_reply(struct launch *l);
static int interrupt_fd(struct launch *l);
static int token_is_there(const struct launch *l);
static const char *give_up(struct launch *l, const char *why);

struct launch *hot_exec(const struct exec_options *options, int daemon_fd, struct exec_relay *relay)
{
	struct launch *l = begin(options, daemon_fd, relay);
	const char *why_cold = *l->cwd ? launch_ask(l) : NO_NAME;

	if (!why_cold)
		why_cold = launch_await(l);
	if (why_cold && l->init_fd >= 0 && !(options->flags & LAUNCH_REQUIRE))
		return l;
	if (why_cold)
		launch_cold(l, why_cold);
	sys_close(l->carrier_fd);
	hot_explain(l, NULL);
	launch_follow(l);
}

void hot_exec_cold(const struct exec_options *options, const char *why)
{
	launch_cold(begin(options, -1, NULL), why);
}

static struct launch *begin(const struct exec_options *options, int daemon_fd, struct exec_relay *relay)
{
	static struct launch l;

	l.options = options;
	l.relay = relay;
	l.daemon_fd = daemon_fd;
	l.init_fd = l.notify_fd = l.notify_to = -1;
	l.env = options->env;
	l.stderr_open = sys_fcntl(2, F_GETFD, 0) == 0; /* one of ours that came to be number 2 is close-on-exec */
	if (sys_getcwd(l.cwd, sizeof(l.cwd)) < 0 || l.cwd[0] != '/')
		l.cwd[0] = '\0';
	command_find(&l);
	command_env(&l);
	return &l;
}

const char *launch_ask(struct launch *l)
{
	static struct request request;
	const char *why;
	int pair[2] = {-1, -1};
	long ret;

	/* from here on a signal is for the program: it waits until it is known who runs it */
	sys_sigprocmask(~0ull, &l->mask);
	l->blocked = 1;

	why = request_build(&request, l);
	if (why)
		return why;
	l->token_fd = sys_eventfd(1, EFD_NONBLOCK);
	if (l->token_fd < 0 || sys_socketpair(AF_UNIX, SOCK_SEQPACKET, pair) < 0)
		return "no descriptor is left";
	l->control_fd = pair[0];

	ret = send_request(l, &request, pair[1]);
	sys_close(pair[1]);
	if (l->options->explain)
		l->sent_ns = sys_now_ns();
	if (ret == -EAGAIN)
		return "the daemon has too much to do";
	return ret < 0 ? "the request could not be sent to the daemon" : NULL;
}

/* The program's descriptors first, into the carrier: a daemon that finds it empty takes it that we have given up. */
static long send_request(struct launch *l, struct request *request, int control_fd)
{
	int pair[2] = {-1, -1}, own[3];
	char nothing = 0; /* a datagram needs a byte to carry descriptors */
	long ret = sys_socketpair(AF_UNIX, SOCK_SEQPACKET, pair);

	if (ret < 0)
		return ret;
	l->carrier_fd = pair[0];
	ret = send_with(pair[1], &nothing, 1, request->fd, request->n_fds);
	sys_close(pair[1]);
	if (ret < 0)
		return ret;

	own[0] = control_fd;
	own[1] = l->token_fd;
	own[2] = l->carrier_fd;
	return send_with(l->daemon_fd, request->message, request->message->size, own, 3);
}

static long send_with(int sock, void *data, size_t size, const int *fd, unsigned n_fds)
{
	static struct {
		struct cmsghdr header;
		int fd[LAUNCH_FDS_MAX];
	} aux;
	struct iovec iov;
	struct msghdr msg;

	text_copy(aux.fd, fd, n_fds * sizeof(int));
	aux.header.cmsg_level = SOL_SOCKET;
	aux.header.cmsg_type = SCM_RIGHTS;
	aux.header.cmsg_len = sizeof(aux.header) + n_fds * sizeof(int);

	iov.iov_base = data;
	iov.iov_len = size;
	msg.msg_name = NULL;
	msg.msg_namelen = 0;
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = n_fds ? &aux : NULL;
	msg.msg_controllen = n_fds ? aux.header.cmsg_len : 0;
	msg.msg_flags = 0;
	return sys_sendmsg(sock, &msg, MSG_DONTWAIT);
}

const char *launch_await(struct launch *l)
{
	uint64_t deadline_ns = sys_now_ns() + LAUNCH_SILENCE_MS * 1000000ull, now, left_ns;
	struct pollfd fds[3] = {{0}};
	char peek;
	long n;

	l->signal_fd = interrupt_fd(l);
	fds[0].fd = l->daemon_fd;
	fds[1].fd = l->control_fd;
	fds[2].fd = l->signal_fd;
	fds[0].events = fds[1].events = fds[2].events = POLLIN;

	for (;;) {
		/* Who did not get a CPU for so long looks first: the answer may be there. */
		now = sys_now_ns();
		left_ns = now < deadline_ns ? deadline_ns - now : 0;
		if (sys_poll(fds, 3, (int)((left_ns + 999999) / 1000000)) <= 0) {
			if (!left_ns)
				return give_up(l, "the daemon did not answer in time");
			continue;
		}

		if (fds[0].revents) {
			n = receive_reply(l);
			if (n != sizeof(l->reply) || l->reply.magic != LAUNCH_MAGIC)
				return give_up(l, n == 0 || n == -ECONNRESET ? "the daemon went away"
				                                             : "the daemon's answer makes no sense");
			l->reply.snapshot[sizeof(l->reply.snapshot) - 1] = '\0';
			l->reply.reason[sizeof(l->reply.reason) - 1] = '\0';
			l->reply.env[sizeof(l->reply.env) - 1] = '\0';
			if (l->reply.kind == LAUNCH_RUNNING) {
				l->have_reply = 1;
				if (l->options->explain)
					l->heard_ns = sys_now_ns();
				return NULL;
			}
			if (l->reply.kind == LAUNCH_COLD_START || l->reply.kind == LAUNCH_RELAY) {
				l->have_reply = 1;
				return give_up(l, l->reply.reason);
			}
			deadline_ns = sys_now_ns() + LAUNCH_SILENCE_MS * 1000000ull;
		}
		if (fds[1].revents) {
			/* A word of the supervisor: the program runs, and the daemon is about to say so, too - or the
			 * clone failed on its way, which did not take the token. */
			n = sys_recv(l->control_fd, &peek, 1, MSG_DONTWAIT | MSG_PEEK);
			if (n > 0 && !l->options->explain && !token_is_there(l))
				return NULL;
			l->control_gone = n == 0;
			fds[1].fd = -1;
		}
		if (fds[2].revents)
			return give_up(l, "a signal came first");
	}
}

/* Only LAUNCH_RELAY brings descriptors, and it is the last reply. */
static long receive_reply(struct launch *l)
{
	struct {
		struct cmsghdr header;
		int fd[2];
	} aux = {0};
	struct iovec iov = {.iov_base = &l->reply, .iov_len = sizeof(l->reply)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &aux, .msg_controllen = sizeof(aux)};
	long n = sys_recvmsg(l->daemon_fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n == sizeof(l->reply) && l->reply.kind == LAUNCH_RELAY && msg.msg_controllen > sizeof(aux.header)) {
		l->init_fd = aux.fd[0];
		if (aux.header.cmsg_len == sizeof(aux))
			l->notify_fd = aux.fd[1];
	}
	return n;
}

/* Tells of signals that mean to end us before there is a program to forward them to. The others wait. */
static int interrupt_fd(struct launch *l)
{
	uint64_t set = SIGNAL_BIT(SIGHUP) | SIGNAL_BIT(SIGINT) | SIGNAL_BIT(SIGQUIT) | SIGNAL_BIT(SIGTERM);

	return sys_signalfd(-1, set & ~l->mask);
}

static int token_is_there(const struct launch *l)
{
	struct pollfd fd = {.fd = l->token_fd, .events = POLLIN};

	return sys_poll(&fd, 1, 0) > 0;
}

/* Exactly once: without the token a clone has it, whatever the daemon said. */
static const char *give_up(struct launch *l, const char *why)
{
	uint64_t token;
	char byte;

	/* Nothing of the program's stays in flight: received without room for descriptors, they are closed. */
	sys_recv(l->carrier_fd, &byte, 1, MSG_DONTWAIT);
	if (sys_read(l->token_fd, &token, sizeof(token)) == sizeof(token))
		return *why ? why : "the daemon says so";
	if (l->control_gone)
		hot_fail(l, EXIT_WARM, "the clone ended before it ran: ", why, "; the next launch starts cold");
	return NULL;
}

void launch_cold(struct launch *l, const char *why)
{
	if (l->relay)
		l->relay->finish(l->relay);
	if (l->options->flags & LAUNCH_REQUIRE)
		hot_fail(l, EXIT_WARM, l->options->argv[0], ": no snapshot could serve this launch: ", why,
		         "; run it without --require");
	if (l->options->flags & LAUNCH_NET_PRIVATE)
		network_private(l);
	hot_explain(l, why);
	if (l->have_reply && l->reply.kind == LAUNCH_COLD_START && l->reply.env[0])
		command_prepend_env(l, l->reply.env);
	if (l->blocked)
		sys_sigprocmask(l->mask, NULL);
	command_execute(l);
}
