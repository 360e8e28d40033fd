/* SPDX-License-Identifier: MIT */
/*
 * One `warm exec`, from its options to its exit status, written once: the entry point calls it before libc has started,
 * libc's main() (sdk/cli/exec.c) calls it with the slow extras: a terminal to relay, a daemon that had to be started.
 * Nothing in this folder calls libc; the state is one `struct launch`.
 *
 *     hot_exec:  find the command ─► ask the daemon ─► await the answer ─┬─► follow the clone, end as it ends
 *                                                                        ├─► take the token, execve: a cold start
 *                                                                        └─► take the token, return: a first run that
 *                                                                            main() stands behind (sdk/cli/first_run.c)
 */
#ifndef WARM_HOT_H
#define WARM_HOT_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/signalfd.h>

#include "proto/launch.h"

#define EXIT_WARM       125 /* our own failure */
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND  127
#define PATH_BYTES      4096
#define RELAY_FDS_MAX   4
#define OUTPUT_FDS      2
#define NOTIFY_FDS      2

struct exec_options {
	const char *socket; /* of --socket, or $WARM_SOCKET, or NULL: the default place */
	int socket_given;   /* --socket: the program gets it as $WARM_SOCKET */
	const char *name;   /* "" none */
	const char *ready;  /* "" sdk */
	int explain;
	uint32_t flags; /* enum launch_flags */
	char **argv;    /* CMD and its arguments */
	char **env;
	uint64_t started_ns;                /* CLOCK_MONOTONIC at the first instruction */
	const char *problem, *problem_with; /* after OPTIONS_WRONG */
};

enum options_kind { OPTIONS_EXEC, OPTIONS_OTHER, OPTIONS_WRONG };

/* Reads `[--socket P] [--json] exec OPTIONS CMD…`. OPTIONS_OTHER: another verb, or a request for help. */
enum options_kind options_parse(char **argv, char **env, struct exec_options *ret_options);

/* Where the daemon is: the socket of the options, or the default place of this user. 0, or -errno where it is too long.
 */
int hot_socket_path(const char *socket, char *const *env, char buf[PATH_BYTES]);

/* A connection to the daemon there, or -errno: -ENOENT and -ECONNREFUSED none is there, -EAGAIN it is swamped,
 * -EPERM it belongs to another user, who would get all our descriptors. */
int hot_connect(const char *path);

/*
 * A terminal that is relayed (sdk/cli/terminal.c). The launch calls it, in this order; every member is set.
 * A stop of the program is the relay's to copy, because it owns the terminal's modes.
 */
struct exec_relay {
	uint32_t flags;   /* for the request: LAUNCH_TTY, LAUNCH_BACKGROUND */
	int slave_for[3]; /* what is sent for 0, 1, 2 in place of themselves; -1: themselves */
	void (*start)(struct exec_relay *relay, int control_fd);
	unsigned (*fds)(struct exec_relay *relay, struct pollfd fds[RELAY_FDS_MAX]);
	void (*serve)(struct exec_relay *relay, const struct pollfd *fds, unsigned n);
	int (*signal)(struct exec_relay *relay, const struct signalfd_siginfo *info); /* 1: not to be forwarded */
	void (*stopped)(struct exec_relay *relay, int sig);
	void (*finish)(struct exec_relay *relay); /* drains the program's output, gives the terminal its modes back */
	/* Set by others: is shown what the program prints before it is printed, until it returns 0. May be NULL. */
	_Bool (*printed)(const char *bytes, size_t n);
};

/* The standard output of a first run that is a pipe to us (sdk/cli/output.c), in the same way. */
struct exec_output {
	void (*fds)(struct exec_output *output, struct pollfd fds[OUTPUT_FDS]);
	void (*serve)(struct exec_output *output, const struct pollfd fds[OUTPUT_FDS]);
	void (*finish)(struct exec_output *output); /* the program has ended: what it has printed shall come out */
};

struct launch {
	const struct exec_options *options;
	struct exec_relay *relay;   /* or NULL */
	struct exec_output *output; /* or NULL */
	char **env;                 /* the program's */
	char path[PATH_BYTES];      /* what is executed */
	char cwd[PATH_BYTES];
	int stderr_open;
	int daemon_fd, control_fd, token_fd, signal_fd;
	int carrier_fd; /* the program's descriptors are in it until warmd has fetched them */
	int blocked;    /* signals are blocked; `mask` is the caller's */
	uint64_t mask;
	int control_gone; /* no supervisor has the other end any more */
	int have_reply;
	struct launch_reply reply;
	uint64_t sent_ns, heard_ns; /* --explain: the request was sent; a clone runs */
	int init_fd;                /* LAUNCH_RELAY: an open warm-init */
	int notify_fd;              /* the program's NOTIFY_SOCKET, or -1 */
	int notify_to;              /* ours, connected to, or -1 */
	int program_fd;             /* a pidfd of the program, where it is a child of ours and no clone; else 0 */
	int32_t program_pid;        /* ... and its number */
	void (*notified)(struct launch *l); /* that program itself has said READY=1; NULL: nobody wants to know */
};

/* Runs the command and ends as it ends. Returns only where the program is to be a child of ours (LAUNCH_RELAY): the
 * launch, its token taken; nothing has been started. */
struct launch *hot_exec(const struct exec_options *options, int daemon_fd, struct exec_relay *relay);
/* The same without asking the daemon, for that reason. */
void hot_exec_cold(const struct exec_options *options, const char *why) __attribute__((noreturn));

/* ---- the steps ------------------------------------------------------------------------------------------------ */

/* Through PATH as execvp(3) does; ends with 126 or 127 where there is nothing to run. */
void command_find(struct launch *l);
/* The program's environment: the caller's, and $WARM_SOCKET after --socket. */
void command_env(struct launch *l);
/* Puts "NAME=VALUE" and a separator in front of what NAME is in the program's environment; alone it has no separator.
 */
void command_prepend_env(struct launch *l, const char *prefix);
/* Executes it in our place, with /bin/sh where the kernel knows no format. Returns only by exiting. */
void command_execute(struct launch *l) __attribute__((noreturn));

/* The program gets a network namespace of its own; ends with 125 where it cannot be made. */
void network_private(struct launch *l);
void network_enter(int fd); /* that of a clone, as far as we may */

/* Encodes a request and lists the program's descriptors, as fd_number[] does. NULL, or why it cannot be. */
struct request {
	struct launch_request *message;
	unsigned n_fds;
	int fd[LAUNCH_FDS_MAX];
};
const char *request_build(struct request *request, struct launch *l);

/* Sends the request. NULL, or why not: nothing has been sent then. */
const char *launch_ask(struct launch *l);
/* Until a clone has the token (NULL) or we have (why the start is cold). */
const char *launch_await(struct launch *l);
/* Between the program and whoever sends signals to this process, until the program has ended. */
void launch_follow(struct launch *l) __attribute__((noreturn));
void launch_cold(struct launch *l, const char *why) __attribute__((noreturn));

/* From here on what comes out of fd, the program's NOTIFY_SOCKET, goes to the one in our environment, if there is one.
 */
void notify_open(struct launch *l, int fd);
void notify_say_ready(struct launch *l);
void notify_fds(const struct launch *l, struct pollfd fds[NOTIFY_FDS]);
void notify_serve(struct launch *l, const struct pollfd fds[NOTIFY_FDS]);
void notify_finish(struct launch *l); /* the program has ended: what it has said still counts */

/* Ends as the wait status says, by the same signal without a core. */
void end_like(int status) __attribute__((noreturn));
/* Stops this process, or its group, by `sig` with its default action. 1: was stopped and continued; 0: was not, because
 * its group is orphaned or the caller ignores nothing else. */
int stop_like(int sig, int group);

/* One line on standard error, put together from parts, and the end. */
#define hot_fail(l, code, ...) hot_fail_parts(l, code, (const char *const[]){__VA_ARGS__, NULL})
void hot_fail_parts(const struct launch *l, int code, const char *const *part) __attribute__((noreturn));

/* The JSON line of --explain. */
void hot_explain(const struct launch *l, const char *cold_reason);

extern uint64_t hot_started_ns;   /* CLOCK_MONOTONIC at the first instruction */
extern struct launch *hot_undone; /* what hot_exec() has left to libc's main(), or NULL */

void warm_start(void);
int hot_main(long *stack);

#endif
