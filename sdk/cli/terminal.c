/* SPDX-License-Identifier: MIT */
/*
 *     real terminal ──typed──► in[] ──► pty master ═ pty slave: 0 1 2 of the program; controlling terminal of its
 * session ◄── out[] ◄──printed──┘
 *
 * The program is in front of its pty exactly while this process is in front of the real terminal and relays its input:
 *
 *     BACKGROUND ──(we are in front, and it has the whole terminal or wanted to read)──► FOREGROUND, real terminal raw
 *         ▲──────── stopped and continued with `bg` ─────────────────────────────────────────┘
 *
 * In a pipeline (`warm exec app | less`) it starts in the background: a read of the terminal stops it with SIGTTIN, the
 * supervisor reports that, and only then the terminal is taken. While the real terminal is not raw its own line
 * discipline acts: keys that make signals reach this process, which forwards them.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/clean.h"
#include "sdk/cli/hot/hot.h"
#include "sdk/cli/terminal.h"

#define DRAIN_MS 5000 /* a terminal that takes nothing for so long loses the rest */

struct terminal {
	struct exec_relay relay; /* first: the launch hands it back */
	int tty_fd;              /* the real terminal, opened anew: non-blocking without touching the caller's */
	int master_fd, slave_fd, control_fd;
	struct termios modes; /* of the real terminal, to be given back */
	bool raw, foreground, wants_input, self_continued, hung_up, closed;
	size_t in_n, in_at, out_n, out_at;
	bool held_cr;
	char in[4096], out[16384];
};

static struct terminal terminal;

static int open_again(int fd);
static int make_pty(struct terminal *t);
static bool in_front(const struct terminal *t);
static void sane_modes(struct termios *modes);
static void start(struct exec_relay *relay, int control_fd);
static unsigned wanted(struct exec_relay *relay, struct pollfd fds[RELAY_FDS_MAX]);
static void serve(struct exec_relay *relay, const struct pollfd *fds, unsigned n);
static int signal_came(struct exec_relay *relay, const struct signalfd_siginfo *info);
static void stopped(struct exec_relay *relay, int sig);
static void finish(struct exec_relay *relay);
static bool evaluate(struct terminal *t, bool always_tell);
static bool copy_size(struct terminal *t);
static void go_raw(struct terminal *t);
static void modes_back(struct terminal *t);
static void tell(struct terminal *t, unsigned kind, int value);
static void read_typed(struct terminal *t);
static void read_printed(struct terminal *t);
static void strip_returns(struct terminal *t);
static void write_printed(struct terminal *t);
static void drain(struct terminal *t);

int terminal_open(struct exec_relay **ret_relay)
{
	struct terminal *t = &terminal;
	struct stat first = {0}, st;
	int n = 0, ret;

	*ret_relay = NULL;
	t->tty_fd = -1;
	for (int fd = 0; fd < 3; fd++) {
		t->relay.slave_for[fd] = -1;
		if (!isatty(fd) || fstat(fd, &st) < 0)
			continue;
		if (t->tty_fd < 0) {
			first = st;
			t->tty_fd = open_again(fd);
		}
		if (t->tty_fd < 0)
			return -errno;
		if (st.st_rdev != first.st_rdev)
			continue; /* another terminal than ours: passed as it is */
		t->relay.slave_for[fd] = fd;
		n++;
	}
	if (t->tty_fd < 0)
		return 0;

	t->wants_input = n == 3;
	t->foreground = t->wants_input && in_front(t);
	ret = make_pty(t);
	if (ret < 0)
		return ret;
	for (int fd = 0; fd < 3; fd++)
		if (t->relay.slave_for[fd] >= 0)
			t->relay.slave_for[fd] = t->slave_fd;

	t->relay.flags = LAUNCH_TTY | (t->foreground ? 0 : LAUNCH_BACKGROUND);
	t->relay.start = start;
	t->relay.fds = wanted;
	t->relay.serve = serve;
	t->relay.signal = signal_came;
	t->relay.stopped = stopped;
	t->relay.finish = finish;
	*ret_relay = &t->relay;
	return 0;
}

/* O_NONBLOCK on the caller's own description would stay after us, in the shell. */
static int open_again(int fd)
{
	char path[32];
	int ret;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return ret >= 0 ? ret : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static int make_pty(struct terminal *t)
{
	CLEAN(fd) int master = open("/dev/ptmx", O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct termios modes;
	int unlock = 0;

	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return -errno;
	/* O_CLOEXEC would stay among the flags that the program sees with F_GETFL. */
	t->slave_fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	if (t->slave_fd < 0)
		return -errno;
	fcntl(t->slave_fd, F_SETFD, FD_CLOEXEC);
	t->master_fd = take_fd(&master);

	if (tcgetattr(t->tty_fd, &modes) == 0) {
		t->modes = modes;
		if (!in_front(t))
			sane_modes(&modes);
		tcsetattr(t->slave_fd, TCSANOW, &modes);
	}
	copy_size(t);
	return 0;
}

/* The shell that is in front edits its line with modes of its own; a program started behind it is not to have those. */
static void sane_modes(struct termios *modes)
{
	modes->c_iflag |= ICRNL | IXON;
	modes->c_oflag |= OPOST | ONLCR;
	modes->c_lflag |= ICANON | ISIG | IEXTEN | ECHO | ECHOE | ECHOK;
}

/* ENOTTY: the terminal controls another session, or none; there is no job control then, and nobody to share with. */
static bool in_front(const struct terminal *t)
{
	pid_t group = tcgetpgrp(t->tty_fd);

	return group == getpgrp() || (group < 0 && errno == ENOTTY);
}

/* ---- called by the launch -------------------------------------------------------------------------------------- */

static void start(struct exec_relay *relay, int control_fd)
{
	struct terminal *t = (struct terminal *)relay;

	t->control_fd = control_fd;
	close(t->slave_fd);
	if (t->foreground)
		go_raw(t);
	evaluate(t, false);
}

static unsigned wanted(struct exec_relay *relay, struct pollfd fds[RELAY_FDS_MAX])
{
	struct terminal *t = (struct terminal *)relay;
	bool reads = t->raw && !t->hung_up && !t->in_n;
	short master = (short)((t->out_n ? 0 : POLLIN) | (t->in_n ? POLLOUT : 0));

	fds[0] = (struct pollfd){.fd = t->closed || !master ? -1 : t->master_fd, .events = master};
	fds[1] = (struct pollfd){.fd = reads || t->out_n ? t->tty_fd : -1};
	fds[1].events = (short)((reads ? POLLIN : 0) | (t->out_n ? POLLOUT : 0));
	return 2;
}

static void serve(struct exec_relay *relay, const struct pollfd *fds, unsigned n)
{
	struct terminal *t = (struct terminal *)relay;

	if (n < 2)
		return;
	if (fds[1].revents & (POLLIN | POLLHUP | POLLERR) && fds[1].events & POLLIN)
		read_typed(t);
	if (fds[0].revents && !t->out_n)
		read_printed(t);
	if (t->in_n && !t->closed) {
		ssize_t done = write(t->master_fd, t->in + t->in_at, t->in_n);

		if (done > 0) {
			t->in_at += (size_t)done;
			t->in_n -= (size_t)done;
		} else if (errno != EAGAIN && errno != EINTR) {
			t->in_n = 0;
		}
	}
	write_printed(t);
}

static int signal_came(struct exec_relay *relay, const struct signalfd_siginfo *info)
{
	struct terminal *t = (struct terminal *)relay;

	if (info->ssi_signo == SIGWINCH)
		return copy_size(t) && t->foreground; /* then the pty tells the program itself */
	if (info->ssi_signo == SIGCONT) {
		if (t->self_continued) {
			t->self_continued = false;
			return 1;
		}
		return evaluate(t, false);
	}
	return 0;
}

/* The program stopped: we stop as it did, unless all it wanted is the terminal and we can give it. */
static void stopped(struct exec_relay *relay, int sig)
{
	struct terminal *t = (struct terminal *)relay;
	bool by_terminal = sig == SIGTTIN || sig == SIGTTOU, was_raw = t->raw;
	struct termios modes;

	if (by_terminal) {
		t->wants_input = true;
		if (!t->foreground && in_front(t)) {
			evaluate(t, true);
			return;
		}
	}

	drain(t);
	modes_back(t);
	/* what a key stops is the whole job, and a key that a raw terminal passed on was for the job, too */
	if (stop_like(sig, by_terminal || (sig == SIGTSTP && was_raw))) {
		t->self_continued = sig != SIGSTOP;
		evaluate(t, true);
		return;
	}

	/* nobody controls our jobs: a stop is no stop, and a read is at the end of the input */
	if (!by_terminal) {
		evaluate(t, true);
	} else {
		t->foreground = true;
		tell(t, CONTROL_FOREGROUND, 1);
		if (tcgetattr(t->master_fd, &modes) == 0) {
			t->in[0] = (char)modes.c_cc[VEOF];
			t->in_n = 1;
			t->in_at = 0;
		}
	}
}

static void finish(struct exec_relay *relay)
{
	struct terminal *t = (struct terminal *)relay;

	drain(t);
	modes_back(t);
}

/* ---- modes and foreground -------------------------------------------------------------------------------------- */

/* Brings the program to where this process now is. Returns true when the supervisor was told, who then continues it. */
static bool evaluate(struct terminal *t, bool always_tell)
{
	bool foreground = t->wants_input && in_front(t);

	if (foreground == t->foreground && !always_tell) {
		if (t->raw)
			go_raw(t); /* the shell may have set its own while we were stopped */
		return false;
	}
	t->foreground = foreground;
	if (foreground) {
		copy_size(t);
		go_raw(t);
	} else {
		t->raw = false; /* the modes are those of whoever is in front */
	}
	tell(t, CONTROL_FOREGROUND, foreground);
	return true;
}

static void go_raw(struct terminal *t)
{
	struct termios raw;

	if (!t->raw && tcgetattr(t->tty_fd, &t->modes) < 0)
		return;
	raw = t->modes;
	cfmakeraw(&raw);
	t->raw = tcsetattr(t->tty_fd, TCSANOW, &raw) == 0;
}

static void modes_back(struct terminal *t)
{
	if (t->raw && in_front(t))
		tcsetattr(t->tty_fd, TCSANOW, &t->modes);
	t->raw = false;
}

/* Returns true when it differed. */
static bool copy_size(struct terminal *t)
{
	struct winsize real, pty;

	if (ioctl(t->tty_fd, TIOCGWINSZ, &real) < 0 || ioctl(t->master_fd, TIOCGWINSZ, &pty) < 0)
		return false;
	if (memcmp(&real, &pty, sizeof(real)) == 0)
		return false;
	return ioctl(t->master_fd, TIOCSWINSZ, &real) == 0;
}

static void tell(struct terminal *t, unsigned kind, int value)
{
	struct control control = {.kind = kind, .value = value};

	send(t->control_fd, &control, sizeof(control), MSG_NOSIGNAL);
}

/* ---- bytes ----------------------------------------------------------------------------------------------------- */

static void read_typed(struct terminal *t)
{
	ssize_t n = read(t->tty_fd, t->in, sizeof(t->in));

	if (n > 0) {
		t->in_n = (size_t)n;
		t->in_at = 0;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		t->hung_up = true;
		tell(t, CONTROL_SIGNAL, SIGHUP);
	}
}

static void read_printed(struct terminal *t)
{
	/* one byte in front for a held return; one read never fills more than the rest */
	ssize_t n = read(t->master_fd, t->out + 1, sizeof(t->out) - 1);

	if (n > 0) {
		t->out_at = 1;
		t->out_n = (size_t)n;
		if (t->relay.printed && !t->relay.printed(t->out + 1, (size_t)n))
			t->relay.printed = NULL;
		if (!t->raw || t->held_cr)
			strip_returns(t);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		t->closed = true; /* no slave is open any more */
	}
}

/* Both line disciplines turn \n into \r\n while the real terminal is not raw: what the pty's added is taken out. */
static void strip_returns(struct terminal *t)
{
	struct termios pty, real;
	size_t from = t->out_at, end = t->out_at + t->out_n, to;
	bool strip = !t->raw && tcgetattr(t->master_fd, &pty) == 0 && tcgetattr(t->tty_fd, &real) == 0 &&
	             pty.c_oflag & OPOST && pty.c_oflag & ONLCR && real.c_oflag & OPOST && real.c_oflag & ONLCR;

	if (t->held_cr)
		t->out[--from] = '\r';
	t->held_cr = false;
	t->out_at = to = from;
	for (; from < end; from++) {
		if (strip && t->out[from] == '\r' && from + 1 == end) {
			t->held_cr = true;
			break;
		}
		if (strip && t->out[from] == '\r' && t->out[from + 1] == '\n')
			continue;
		t->out[to++] = t->out[from];
	}
	t->out_n = to - t->out_at;
}

static void write_printed(struct terminal *t)
{
	ssize_t n;

	if (!t->out_n)
		return;
	n = write(t->tty_fd, t->out + t->out_at, t->out_n);
	if (n > 0) {
		t->out_at += (size_t)n;
		t->out_n -= (size_t)n;
	} else if (errno != EAGAIN && errno != EINTR) {
		t->out_n = 0;
	}
}

/* All that the program has printed so far. A read of a pty's master first moves what is still on its way. */
static void drain(struct terminal *t)
{
	struct pollfd fd = {.fd = t->tty_fd, .events = POLLOUT};

	for (;;) {
		if (!t->out_n && !t->closed)
			read_printed(t);
		if (!t->out_n && t->held_cr) {
			t->out_at = 0;
			t->out[0] = '\r';
			t->out_n = 1;
			t->held_cr = false;
		}
		if (!t->out_n)
			return;
		write_printed(t);
		if (t->out_n && poll(&fd, 1, DRAIN_MS) <= 0)
			return;
	}
}
