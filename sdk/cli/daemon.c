/* SPDX-License-Identifier: MIT */
/* The embedded daemon: started by the first launch that finds none, detached, with clean state. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sdk/cli/exec.h"

#define N_KEPT 16

static int find_warmd(char path[PATH_MAX]);
static void run_warmd(const char *path, const char *socket_path) __attribute__((noreturn));
static void clean_env(char *env[N_KEPT + 1]);

int daemon_start(const char *socket_path)
{
	char path[PATH_MAX];
	int ret = find_warmd(path), status;
	long pid;

	if (ret < 0)
		return ret;

	/* no exit signal: a SIGCHLD that the caller has blocked would stay pending for the program */
	pid = syscall(SYS_clone, 0, NULL, NULL, NULL, 0);
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		setsid();
		pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
		if (pid == 0)
			run_warmd(path, socket_path);
		_exit(pid < 0);
	}
	while (waitpid((pid_t)pid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	return status == 0 ? 0 : -EAGAIN;
}

/* Beside this program, or in the sbin that belongs to its bin. */
static int find_warmd(char path[PATH_MAX])
{
	static const char *const places[] = {"warmd", "../sbin/warmd"};
	char own[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *slash;

	if (n < 0)
		return -errno;
	own[n] = '\0';
	slash = strrchr(own, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		if (snprintf(path, PATH_MAX, "%s/%s", own, places[i]) >= PATH_MAX)
			return -ENAMETOOLONG;
		if (access(path, X_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

static void run_warmd(const char *path, const char *socket_path)
{
	const char *root = getenv("WARM_ROOT");
	char *argv[8] = {(char *)"warmd", (char *)"--embedded", (char *)"--socket", (char *)socket_path};
	char *env[N_KEPT + 1];
	char absolute[PATH_MAX], cwd[PATH_MAX / 2];
	struct sigaction standard = {.sa_handler = SIG_DFL};
	sigset_t none;
	int null = open("/dev/null", O_RDWR);

	if (root && *root) {
		argv[4] = (char *)"--root";
		argv[5] = (char *)root;
	}
	if (socket_path[0] != '/' && getcwd(cwd, sizeof(cwd))) {
		snprintf(absolute, sizeof(absolute), "%s/%s", cwd, socket_path);
		argv[3] = absolute;
	}
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	close_range(3, ~0u, 0);
	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &standard, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	if (chdir("/") < 0)
		_exit(1);
	clean_env(env);
	execve(path, argv, env);
	_exit(1);
}

static void clean_env(char *env[N_KEPT + 1])
{
	static const char *const kept[] = {"HOME=", "USER=", "LOGNAME=", "LANG=", "TMPDIR=", "XDG_"};
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	size_t n = 0;

	env[n++] = path;
	for (char **var = environ; *var; var++)
		for (size_t i = 0; i < sizeof(kept) / sizeof(*kept) && n < N_KEPT; i++)
			if (strncmp(*var, kept[i], strlen(kept[i])) == 0)
				env[n++] = *var;
	env[n] = NULL;
}
