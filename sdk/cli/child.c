/* SPDX-License-Identifier: MIT */
#include "sdk/cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/fd.h"
#include "sdk/cli/hot/hot.h"
#include "sdk/cli/hot/sys.h"

#define SUPERVISOR_MS 2000 /* to become warm-init, to take the terminal */

static const char no_child[] = "the first run could not be made a child: out of processes, memory or descriptors";
static const char no_supervisor[] = "the supervisor of the first run does not start";

static void supervise(const struct child *child, int sup_fd, int hold_fd, int pid_fd) __attribute__((noreturn));
static void become_program(const struct child *child, int hold_fd) __attribute__((noreturn));
static void put_descriptors(const struct child *child);
static void own_numbers(const struct child *child);
static void own_socket(struct launch *l);
static bool hear(int sock, void *buf, size_t size, int limit_ms);
static bool heard_report(const struct child *child, uint32_t kind);
static bool send_go(struct child *child);

void child_init(struct child *child, struct launch *launch)
{
	*child = (struct child){
	        .launch = launch, .launcher = getpid(), .sup_fd = -1, .hold_fd = -1, .program_fd = -1, .stdout_fd = -1};
}

/* ---- the two processes ----------------------------------------------------------------------------------------- */

const char *child_make(struct child *child)
{
	CLEAN(fd) int sup_fd = -1, hold_fd = -1, pid_fd = -1, told_fd = -1;
	int sup[2], hold[2], told[2];
	pid_t program = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sup) < 0)
		return no_child;
	child->sup_fd = sup[0];
	sup_fd = sup[1];
	if (pipe2(hold, O_CLOEXEC) < 0)
		return no_child;
	child->hold_fd = hold[1];
	hold_fd = hold[0];
	if (pipe2(told, O_CLOEXEC) < 0)
		return no_child;
	told_fd = told[0];
	pid_fd = told[1];

	/* No exit signal: it would be forwarded, or stay pending for a program that starts cold after all. */
	child->supervisor = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, 0);
	if (child->supervisor == 0) {
		close(child->hold_fd); /* of which the program sees the end where we end */
		supervise(child, sup_fd, hold_fd, pid_fd);
	}
	if (child->supervisor < 0)
		return no_child;
	close(take_fd(&sup_fd));
	close(take_fd(&pid_fd));
	if (fd_read_full(told_fd, &program, sizeof(program)) != sizeof(program))
		return no_child;
	if (!heard_report(child, REPORT_SUP_PARKED))
		return no_supervisor;
	child->launch->program_pid = program;
	child->program_fd = (int)syscall(SYS_pidfd_open, program, 0);
	return child->program_fd < 0 ? no_child : NULL;
}

/* A controlling terminal is inherited at birth or never. All signals are blocked, as a clone's supervisor has them. */
static void supervise(const struct child *child, int sup_fd, int hold_fd, int pid_fd)
{
	const struct exec_relay *relay = child->launch->relay;
	char number[16], pid[16], *argv[] = {(char *)"warm-init", number, pid, NULL}, *env[] = {NULL};
	pid_t program;

	setsid();
	for (int fd = 0; fd < 3; fd++)
		if (relay && relay->slave_for[fd] >= 0 && ioctl(relay->slave_for[fd], TIOCSCTTY, 0) < 0)
			_exit(1);
	put_descriptors(child); /* the program is born with them: warmd looks at them before it runs */
	program = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
	if (program == 0)
		become_program(child, hold_fd);
	/* Before the supervisor looks for the group that is to be in front. */
	if (program < 0 || setpgid(program, program) < 0 || write(pid_fd, &program, sizeof(program)) != sizeof(program))
		_exit(1);
	snprintf(number, sizeof(number), "%d", sup_fd);
	snprintf(pid, sizeof(pid), "%d", program);
	fcntl(sup_fd, F_SETFD, 0);
	syscall(SYS_execveat, child->launch->init_fd, "", argv, env, AT_EMPTY_PATH);
	_exit(1);
}

static void become_program(const struct child *child, int hold_fd)
{
	struct launch *l = child->launch;
	char byte;

	if (fd_read_full(hold_fd, &byte, 1) != 1)
		_exit(1);
	own_numbers(child);
	own_socket(l);
	sys_sigprocmask(l->mask, NULL);
	command_execute(l);
}

/* What was one description with standard output still is: the order of what is written to both is kept. */
static void put_descriptors(const struct child *child)
{
	const struct exec_relay *relay = child->launch->relay;
	long self = getpid();
	bool errors, closed = fcntl(STDERR_FILENO, F_GETFD) != 0;

	for (int fd = 0; fd < 3; fd++)
		if (relay && relay->slave_for[fd] >= 0)
			dup2(relay->slave_for[fd], fd);
	if (child->stdout_fd < 0)
		return;
	errors = !closed && syscall(SYS_kcmp, self, self, KCMP_FILE, STDOUT_FILENO, STDERR_FILENO) == 0;
	dup2(child->stdout_fd, STDOUT_FILENO);
	if (errors)
		dup2(child->stdout_fd, STDERR_FILENO);
}

/* Who started us has told the program about itself by the number that it knew. */
static void own_numbers(const struct child *child)
{
	static const char *const names[] = {"LISTEN_PID=", "WATCHDOG_PID=", "SYSTEMD_EXEC_PID="};
	static char line[sizeof(names) / sizeof(*names)][40];
	char theirs[40];

	for (char **var = child->launch->env; *var; var++)
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
			snprintf(theirs, sizeof(theirs), "%s%d", names[i], child->launcher);
			if (strcmp(*var, theirs) != 0)
				continue;
			snprintf(line[i], sizeof(line[i]), "%s%d", names[i], getpid());
			*var = line[i];
		}
}

/* It finds ours behind its NOTIFY_SOCKET. */
static void own_socket(struct launch *l)
{
	static char line[sizeof("NOTIFY_SOCKET=") + NOTIFY_PATH_MAX];
	size_t n = 0;
	char **env, **to;

	if (!l->reply.notify[0])
		return;
	snprintf(line, sizeof(line), "NOTIFY_SOCKET=%.*s", NOTIFY_PATH_MAX - 1, l->reply.notify);
	while (l->env[n])
		n++;
	env = to = calloc(n + 2, sizeof(*env));
	if (!env)
		_exit(EXIT_WARM);
	for (char **from = l->env; *from; from++)
		if (strncmp(*from, line, strlen("NOTIFY_SOCKET=")) != 0)
			*to++ = *from;
	*to = line;
	l->env = env;
}

/* ---- warmd ----------------------------------------------------------------------------------------------------- */

const char *child_announce(struct child *child)
{
	const struct relay_word started = {.magic = RELAY_MAGIC, .kind = RELAY_STARTED};
	struct relay_word word = {0};
	int sock = child->launch->daemon_fd;

	if (fd_send(sock, &started, sizeof(started), &child->program_fd, 1) < 0 ||
	    !hear(sock, &word, sizeof(word), LAUNCH_SILENCE_MS) || word.magic != RELAY_MAGIC || word.kind != RELAY_GO)
		return "the daemon did not take on the first run";
	return send_go(child) ? NULL : no_supervisor;
}

/* As warmd does it for a clone (warmd/go.c). */
static bool send_go(struct child *child)
{
	struct launch *l = child->launch;
	struct sup_go go = {.magic = SUP_MAGIC, .flags = l->relay ? l->relay->flags : 0};
	int pair[2], fds[2] = {-1, -1};
	size_t n_fds = 1;
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return false;
	close(l->control_fd);
	l->control_fd = pair[0];
	fds[0] = pair[1];
	for (int fd = 0; fd < 3 && l->relay && n_fds == 1; fd++)
		if (l->relay->slave_for[fd] >= 0)
			fds[n_fds++] = l->relay->slave_for[fd];
	r = fd_send(child->sup_fd, &go, sizeof(go), fds, n_fds);
	close(pair[1]);
	return r == 0 && heard_report(child, REPORT_SUP_READY);
}

static bool heard_report(const struct child *child, uint32_t kind)
{
	struct report report = {0};

	return hear(child->sup_fd, &report, sizeof(report), SUPERVISOR_MS) && report.magic == REPORT_MAGIC &&
	       report.kind == kind;
}

static bool hear(int sock, void *buf, size_t size, int limit_ms)
{
	struct pollfd fd = {.fd = sock, .events = POLLIN};

	return poll(&fd, 1, limit_ms) > 0 && fd_recv(sock, buf, size, NULL, NULL, MSG_DONTWAIT) == (ssize_t)size;
}

/* ---- the end --------------------------------------------------------------------------------------------------- */

void child_go(struct child *child)
{
	struct launch *l = child->launch;

	l->program_fd = child->program_fd;
	(void)!write(child->hold_fd, "", 1);
	close(child->hold_fd);
	close(child->sup_fd);
	if (child->stdout_fd >= 0)
		close(child->stdout_fd); /* the program's alone: its end is to be seen */
}

void child_abandon(struct child *child)
{
	clean_fd(&child->hold_fd); /* ends the program */
	clean_fd(&child->sup_fd);  /* ends the supervisor */
	if (child->supervisor > 0) {
		kill(child->supervisor, SIGKILL);
		waitpid(child->supervisor, NULL, __WALL);
	}
	clean_fd(&child->stdout_fd);
	clean_fd(&child->program_fd);
}
