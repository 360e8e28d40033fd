/* SPDX-License-Identifier: MIT */
#include "warmd/prewarm.h"

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "policy/key.h"
#include "warmd/client.h"
#include "warmd/config.h"
#include "warmd/daemon.h"
#include "warmd/entry.h"
#include "warmd/front.h"
#include "warmd/log.h"
#include "warmd/peer.h"
#include "warmd/privileged.h"
#include "warmd/request.h"
#include "warmd/snap_job.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define LEARNT_MAX  512
#define COPIES_MAX  1024
#define OFFERED_MAX 64

#define PAUSE_FIRST_MS 2000 /* between two tries */
#define PAUSE_LAST_MS  3600000

/* A program that calls the hook itself. */
struct learnt {
	TAILQ_ENTRY(learnt) link;
	struct digest program;
};

/* First runs of an interpreter of which nothing has come yet. */
struct offered {
	TAILQ_ENTRY(offered) link;
	Warm__Rpc__Conditions *conditions;
	uint64_t pause_ms, until_ms;
};

struct prewarmed {
	LIST_ENTRY(prewarmed) link;
	struct daemon *daemon;
	pid_t pid;
	int pidfd;
	ev_io io; /* its end */
	struct digest program;
};

#define ODD_PATH   "$PATH has relative directories, or leads elsewhere"
#define OTHER_NAME "an interpreter by another name is not pre-warmed"
#define ODD_ENV    "an interpreter is not pre-warmed where its #! line has options of env but -S, or quotes or variables"

/* ---- which interpreter, with which words ------------------------------------------------------------------------- */

static const char *variable(const struct request *request, const char *name)
{
	size_t len = strlen(name);

	for (char **at = request->env; *at; at++) {
		if (!strncmp(*at, name, len) && (*at)[len] == '=')
			return *at + len + 1;
	}
	return NULL;
}

/* execvp(3) in the caller's place. A $PATH with relative directories is left alone: what the caller's command was
 * called by cannot be told from where it was found. NULL: not found, or nobody can say. */
static char *find_in_path(const struct request *request, const char *name)
{
	const char *dir = variable(request, "PATH");

	if (!dir || interp_path_is_relative(dir))
		return NULL;
	for (; *dir; dir += *dir == ':') {
		size_t len = strcspn(dir, ":");
		char *path = NULL;
		struct stat st;

		if (asprintf(&path, "%.*s/%s", (int)len, dir, name) < 0)
			return NULL;
		if (!stat(path, &st) && S_ISREG(st.st_mode) && (st.st_mode & 0111) == 0111)
			return path;
		free(path);
		dir += len;
	}
	return NULL;
}

static void set_comm(struct prewarm *prewarm, const char *path)
{
	const char *slash = strrchr(path, '/');

	snprintf(prewarm->comm, sizeof(prewarm->comm), "%s", slash ? slash + 1 : path);
}

static bool is_other_name(const char *cmd)
{
	CLEAN(free) char *real = NULL;
	struct stat st;

	if (lstat(cmd, &st) || !S_ISLNK(st.st_mode))
		return false;
	real = realpath(cmd, NULL);
	return real && interp_of(real);
}

/* What execve(2) makes of a script: interpreter, its argument, the path of the script, its arguments. false: no script
 * of an interpreter that we know. */
static bool look_at_script(struct prewarm *prewarm, const struct request *request)
{
	CLEAN(fd) int fd = open(request->cmd, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const char *path = strchr(request->argv[0], '/') ? request->argv[0] : request->cmd, *dirs;
	const char *word[INTERP_ENV_WORDS_MAX + 1];
	struct interp_script script;
	ssize_t len;

	prewarm->head = malloc(INTERP_HEAD_MAX);
	len = fd >= 0 && prewarm->head ? pread(fd, prewarm->head, INTERP_HEAD_MAX, 0) : -1;
	if (len < 0 || !interp_script_parse(prewarm->head, (size_t)len, &script)) {
		prewarm->why = is_other_name(request->cmd) ? OTHER_NAME : NULL;
		return false;
	}
	dirs = variable(request, "PATH");
	if (path == request->cmd && (!dirs || interp_path_is_relative(dirs))) {
		prewarm->why = ODD_PATH;
		return false;
	}
	set_comm(prewarm, path);
	prewarm->why = interp_script_env_names_one(&script) ? ODD_ENV : NULL;
	if (interp_script_env(&script, word)) { /* env executes it by another execve(2) */
		prewarm->why = NULL;
		prewarm->found = find_in_path(request, word[0]);
		if (!prewarm->found) {
			prewarm->why = ODD_PATH;
			return false;
		}
		set_comm(prewarm, prewarm->found);
		prewarm->conditions.cmd = prewarm->found;
		for (size_t i = 0; word[i]; i++)
			prewarm->argv[prewarm->n_argv++] = word[i];
	} else {
		prewarm->conditions.cmd = script.interpreter;
		prewarm->argv[prewarm->n_argv++] = script.interpreter;
		if (script.argument)
			prewarm->argv[prewarm->n_argv++] = script.argument;
	}
	prewarm->argv[prewarm->n_argv++] = path;
	memcpy(prewarm->argv + prewarm->n_argv, request->argv + 1, (request->head.n_argv - 1) * sizeof(*request->argv));
	prewarm->n_argv += request->head.n_argv - 1;
	prewarm->interp = prewarm->conditions.cmd[0] == '/' ? interp_of(prewarm->conditions.cmd) : NULL;
	return prewarm->interp;
}

static bool look_at_command(struct prewarm *prewarm, const struct caller *caller, const struct request *request)
{
	prewarm->interp = interp_of(request->cmd);
	if (!prewarm->interp)
		return look_at_script(prewarm, request);
	/* Called by its name alone, an interpreter looks for itself in $PATH. */
	if (!strchr(request->argv[0], '/')) {
		prewarm->found = find_in_path(request, request->argv[0]);
		if (!prewarm->found || strcmp(prewarm->found, request->cmd) != 0) {
			prewarm->why = ODD_PATH;
			return false;
		}
	}
	set_comm(prewarm, request->cmd);
	prewarm->conditions.cmd = caller->msg.cmd;
	memcpy(prewarm->argv, request->argv, request->head.n_argv * sizeof(*request->argv));
	prewarm->n_argv = request->head.n_argv;
	return true;
}

/* ---- its key ----------------------------------------------------------------------------------------------------- */

/* The working directory counts where a variable names places below it. */
static bool has_relative_paths(const struct interp *interp, const struct request *request)
{
	for (char **at = request->env; *at; at++) {
		const char *equals = strchr(*at, '=');

		for (size_t i = 0; equals && interp->paths[i]; i++) {
			if (key_env_matches(*at, strlen(*at), interp->paths[i]) && interp_path_is_relative(equals + 1))
				return true;
		}
	}
	return false;
}

static void set_conditions(struct prewarm *prewarm, struct daemon *daemon, const struct request *request)
{
	struct config_interp *config = config_interp(&daemon->config, prewarm->interp->kind);
	Warm__Rpc__Conditions *conditions = &prewarm->conditions;

	for (size_t i = 0; i < prewarm->line.n_words; i++)
		prewarm->words[i] = (ProtobufCBinaryData){strlen(prewarm->line.word[i]),
		                                          (uint8_t *)prewarm->line.word[i]};
	conditions->argv = prewarm->words;
	conditions->n_argv = prewarm->line.n_words;
	conditions->interpreter = config->identity;
	conditions->cwd_from_launch = !prewarm->line.cwd && !has_relative_paths(prewarm->interp, request);
	conditions->env_from_launch = config->env_from_launch;
	conditions->n_env_from_launch = config->n_env_from_launch;
}

/* Who runs what: a module and a relative file are looked for from the working directory. program: NULL where the
 * command is a script and says it all. */
static struct digest name_program(const Warm__Rpc__Conditions *launch, char what, const char *program)
{
	struct digest ret;

	digest_init(&ret);
	digest_add(&ret, &launch->uid, sizeof(launch->uid));
	digest_add_string(&ret, launch->cmd);
	if (program) {
		digest_add(&ret, &what, 1);
		digest_add_string(&ret, program);
		if (what != 'c' && program[0] != '/')
			digest_add(&ret, launch->cwd.data, launch->cwd.len);
	}
	return ret;
}

/* A directory on standard input ends an interpreter before its program; /dev/zero does not, and is of the same kind. */
static bool has_odd_streams(const Warm__Rpc__Conditions *launch)
{
	for (size_t i = 0; i < launch->n_stdio_kind; i++) {
		if (launch->stdio_kind[i] == STDIO_OTHER)
			return true;
	}
	return false;
}

/* Why this launch cannot have a pre-warmed interpreter, or NULL. */
static const char *check(struct prewarm *prewarm, const struct request *request)
{
	const char *why = NULL;

	if (interp_line_parse(prewarm->interp, (char *const *)prewarm->argv, prewarm->n_argv, &prewarm->line, &why))
		return why;
	for (char **entry = request->env; *entry && !why; entry++)
		why = interp_env_check(prewarm->interp, *entry);
	if (!why && has_odd_streams(&prewarm->conditions))
		why = "a standard stream is a device or a directory";
	return why;
}

/* Which interpreter it is, if any. */
static bool look_at_launch(struct daemon *daemon, const struct caller *caller, const struct request *request,
                           struct prewarm *ret)
{
	size_t n = request->head.n_argv + INTERP_ENV_WORDS_MAX + 4;

	memset(ret, 0, sizeof(*ret));
	if (!daemon->prewarm.dir[0] || (daemon->prewarm.root_only && caller->msg.uid))
		return false;
	ret->conditions = caller->msg;
	ret->argv = calloc(n, sizeof(*ret->argv));
	ret->words = calloc(INTERP_WORDS_MAX, sizeof(*ret->words));
	return ret->argv && ret->words && look_at_command(ret, caller, request);
}

void prewarm_look(struct daemon *daemon, const struct caller *caller, const struct request *request,
                  struct prewarm *ret)
{
	if (!look_at_launch(daemon, caller, request, ret) ||
	    !config_interp(&daemon->config, ret->interp->kind)->prewarm) {
		ret->interp = NULL;
		return;
	}
	ret->why = check(ret, request);
	if (ret->why) {
		ret->interp = NULL;
		return;
	}
	set_conditions(ret, daemon, request);
	ret->program = name_program(&caller->msg, ret->line.what, ret->head ? NULL : ret->line.program);
}

void prewarm_fini(struct prewarm *prewarm)
{
	free(prewarm->argv);
	free(prewarm->words);
	free(prewarm->head);
	free(prewarm->found);
	memset(prewarm, 0, sizeof(*prewarm));
}

/* ---- programs with a hook of their own --------------------------------------------------------------------------- */

static struct learnt *find_learnt(struct daemon *daemon, const struct digest *program)
{
	struct learnt *one;

	TAILQ_FOREACH(one, &daemon->prewarm.learnt, link)
	{
		if (one->program.hi == program->hi && one->program.lo == program->lo)
			return one;
	}
	return NULL;
}

bool prewarm_has_own(struct daemon *daemon, const struct prewarm *prewarm)
{
	return find_learnt(daemon, &prewarm->program);
}

static void forget(struct daemon *daemon, struct learnt *one)
{
	TAILQ_REMOVE(&daemon->prewarm.learnt, one, link);
	daemon->prewarm.n_learnt--;
	free(one);
}

void prewarm_learn(struct daemon *daemon, const struct digest *program)
{
	struct learnt *one = find_learnt(daemon, program);

	if (one)
		forget(daemon, one); /* it is the newest from here on */
	one = calloc(1, sizeof(*one));
	if (!one)
		return;
	one->program = *program;
	TAILQ_INSERT_TAIL(&daemon->prewarm.learnt, one, link);
	if (++daemon->prewarm.n_learnt > LEARNT_MAX)
		forget(daemon, TAILQ_FIRST(&daemon->prewarm.learnt));
}

void prewarm_learn_conditions(struct daemon *daemon, const Warm__Rpc__Conditions *conditions)
{
	CLEAN(free) char *name = NULL;
	struct digest program;
	char what = 0;

	if (interp_of(conditions->cmd) &&
	    interp_program(conditions->cmd, conditions->argv, conditions->n_argv, &what, &name))
		return;
	program = name_program(conditions, what, name);
	prewarm_learn(daemon, &program);
}

/* ---- copies that run --------------------------------------------------------------------------------------------- */

static void copy_drop(struct prewarmed *copy)
{
	ev_io_stop(copy->daemon->loop, &copy->io);
	LIST_REMOVE(copy, link);
	copy->daemon->prewarm.n_copies--;
	close(copy->pidfd);
	free(copy);
}

static void copy_ended(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)loop;
	(void)revents;
	copy_drop(io->data);
}

void prewarm_running(struct daemon *daemon, pid_t pid, const struct prewarm *prewarm)
{
	struct prewarmed *copy = daemon->prewarm.n_copies < COPIES_MAX ? calloc(1, sizeof(*copy)) : NULL;
	int pidfd = copy ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (pidfd < 0) { /* it has ended already, or there are too many: its hook gets COLD nevertheless */
		free(copy);
		return;
	}
	copy->daemon = daemon;
	copy->pid = pid;
	copy->pidfd = pidfd;
	copy->program = prewarm->program;
	LIST_INSERT_HEAD(&daemon->prewarm.copies, copy, link);
	daemon->prewarm.n_copies++;
	ev_io_init(&copy->io, copy_ended, pidfd, EV_READ);
	copy->io.data = copy;
	ev_io_start(daemon->loop, &copy->io);
}

bool prewarm_hook_called(const struct client *client)
{
	struct prewarmed *copy;

	LIST_FOREACH(copy, &client->daemon->prewarm.copies, link)
	{
		const struct peer peer = {.pidfd = copy->pidfd};

		if (copy->pid == client->peer.pid && peer_alive(&peer)) {
			prewarm_learn(client->daemon, &copy->program);
			return true;
		}
	}
	return false;
}

/* ---- first runs -------------------------------------------------------------------------------------------------- */

/* A library of 64 bits, for a dynamically linked program of 64 bits: any other would hear a complaint. */
static bool is_elf64(const char *path)
{
	CLEAN(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	Elf64_Ehdr head;

	return fd >= 0 && pread(fd, &head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
	       !memcmp(head.e_ident, ELFMAG, SELFMAG) && head.e_ident[EI_CLASS] == ELFCLASS64 &&
	       head.e_machine == EM_X86_64;
}

static struct offered *find_offered(struct daemon *daemon, const Warm__Rpc__Conditions *conditions)
{
	struct offered *one;

	TAILQ_FOREACH(one, &daemon->prewarm.offered, link)
	{
		if (conditions_same(daemon, one->conditions, conditions))
			return one;
	}
	return NULL;
}

static void withdraw(struct daemon *daemon, struct offered *one)
{
	TAILQ_REMOVE(&daemon->prewarm.offered, one, link);
	daemon->prewarm.n_offered--;
	if (one->conditions)
		warm__rpc__conditions__free_unpacked(one->conditions, NULL);
	free(one);
}

/* false: one was tried a moment ago. */
static bool try_now(struct daemon *daemon, const Warm__Rpc__Conditions *conditions)
{
	struct offered *one = find_offered(daemon, conditions);
	uint64_t now_ms = daemon_now_ms();

	if (one && now_ms < one->until_ms)
		return false;
	if (!one) {
		one = calloc(1, sizeof(*one));
		if (!one)
			return false;
		TAILQ_INSERT_TAIL(&daemon->prewarm.offered, one, link);
		daemon->prewarm.n_offered++;
		one->conditions = conditions_copy(conditions);
		if (!one->conditions) {
			withdraw(daemon, one);
			return false;
		}
		if (daemon->prewarm.n_offered > OFFERED_MAX)
			withdraw(daemon, TAILQ_FIRST(&daemon->prewarm.offered));
	}
	one->pause_ms = one->pause_ms ? 2 * one->pause_ms : PAUSE_FIRST_MS;
	if (one->pause_ms > PAUSE_LAST_MS)
		one->pause_ms = PAUSE_LAST_MS;
	one->until_ms = now_ms + one->pause_ms;
	return true;
}

void prewarm_published(struct daemon *daemon, const Warm__Rpc__Conditions *conditions)
{
	struct offered *one = find_offered(daemon, conditions);

	if (one)
		one->pause_ms = 0; /* what comes and goes is taken every now and then */
}

/* Whether everybody can read what is there: for whom the dynamic linker cannot, it says so on standard error. */
static bool is_public(const char *path)
{
	char part[PATH_MAX];
	struct stat st;

	snprintf(part, sizeof(part), "%s", path);
	if (stat(part, &st) || !(st.st_mode & S_IROTH))
		return false;
	for (char *slash = strrchr(part, '/'); slash && slash != part; slash = strrchr(part, '/')) {
		*slash = '\0';
		if (stat(part, &st) || !(st.st_mode & S_IXOTH))
			return false;
	}
	return true;
}

/* A program that is told to load what it cannot read would not run at all. */
static bool is_there(struct daemon *daemon, const struct prewarm *prewarm, const char *library)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", daemon->prewarm.dir, library);
	return prewarm->conditions.uid ? is_public(path) : access(path, R_OK) == 0;
}

/* What has the interpreter load it, where it can. */
static bool load_first(struct daemon *daemon, const struct prewarm *prewarm, const char *library, char *ret_env,
                       size_t size)
{
	const struct interp *interp = prewarm->interp;
	struct err err;

	return is_there(daemon, prewarm, library) && !privileged_file(prewarm->conditions.cmd, &err) &&
	       is_elf64(prewarm->conditions.cmd) &&
	       (size_t)snprintf(ret_env, size, "%s%s/%s%s", interp->variable, daemon->prewarm.dir, library,
	                        interp->separator) < size;
}

bool prewarm_offer(struct daemon *daemon, const struct prewarm *prewarm, char *ret_env, size_t size)
{
	struct err err;

	return snap_job_is_new(daemon, &prewarm->conditions, &err) &&
	       load_first(daemon, prewarm, prewarm->interp->library, ret_env, size) &&
	       try_now(daemon, &prewarm->conditions);
}

/* Into node's own start it must fit, as what stops it. */
static bool may_accompany(struct daemon *daemon, struct prewarm *prewarm, const struct request *request)
{
	switch (prewarm->interp->kind) {
	case INTERP_NODE:
		return !daemon->config.random_kept && !check(prewarm, request);
	case INTERP_PYTHON:
		return !daemon->config.random_kept;
	default:
		return true;
	}
}

void prewarm_accompany(struct daemon *daemon, const struct caller *caller, const struct request *request, char *ret_env,
                       size_t size)
{
	struct prewarm prewarm;

	if (!look_at_launch(daemon, caller, request, &prewarm) || !may_accompany(daemon, &prewarm, request) ||
	    !load_first(daemon, &prewarm, prewarm.interp->companion, ret_env, size))
		ret_env[0] = '\0';
	prewarm_fini(&prewarm);
}

bool prewarm_is_itself(pid_t pid, const Warm__Rpc__Conditions *interpreter)
{
	char exe[32];
	struct stat runs, named;

	snprintf(exe, sizeof(exe), "/proc/%d/exe", pid);
	return !stat(exe, &runs) && !stat(interpreter->cmd, &named) && runs.st_dev == named.st_dev &&
	       runs.st_ino == named.st_ino;
}

char **prewarm_modules(struct daemon *daemon, const Warm__Rpc__Conditions *interpreter)
{
	return config_interp(&daemon->config, interp_of(interpreter->cmd)->kind)->preload;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

void prewarm_init(struct daemon *daemon)
{
	char path[PATH_MAX];
	struct err err;

	TAILQ_INIT(&daemon->prewarm.learnt);
	LIST_INIT(&daemon->prewarm.copies);
	TAILQ_INIT(&daemon->prewarm.offered);
	if (front_program("warm-python.so", path, &err)) {
		log_line("no interpreter is pre-warmed: %s", err.msg);
		return;
	}
	daemon->prewarm.root_only = !is_public(path);
	*strrchr(path, '/') = '\0';
	if (strpbrk(path, ": \"\\") || strlen(path) >= sizeof(daemon->prewarm.dir)) {
		log_line("no interpreter is pre-warmed: %s cannot be named in $LD_PRELOAD and $NODE_OPTIONS", path);
		return;
	}
	strcpy(daemon->prewarm.dir, path);
}

void prewarm_free(struct daemon *daemon)
{
	struct prewarmed *copy;
	struct offered *offered;
	struct learnt *one;

	while ((copy = LIST_FIRST(&daemon->prewarm.copies)))
		copy_drop(copy);
	while ((one = TAILQ_FIRST(&daemon->prewarm.learnt)))
		forget(daemon, one);
	while ((offered = TAILQ_FIRST(&daemon->prewarm.offered)))
		withdraw(daemon, offered);
}
