/* SPDX-License-Identifier: MIT */
/* warm_ready(): the flow of the hook from top to bottom. The process is the object here: it has one hook, so its state
 * is one static. */
#include "sdk/c/warm.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clean.h"
#include "sdk/c/ask.h"
#include "sdk/c/launch.h"
#include "sdk/c/wire.h"

#define FIXED_ARGS 1 /* argv[0] is not the launch's */
#define EXPORT     __attribute__((visibility("default")))

struct strings {
	char **list;
	size_t n;
};

struct call {
	warm_fn fn;
	void *arg;
};

struct calls {
	struct call *list;
	size_t n;
};

static struct {
	pthread_mutex_t lock;
	atomic_int pid; /* of the process that called the hook: a copy has the same, a forked child another */
	bool running;   /* a hook that calls the hook gets COLD */
	bool done;
	int result;
	unsigned flags;
	struct strings env;
	struct strings depends;
	struct calls before;
	struct calls after;
	int argc;
	char **argv;
	uint64_t generation;
} hook = {.lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP};

static int run_hook(void);
static int run_before(void);
static int ask(struct hook_answer *ret);
static int say_ready(int fd, struct hook_answer *ret);
static void become_launch(struct hook_answer *answer);
static void take_arguments(struct hook_answer *answer);
static void run_after(void);
static void give_up(const char *what, int value) __attribute__((noreturn));
static int add_string(struct strings *strings, char *text);
static int add_call(struct calls *calls, warm_fn fn, void *arg);

EXPORT int warm_ready(unsigned flags)
{
	int caller = atomic_load(&hook.pid);
	int result;

	if (flags & ~(WARM_ARGV | WARM_CWD))
		return -EINVAL;
	/* Before the lock: in a forked child a thread that is not there any more may hold it. */
	if (caller && caller != getpid())
		return WARM_COLD;
	pthread_mutex_lock(&hook.lock);
	if (!hook.done && !hook.running) {
		hook.running = true;
		atomic_store(&hook.pid, getpid());
		hook.flags = flags;
		hook.result = run_hook();
		hook.done = true;
	}
	result = hook.done ? hook.result : WARM_COLD;
	pthread_mutex_unlock(&hook.lock);
	return result;
}

static int run_hook(void)
{
	struct hook_answer answer = {0};
	int r = ask(&answer); /* here the snapshot is taken, and here a copy begins */

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return WARM_COLD;
	if (answer.outcome != OUTCOME_RESTORED) {
		r = answer.outcome == OUTCOME_RESUMED ? WARM_RESUMED : WARM_COLD;
		hook_answer_fini(&answer);
		return r;
	}
	become_launch(&answer);
	hook_answer_fini(&answer);
	run_after();
	return WARM_RESTORED;
}

static int ask(struct hook_answer *ret)
{
	CLEAN(fd) int fd = ask_wanted();
	int r;

	if (fd < 0)
		return fd;
	if (run_before() != 0)
		return -ECANCELED;
	if (launch_random() < 0)
		return -ECANCELED; /* nor could a copy */
	fflush(NULL);              /* what is printed before the hook is printed once, by the original */
	r = ask_depends(fd, hook.depends.list, hook.depends.n, NULL, 0);
	return r == 0 ? say_ready(fd, ret) : r;
}

static int run_before(void)
{
	for (size_t i = hook.before.n; i-- > 0;)
		if (hook.before.list[i].fn(hook.before.list[i].arg) != 0)
			return -ECANCELED;
	return 0;
}

static int say_ready(int fd, struct hook_answer *ret)
{
	const struct wire_ready ready = {
	        .hook_fd = (uint32_t)fd,
	        .argv_from_launch = hook.flags & WARM_ARGV,
	        .fixed_args = 1,
	        .cwd_from_launch = hook.flags & WARM_CWD,
	        .env = hook.env.list,
	        .n_env = hook.env.n,
	        .sdk = "c 1",
	};

	return ask_ready(fd, &ready, ret);
}

static void become_launch(struct hook_answer *answer)
{
	int r = launch_random();

	if (r < 0)
		give_up("reseed OpenSSL", r);
	hook.generation = answer->generation;
	launch_stdio();
	if (launch_environment(answer, hook.env.list, hook.env.n) < 0)
		give_up("set the launch's environment", -ENOMEM);
	if (hook.flags & WARM_ARGV && hook.argc && answer->argc) /* none in the answer: the same as ours */
		take_arguments(answer);
}

/* Our own argv[0], and then what the launch has behind the fixed arguments. */
static void take_arguments(struct hook_answer *answer)
{
	size_t fixed = answer->fixed_args ? answer->fixed_args : FIXED_ARGS;
	size_t n = answer->argc - fixed;
	char **argv;

	if (fixed > answer->argc || (!answer->fixed_args && strcmp(answer->argv[0], hook.argv[0]) != 0))
		give_up("take the launch's arguments", -EINVAL); /* another command line than ours: which are they? */
	argv = calloc(1 + n + 1, sizeof(*argv));
	if (!argv)
		give_up("take the launch's arguments", -ENOMEM);
	argv[0] = hook.argv[0];
	for (size_t i = 0; i < n; i++)
		argv[1 + i] = take_ptr(answer->argv[fixed + i]);
	hook.argc = (int)(1 + n);
	hook.argv = argv;
}

static void run_after(void)
{
	for (size_t i = 0; i < hook.after.n; i++) {
		int r = hook.after.list[i].fn(hook.after.list[i].arg);

		if (r != 0)
			give_up("run an after-hook (warm_on_restore)", r);
	}
}

/* A copy that cannot become what was launched must not go on, and has nothing of the launch to clean up. */
static void give_up(const char *what, int value)
{
	fprintf(stderr,
	        "warm: this copy could not %s: it returned %d; `warm exec --cold` runs the program without a "
	        "snapshot\n",
	        what, value);
	fflush(NULL); /* what the hook had to say */
	_exit(125);
}

EXPORT int warm_launch_env(const char *name)
{
	if (!name || !*name || strchr(name, '='))
		return -EINVAL;
	return add_string(&hook.env, strdup(name));
}

EXPORT int warm_depends(const char *path)
{
	CLEAN(free) char *cwd = NULL;
	char *absolute = NULL;

	if (!path || !*path)
		return -EINVAL;
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (*path == '/')
		return add_string(&hook.depends, strdup(path));
	cwd = getcwd(NULL, 0);
	if (!cwd)
		return -errno;
	if (asprintf(&absolute, "%s/%s", cwd, path) < 0)
		return -ENOMEM;
	return add_string(&hook.depends, absolute);
}

EXPORT int warm_on_snapshot(warm_fn fn, void *arg)
{
	return add_call(&hook.before, fn, arg);
}

EXPORT int warm_on_restore(warm_fn fn, void *arg)
{
	return add_call(&hook.after, fn, arg);
}

EXPORT int warm_argc(void)
{
	return hook.argc;
}

EXPORT char **warm_argv(void)
{
	return hook.argv;
}

EXPORT uint64_t warm_generation(void)
{
	return hook.generation;
}

/* glibc hands main()'s arguments to constructors. */
__attribute__((constructor)) static void remember_arguments(int argc, char **argv)
{
	hook.argc = argc;
	hook.argv = argv;
}

/* Takes ownership of text; NULL is a failed allocation. */
static int add_string(struct strings *strings, char *text)
{
	char **grown = NULL;

	pthread_mutex_lock(&hook.lock);
	if (text)
		grown = realloc(strings->list, (strings->n + 1) * sizeof(*grown));
	if (grown) {
		strings->list = grown;
		grown[strings->n++] = text;
	}
	pthread_mutex_unlock(&hook.lock);
	if (!grown)
		free(text);
	return grown ? 0 : -ENOMEM;
}

static int add_call(struct calls *calls, warm_fn fn, void *arg)
{
	struct call *grown;

	pthread_mutex_lock(&hook.lock);
	grown = realloc(calls->list, (calls->n + 1) * sizeof(*grown));
	if (grown) {
		calls->list = grown;
		grown[calls->n++] = (struct call){fn, arg};
	}
	pthread_mutex_unlock(&hook.lock);
	return grown ? 0 : -ENOMEM;
}
