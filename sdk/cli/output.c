/* SPDX-License-Identifier: MIT */
/*
 *     program ── pipe ──┬── splice(2): pages change hands ──────────────► standard output, a pipe, file or /dev/null
 *                       │      └─ tee(2) ► side pipe ► printed(), until that has seen enough
 *                       └── read ► printed() ► write ─────────────────► standard output of any other kind
 *
 * Nothing here waits, for signals have to be forwarded meanwhile: where standard output takes nothing, nothing is taken
 * from the program, which then waits as it would itself. When nobody reads our standard output any more, the pipe is
 * closed, and the program hears of it by its next write.
 */
#include "sdk/cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sdk/cli/hot/hot.h"

#define CHUNK (64u << 10)
#define TURNS 16 /* chunks between two looks at signals */

struct output {
	struct exec_output ops; /* first: the launch hands it back */
	bool (*printed)(const char *bytes, size_t n);
	int in_fd; /* -1: there comes no more */
	int side_fd[2];
	bool splices, is_socket, is_device;
	bool blocked; /* standard output takes nothing now */
	size_t seen;  /* bytes at the head of the pipe that were shown already */
	size_t at, n; /* of buf: what is still to be written */
	char buf[CHUNK];
};

static struct output output;

static void wanted(struct exec_output *ops, struct pollfd fds[OUTPUT_FDS]);
static void serve(struct exec_output *ops, const struct pollfd fds[OUTPUT_FDS]);
static void finish(struct exec_output *ops);
static bool move(struct output *o);
static bool look(struct output *o);
static bool copy(struct output *o);
static ssize_t write_some(const struct output *o);
static void show(struct output *o, const char *bytes, size_t n);
static void show_no_more(struct output *o);
static void end_of_input(struct output *o);
static void nobody_takes(struct output *o, int err);

struct exec_output *output_open(bool (*printed)(const char *bytes, size_t n), int *ret_fd)
{
	struct output *o = &output;
	int pair[2], flags = fcntl(STDOUT_FILENO, F_GETFL);
	struct stat st = {0};

	fstat(STDOUT_FILENO, &st);
	o->is_socket = S_ISSOCK(st.st_mode);
	o->is_device = S_ISCHR(st.st_mode);
	/* splice(2) refuses those that append, and waits for sockets and most devices. */
	o->splices = S_ISFIFO(st.st_mode) || (S_ISREG(st.st_mode) && !(flags & O_APPEND)) ||
	             (o->is_device && st.st_rdev == makedev(1, 3));
	if (pipe2(pair, O_CLOEXEC) < 0)
		return NULL;
	if (pipe2(o->side_fd, O_CLOEXEC) < 0) {
		close(pair[0]);
		close(pair[1]);
		return NULL;
	}
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	fcntl(pair[1], F_SETFL, flags & O_NONBLOCK); /* as the program would have found its own */
	o->printed = printed;
	o->in_fd = pair[0];
	o->ops.fds = wanted;
	o->ops.serve = serve;
	o->ops.finish = finish;
	*ret_fd = pair[1];
	return &o->ops;
}

/* ---- called by the launch -------------------------------------------------------------------------------------- */

static void wanted(struct exec_output *ops, struct pollfd fds[OUTPUT_FDS])
{
	struct output *o = (struct output *)ops;

	fds[0] = (struct pollfd){.fd = o->blocked ? -1 : o->in_fd, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = o->in_fd < 0 ? -1 : STDOUT_FILENO, .events = o->blocked ? POLLOUT : 0};
}

static void serve(struct exec_output *ops, const struct pollfd fds[OUTPUT_FDS])
{
	struct output *o = (struct output *)ops;

	if (fds[1].revents & (POLLERR | POLLHUP | POLLNVAL))
		nobody_takes(o, EPIPE);
	if (fds[0].revents || fds[1].revents & POLLOUT)
		for (int turn = 0; turn < TURNS && o->in_fd >= 0; turn++)
			if (!(o->splices ? move(o) : copy(o)))
				break;
}

/*
 * The program has ended, and so do we. Where a child of it still has the pipe, or nobody takes what is in there, a
 * process stays behind that carries it over, as it would lie in the caller's own pipe after a cold start.
 */
static void finish(struct exec_output *ops)
{
	struct output *o = (struct output *)ops;
	struct pollfd fds[OUTPUT_FDS];

	while (o->in_fd >= 0 && (o->splices ? move(o) : copy(o)))
		;
	if (o->in_fd < 0 || syscall(SYS_clone, 0, NULL, NULL, NULL, 0) != 0)
		return;
	show_no_more(o);
	dup2(o->in_fd, STDIN_FILENO);
	o->in_fd = STDIN_FILENO;
	close_range(STDERR_FILENO, ~0u, 0);
	while (o->in_fd >= 0) {
		wanted(ops, fds);
		poll(fds, OUTPUT_FDS, -1);
		serve(ops, fds);
	}
	_exit(0);
}

/* ---- without a copy -------------------------------------------------------------------------------------------- */

/* Returns true when it makes sense to go on at once. */
static bool move(struct output *o)
{
	ssize_t n;
	int left = 0;

	if (o->printed && !o->seen && !look(o))
		return false;
	n = splice(o->in_fd, NULL, STDOUT_FILENO, NULL, o->printed ? o->seen : CHUNK, SPLICE_F_NONBLOCK);
	if (n > 0) {
		o->seen -= o->seen < (size_t)n ? o->seen : (size_t)n;
		o->blocked = false;
		return true;
	}
	if (n == 0) {
		end_of_input(o);
	} else if (errno == EAGAIN) { /* of which of the two? */
		o->blocked = ioctl(o->in_fd, FIONREAD, &left) == 0 && left > 0;
	} else if (errno == EINVAL) {
		o->splices = false;
		return true;
	} else if (errno != EINTR) {
		nobody_takes(o, errno);
	}
	return false;
}

/* A copy of what is in the pipe, which stays there. */
static bool look(struct output *o)
{
	ssize_t n = tee(o->in_fd, o->side_fd[1], CHUNK, SPLICE_F_NONBLOCK);

	if (n == 0)
		end_of_input(o);
	if (n <= 0)
		return false;
	o->seen = (size_t)n;
	for (ssize_t done; n > 0; n -= done) {
		done = read(o->side_fd[0], o->buf, (size_t)n);
		if (done <= 0)
			break;
		show(o, o->buf, (size_t)done);
	}
	return true;
}

/* ---- with a copy ----------------------------------------------------------------------------------------------- */

static bool copy(struct output *o)
{
	ssize_t n;

	if (!o->n) {
		n = read(o->in_fd, o->buf, CHUNK);
		if (n == 0)
			end_of_input(o);
		if (n <= 0)
			return false;
		o->at = 0;
		o->n = (size_t)n;
		if (o->seen < o->n) /* some were shown while they were to be spliced */
			show(o, o->buf + o->seen, o->n - o->seen);
		o->seen -= o->seen < o->n ? o->seen : o->n;
	}
	n = write_some(o);
	if (n > 0) {
		o->at += (size_t)n;
		o->n -= (size_t)n;
		o->blocked = false;
		return true;
	}
	if (errno == EAGAIN)
		o->blocked = true;
	else if (errno != EINTR)
		nobody_takes(o, errno);
	return false;
}

/* O_NONBLOCK is the caller's description's, and stays as it is. A device that takes something takes a little. */
static ssize_t write_some(const struct output *o)
{
	struct pollfd fd = {.fd = STDOUT_FILENO, .events = POLLOUT};
	size_t n = o->n;

	if (o->is_socket)
		return send(STDOUT_FILENO, o->buf + o->at, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (o->is_device) {
		if (poll(&fd, 1, 0) == 0) {
			errno = EAGAIN;
			return -1;
		}
		n = n < 256 ? n : 256;
	}
	return write(STDOUT_FILENO, o->buf + o->at, n);
}

/* ---- what is shown, and the ends ------------------------------------------------------------------------------- */

static void show(struct output *o, const char *bytes, size_t n)
{
	if (o->printed && !o->printed(bytes, n))
		show_no_more(o);
}

static void show_no_more(struct output *o)
{
	if (o->printed) {
		close(o->side_fd[0]);
		close(o->side_fd[1]);
	}
	o->printed = NULL;
}

/* Whoever reads our standard output shall see its end as well. */
static void end_of_input(struct output *o)
{
	close(o->in_fd);
	o->in_fd = -1;
	close(STDOUT_FILENO);
}

/* The program's next write fails. Of a full disk it would have heard itself: so we say it. */
static void nobody_takes(struct output *o, int err)
{
	if (err != EPIPE)
		dprintf(STDERR_FILENO, "warm: standard output: %s; the program's next write fails with EPIPE\n",
		        strerror(err));
	if (o->in_fd >= 0)
		close(o->in_fd);
	o->in_fd = -1;
	o->n = 0;
}
