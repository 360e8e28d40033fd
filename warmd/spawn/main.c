/* SPDX-License-Identifier: MIT */
/*
 * warm-spawn: the first process. Starts warmd and, on warmd's word, the workers; reaps what is born to it.
 *
 *     warm-spawn WARMD ARG...
 *
 *     shell ── warm-spawn ──┬── warmd --spawn-fd 3 ARG...
 *                           ├── warm-snap, warm-store, warm-opened, warm-pager, warm-restore (templates)
 *                           └── supervisors of clones (made by templates with CLONE_PARENT)
 *
 * It is an ancestor of every clone, so it does nothing to itself that a clone would inherit for ever: no seccomp, no
 * capability, limit, namespace or oom score is touched; the umask stays as it was; signals are put back for each
 * child. But its niceness is 0, whoever started it: a clone that may not raise its priority could not leave another. It
 * reads nothing that a user wrote: requests come from warmd in a fixed layout (spawn.h) and name one of five programs.
 * It ends when warmd has ended, with warmd's status.
 *
 * Descriptor 4, where open, is warmd's (the pipe on which it tells `warmd` in the foreground that it is ready).
 */
#include "warmd/spawn/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FD    3
#define READY_FD    4
#define FDS_MAX     16
#define REQUEST_MAX 8192

static const char *const program_name[] = {
        [SPAWN_SNAP] = "warm-snap",     [SPAWN_STORE] = "warm-store", [SPAWN_RESTORE] = "warm-restore",
        [SPAWN_OPENED] = "warm-opened", [SPAWN_PAGER] = "warm-pager",
};

struct spawn {
	char dir[PATH_MAX]; /* where warm-spawn itself lies: the programs lie beside it */
	int sock;           /* to warmd; -1 once closed */
	int signal_fd;
	pid_t warmd;
};

static int die(const char *what)
{
	fprintf(stderr, "warm-spawn: %s: %s\n", what, strerror(errno));
	return 1;
}

/* ---- starting a program ---------------------------------------------------------------------------------------- */

/* In the child: signals as after a login, descriptors 0..2 and 3.. as asked, nothing else. */
static void child_exec(const char *path, char *const argv[], const int *fds, size_t n_fds, uint32_t stdout_index)
{
	sigset_t none;
	int high[FDS_MAX];

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);

	/* Out of the way first: a descriptor may lie where another one has to go. */
	for (size_t i = 0; i < n_fds; i++) {
		high[i] = fcntl(fds[i], F_DUPFD, FIRST_FD + FDS_MAX);
		if (high[i] < 0)
			_exit(126);
	}
	if (stdout_index < n_fds && dup2(high[stdout_index], STDOUT_FILENO) < 0)
		_exit(126);
	for (size_t i = 0; i < n_fds; i++) {
		if (dup2(high[i], FIRST_FD + (int)i) < 0)
			_exit(126);
	}
	syscall(SYS_close_range, FIRST_FD + (unsigned)n_fds, ~0u, 0);

	execv(path, argv);
	dprintf(STDERR_FILENO, "warm-spawn: %s: %s\n", path, strerror(errno));
	_exit(127);
}

/* Returns the pid or -errno. */
static pid_t worker_start(struct spawn *spawn, uint32_t program, char **argv, const int *fds, size_t n_fds,
                          uint32_t stdout_index)
{
	char path[PATH_MAX + 32];
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s", spawn->dir, program_name[program]);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		/* Ctrl-C in the terminal of `warmd --foreground` is no business of a template. */
		setsid();
		if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
			_exit(126);
		child_exec(path, argv, fds, n_fds, stdout_index);
	}
	return pid;
}

static int warmd_start(struct spawn *spawn, int argc, char **argv)
{
	char **args = calloc((size_t)argc + 3, sizeof(*args));
	bool ready = fcntl(READY_FD, F_GETFD) >= 0; /* asked before our own socket may get the number */
	int pair[2], n = 0;

	if (!args || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return die("start warmd");

	args[n++] = argv[1];
	args[n++] = (char *)"--spawn-fd";
	args[n++] = (char *)"3";
	for (int i = 2; i < argc; i++)
		args[n++] = argv[i];

	spawn->warmd = fork();
	if (spawn->warmd < 0)
		return die("start warmd");
	if (spawn->warmd == 0) {
		int fds[2] = {pair[1], READY_FD};

		child_exec(argv[1], args, fds, ready ? 2 : 1, UINT32_MAX);
	}
	close(pair[1]);
	if (ready)
		close(READY_FD);
	spawn->sock = pair[0];
	free(args);
	return 0;
}

/* ---- requests of warmd ------------------------------------------------------------------------------------------ */

static void answer(struct spawn *spawn, pid_t pid)
{
	struct spawn_answer msg = {.magic = SPAWN_MAGIC, .pid = pid};
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {&msg, sizeof(msg)};
	struct msghdr hdr = {.msg_iov = &iov, .msg_iovlen = 1};
	int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (pidfd >= 0) {
		hdr.msg_control = control.buf;
		hdr.msg_controllen = sizeof(control.buf);
		struct cmsghdr *c = CMSG_FIRSTHDR(&hdr);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pidfd, sizeof(int));
	}
	sendmsg(spawn->sock, &hdr, MSG_NOSIGNAL);
	if (pidfd >= 0)
		close(pidfd);
}

/* Splits n_args strings behind the request. Returns 0 or -EINVAL. */
static int split_args(char *text, size_t len, uint32_t n_args, char **argv)
{
	char *end = text + len;

	if (n_args < 1 || n_args > SPAWN_ARGS_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < n_args; i++) {
		char *nul = memchr(text, '\0', (size_t)(end - text));

		if (!nul)
			return -EINVAL;
		argv[i] = text;
		text = nul + 1;
	}
	argv[n_args] = NULL;
	return 0;
}

static pid_t request_serve(struct spawn *spawn, char *buf, size_t len, const int *fds, size_t n_fds)
{
	struct spawn_request req;
	char *argv[SPAWN_ARGS_MAX + 1];

	if (len < sizeof(req))
		return -EINVAL;
	memcpy(&req, buf, sizeof(req));
	if (req.magic != SPAWN_MAGIC || req.program < SPAWN_SNAP || req.program > SPAWN_PAGER ||
	    split_args(buf + sizeof(req), len - sizeof(req), req.n_args, argv))
		return -EINVAL;
	return worker_start(spawn, req.program, argv, fds, n_fds, req.stdout_fd);
}

static void request_read(struct spawn *spawn)
{
	static char buf[REQUEST_MAX];
	union {
		char buf[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr hdr = {
	        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)};
	ssize_t len = recvmsg(spawn->sock, &hdr, MSG_CMSG_CLOEXEC);
	int fds[FDS_MAX];
	size_t n_fds = 0;

	if (len <= 0) { /* warmd has closed it: it is about to end, SIGCHLD will say so */
		close(spawn->sock);
		spawn->sock = -1;
		return;
	}
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&hdr); c; c = CMSG_NXTHDR(&hdr, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(fds, CMSG_DATA(c), n_fds * sizeof(int));
		}
	}
	answer(spawn, hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? -EMSGSIZE
	                                                       : request_serve(spawn, buf, (size_t)len, fds, n_fds));
	for (size_t i = 0; i < n_fds; i++)
		close(fds[i]);
}

/* ---- signals ---------------------------------------------------------------------------------------------------- */

/* Reaps every child. Returns true once warmd was among them. */
static int reap(struct spawn *spawn, int *ret_status)
{
	int status, ended = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
		if (pid == spawn->warmd) {
			*ret_status = status;
			ended = 1;
		}
	}
	return ended;
}

static int signals_init(struct spawn *spawn)
{
	sigset_t set;

	/* The shell may have ignored some (nohup): every child shall start with all of them as they are by default. */
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_SETMASK, &set, NULL))
		return -1;
	spawn->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	return spawn->signal_fd < 0 ? -1 : 0;
}

/* Serves until warmd has ended; returns the exit status. */
static int serve(struct spawn *spawn)
{
	int status = 0;

	for (;;) {
		struct pollfd fds[2] = {{.fd = spawn->signal_fd, .events = POLLIN},
		                        {.fd = spawn->sock, .events = POLLIN}};
		struct signalfd_siginfo info;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return die("poll");
		if (fds[1].revents)
			request_read(spawn);
		if (!fds[0].revents || read(spawn->signal_fd, &info, sizeof(info)) != sizeof(info))
			continue;
		if (info.ssi_signo != SIGCHLD)
			kill(spawn->warmd, (int)info.ssi_signo);
		else if (reap(spawn, &status))
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}

/* Where warm-spawn lies, without its own name. */
static int own_dir(char *dir, size_t size)
{
	ssize_t len = readlink("/proc/self/exe", dir, size - 1);
	char *slash;

	if (len < 0)
		return -1;
	dir[len] = '\0';
	slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
	return 0;
}

int main(int argc, char **argv)
{
	struct spawn spawn = {.sock = -1};

	if (argc < 2 || argv[1][0] != '/') {
		fprintf(stderr, "usage: warm-spawn /PATH/OF/warmd [ARG]... (it is started by warmd)\n");
		return 2;
	}
	setpriority(PRIO_PROCESS, 0, 0); /* where that is not allowed, launches with a lower one are cold */
	close(FIRST_FD);
	syscall(SYS_close_range, READY_FD + 1, ~0u, 0);
	if (own_dir(spawn.dir, sizeof(spawn.dir)) || chdir("/"))
		return die("find the programs beside warm-spawn");
	if (signals_init(&spawn))
		return die("signals");
	if (warmd_start(&spawn, argc, argv))
		return 1;
	return serve(&spawn);
}
