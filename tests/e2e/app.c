/* SPDX-License-Identifier: MIT */
/*
 * The application of the end-to-end tests. Its arguments, working directory and variables APP_* are the launch's; what
 * it does after the hook is what its arguments say, one word after the other:
 *
 *     outcome            prints cold, resumed or restored
 *     exit N / signal N  ends so
 *     args, cwd, env NAME, file PATH, random, pid, generation   prints it
 *     cat                copies stdin to stdout until end of file
 *     append FILE TEXT   adds one line to FILE
 *     sleep MS           and goes on
 *     trap               prints "trapping", then a line for each signal that comes, until SIGQUIT
 *     hold               prints "holding" and waits for ever
 *     line               reads one line and prints it in brackets
 *     flood              writes to stdout until that fails
 *     fork               makes a child that ends, and prints "forked", or why it could not
 *
 * With SETUP_FILE=FILE that file is read before the hook, and declared: `setup` prints what was read.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sdk/c/warm.h"

static char setup[4096];

static void on_signal(int sig, siginfo_t *info, void *context)
{
	char text[80];
	int len = snprintf(text, sizeof text, "signal %d code %d value %d\n", sig, info->si_code,
	                   sig >= SIGRTMIN ? info->si_value.sival_int : 0);

	(void)context;
	if (write(1, text, (size_t)len) < 0 || sig == SIGQUIT)
		_exit(0);
}

static void trap(void)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};

	for (int sig = 1; sig <= SIGRTMAX; sig++)
		if (sig != SIGKILL && sig != SIGSTOP && sig != SIGCHLD && sig != SIGTSTP && sig != SIGCONT)
			sigaction(sig, &action, NULL);
	puts("trapping");
	fflush(stdout);
	for (;;)
		pause();
}

static void copy(int from)
{
	static char block[65536];
	ssize_t len;

	fflush(stdout);
	while ((len = read(from, block, sizeof block)) > 0)
		if (write(1, block, (size_t)len) != len)
			exit(3);
}

static void show_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		fprintf(stderr, "app: %s: %s\n", path, strerror(errno));
		exit(4);
	}
	copy(fd);
	close(fd);
}

static void append(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || dprintf(fd, "%s\n", text) < 0)
		exit(5);
	close(fd);
}

static void random_numbers(void)
{
	unsigned char bytes[16];

	if (syscall(SYS_getrandom, bytes, sizeof bytes, 0) != sizeof bytes)
		exit(6);
	for (unsigned i = 0; i < sizeof bytes; i++)
		printf("%02x", bytes[i]);
	putchar('\n');
	show_file("/proc/sys/kernel/random/uuid");
}

static void one_line(void)
{
	char line[256];

	if (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\r\n")] = 0;
		printf("[%s]\n", line);
	} else {
		puts("end of file");
	}
}

static void sleep_ms(long ms)
{
	struct timespec left = {ms / 1000, ms % 1000 * 1000000};

	fflush(stdout);
	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static void fork_once(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	if (child < 0)
		printf("fork: %s\n", strerror(errno));
	else if (waitpid(child, NULL, 0) == child)
		puts("forked");
}

/* One word of the arguments; returns how many were used up. */
static int obey(int argc, char **argv, int outcome)
{
	const char *word = argv[0], *arg = argc > 1 ? argv[1] : "";

	if (!strcmp(word, "outcome"))
		puts(outcome == WARM_RESTORED ? "restored" : outcome == WARM_RESUMED ? "resumed" : "cold");
	else if (!strcmp(word, "exit"))
		exit(atoi(arg));
	else if (!strcmp(word, "signal"))
		return fflush(stdout), raise(atoi(arg)), 2;
	else if (!strcmp(word, "env"))
		return printf("%s\n", getenv(arg) ? getenv(arg) : "(unset)"), 2;
	else if (!strcmp(word, "file"))
		return show_file(arg), 2;
	else if (!strcmp(word, "sleep"))
		return sleep_ms(atol(arg)), 2;
	else if (!strcmp(word, "append"))
		return append(arg, argc > 2 ? argv[2] : ""), 3;
	else if (!strcmp(word, "args"))
		for (int i = 0; i < warm_argc(); i++)
			printf("%s%s", warm_argv()[i], i + 1 < warm_argc() ? "|" : "\n");
	else if (!strcmp(word, "cwd"))
		puts(getcwd((char[4096]){0}, 4096));
	else if (!strcmp(word, "setup"))
		fputs(setup, stdout);
	else if (!strcmp(word, "random"))
		random_numbers();
	else if (!strcmp(word, "pid"))
		printf("%d %d\n", (int)getpid(), (int)getppid());
	else if (!strcmp(word, "generation"))
		printf("%llu\n", (unsigned long long)warm_generation());
	else if (!strcmp(word, "cat"))
		copy(0);
	else if (!strcmp(word, "line"))
		one_line();
	else if (!strcmp(word, "trap"))
		trap();
	else if (!strcmp(word, "hold"))
		for (puts("holding"), fflush(stdout);;)
			pause();
	else if (!strcmp(word, "fork"))
		fork_once();
	else if (!strcmp(word, "flood"))
		while (write(1, setup, sizeof setup) > 0)
			;
	else
		fprintf(stderr, "app: no such word: %s\n", word);
	return 1;
}

static void read_setup(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, setup, sizeof setup - 1);

	if (len < 0)
		exit(9);
	setup[len] = 0;
	close(fd);
	warm_depends(path);
}

int main(int argc, char **argv)
{
	int outcome;

	if (getenv("SETUP_FILE"))
		read_setup(getenv("SETUP_FILE"));
	warm_launch_env("APP_*");
	outcome = warm_ready(WARM_ARGV | WARM_CWD);
	if (warm_argv()) {
		argc = warm_argc();
		argv = warm_argv();
	}
	for (int i = 1; i < argc;) {
		int used = obey(argc - i, argv + i, outcome);

		fflush(stdout);
		i += used;
	}
	return 0;
}
