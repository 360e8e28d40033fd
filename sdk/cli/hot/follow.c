/* SPDX-License-Identifier: MIT */
/* The program runs, a clone or a child of ours: signals go to it, its stops and its end come from its supervisor. The
 * daemon is needed no more. */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "sdk/cli/hot/hot.h"
#include "sdk/cli/hot/sys.h"

static void hear(struct launch *l);
static void finish(struct launch *l);
static void stopped(struct launch *l, int sig);
static void forward_signals(struct launch *l);
static void tell(struct launch *l, const struct control *control);

void launch_follow(struct launch *l)
{
	struct pollfd fds[2 + NOTIFY_FDS + OUTPUT_FDS + RELAY_FDS_MAX] = {{0}};
	struct pollfd *notify = fds + 2, *output = notify + NOTIFY_FDS, *relay = output + OUTPUT_FDS;
	unsigned n_relay = 0;

	l->signal_fd = sys_signalfd(l->signal_fd, ~0ull);
	if (l->relay)
		l->relay->start(l->relay, l->control_fd);

	fds[0].fd = l->control_fd;
	fds[1].fd = l->signal_fd;
	fds[0].events = fds[1].events = POLLIN;
	output[0].fd = output[1].fd = -1;
	for (;;) {
		notify_fds(l, notify);
		if (l->output)
			l->output->fds(l->output, output);
		if (l->relay)
			n_relay = l->relay->fds(l->relay, relay);
		if (sys_poll(fds, 2 + NOTIFY_FDS + OUTPUT_FDS + n_relay, -1) <= 0)
			continue;
		notify_serve(l, notify);
		if (l->output)
			l->output->serve(l->output, output);
		if (l->relay)
			l->relay->serve(l->relay, relay, n_relay);
		if (fds[1].revents)
			forward_signals(l);
		if (fds[0].revents)
			hear(l);
	}
}

static void hear(struct launch *l)
{
	struct control control = {0};
	struct {
		struct cmsghdr header;
		int fd[2];
	} aux = {0};
	struct iovec iov = {.iov_base = &control, .iov_len = sizeof(control)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &aux, .msg_controllen = sizeof(aux)};
	long n = sys_recvmsg(l->control_fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n != sizeof(control)) {
		if (l->program_fd > 0)
			sys_pidfd_kill(l->program_fd); /* a clone's supervisor is its pid 1 */
		finish(l);
		hot_fail(l, EXIT_WARM, l->options->argv[0],
		         ": the program's supervisor was killed, and the program with it", "; start it again");
	}
	if (control.kind == CONTROL_EXIT) {
		finish(l);
		end_like(control.value);
	}
	if (control.kind == CONTROL_LOST) {
		finish(l);
		hot_fail(l, EXIT_WARM, l->options->argv[0],
		         ": its memory could not be brought from disk any more, and the program was killed",
		         "; warmd's log says why; start it again");
	}
	if (control.kind == CONTROL_STOPPED)
		stopped(l, control.value);
	if (control.kind == CONTROL_NOTIFY && msg.msg_controllen > sizeof(aux.header)) {
		notify_open(l, aux.fd[0]);
		if (control.value)
			notify_say_ready(l);
	}
	if (control.kind == CONTROL_NETWORK && msg.msg_controllen > sizeof(aux.header)) {
		network_enter(aux.fd[0]);
		sys_close(aux.fd[0]);
	}
}

static void finish(struct launch *l)
{
	notify_finish(l);
	if (l->output)
		l->output->finish(l->output);
	if (l->relay)
		l->relay->finish(l->relay);
}

static void stopped(struct launch *l, int sig)
{
	struct control control = {.kind = CONTROL_SIGNAL, .value = SIGCONT};

	if (l->relay) {
		l->relay->stopped(l->relay, sig);
		return;
	}
	/* whoever continues us sends a SIGCONT, which is forwarded like any other signal */
	if (!stop_like(sig, 0))
		tell(l, &control);
}

static void forward_signals(struct launch *l)
{
	static struct signalfd_siginfo info[8];
	long n = sys_read(l->signal_fd, info, sizeof(info));

	for (long i = 0; i < n / (long)sizeof(info[0]); i++) {
		struct control control = {.kind = CONTROL_SIGNAL};

		if (info[i].ssi_signo == SIGPIPE && (int)info[i].ssi_pid == sys_getpid())
			continue; /* a write of ours: the program's own will tell it */
		if (l->relay && l->relay->signal(l->relay, &info[i]))
			continue;
		control.value = (int)info[i].ssi_signo;
		control.code = info[i].ssi_code;
		control.data = info[i].ssi_ptr;
		tell(l, &control);
	}
}

/* The supervisor reads at once unless it is waiting to say how the program ended: then this fails with EPIPE soon. */
static void tell(struct launch *l, const struct control *control)
{
	struct pollfd fd = {0};

	while (sys_send(l->control_fd, control, sizeof(*control), MSG_DONTWAIT) == -EAGAIN) {
		fd.fd = l->control_fd;
		fd.events = POLLOUT | POLLIN;
		sys_poll(&fd, 1, -1);
		if (fd.revents & POLLIN)
			return;
	}
}

int stop_like(int sig, int group)
{
	struct sys_sigaction standard = {0, 0, 0, 0}, old = {0, 0, 0, 0};
	int continued;

	sys_sigaction(sig, &standard, &old);
	sys_kill(group ? 0 : sys_getpid(), sig);
	sys_sigprocmask(~SIGNAL_BIT(sig), NULL); /* stops here */
	continued = (sys_sigpending() & SIGNAL_BIT(SIGCONT)) != 0;
	sys_sigprocmask(~0ull, NULL);
	sys_sigaction(sig, &old, NULL);
	return continued || sig == SIGSTOP;
}

void end_like(int status)
{
	struct sys_sigaction standard = {0, 0, 0, 0};
	struct rlimit none = {0, 0};
	int sig;

	if (WIFEXITED(status))
		sys_exit(WEXITSTATUS(status));

	sig = WTERMSIG(status);
	sys_setrlimit(RLIMIT_CORE, &none);
	sys_prctl(PR_SET_DUMPABLE, 0); /* a core_pattern that is a pipe does not look at the limit */
	sys_sigaction(sig, &standard, NULL);
	sys_kill(sys_getpid(), sig);
	sys_sigprocmask(~SIGNAL_BIT(sig), NULL); /* dies here */
	sys_exit(128 + sig);
}
