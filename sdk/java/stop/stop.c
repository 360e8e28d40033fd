/* SPDX-License-Identifier: MIT */
/*
 * Loaded into a Java launcher that `warm exec` starts where no snapshot of it is there yet (LD_PRELOAD). The launcher
 * starts its thread "main" with a table of functions; the one that makes the Java machine is ours there:
 *
 *     launcher ─► main: make the machine ─► load classes, declare files ─► ask ─┬─ original ─────────► launcher goes on
 *                                                                               └─ copy ─► become ──► run_program()
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clean.h"
#include "policy/java.h"
#include "sdk/c/ask.h"
#include "sdk/c/launch.h"
#include "sdk/c/wire.h"
#include "sdk/java/stop/inside.h"
#include "sdk/java/stop/launcher.h"
#include "sdk/java/stop/run.h"
#include "sdk/prewarm/process.h"

static struct {
	int argc;
	char **argv;
	int64_t written;
	struct env_changes changes;
	struct proc_stat areas;
	struct inside inside;
} java;

static jint create_machine(JavaVM **machine, void **env, void *args);
static void stop(int fd, const struct hook_answer *wanted, JavaVM *machine, JNIEnv *env);
static void become(struct hook_answer *answer, JavaVM *machine, JNIEnv *env) __attribute__((noreturn));
static void give_up(const char *what) __attribute__((noreturn));

/* Before the launcher's main(). */
__attribute__((constructor)) static void look(int argc, char **argv)
{
	char library[PATH_MAX];

	if (!launcher_is_here(library) || process_start(library, &java.changes))
		return; /* `#!/usr/bin/env java`: in env, this waits for the next program */
	java.argc = argc;
	java.argv = argv;
	java.written = process_written();
	launcher_watch(create_machine);
}

static jint create_machine(JavaVM **machine, void **env, void *args)
{
	struct hook_answer wanted = {0};
	int fd = ask_interpreter(&wanted);
	jint r = launcher_create_machine(machine, env, args);

	if (fd >= 0 && r == JNI_OK)
		stop(fd, &wanted, *machine, *env);
	if (fd >= 0)
		close(fd);
	hook_answer_fini(&wanted);
	return r;
}

/* What the Java machine writes to its performance data: one byte in each page. */
static int64_t written_by_machine(void)
{
	const int64_t first = 8; /* /proc/self/coredump_filter */
	CLEAN(file) FILE *file = fopen("/proc/self/maps", "re");
	char line[PATH_MAX + 128];
	unsigned long begin, end;

	while (file && fgets(line, sizeof(line), file)) {
		if (strstr(line, "/hsperfdata_") && sscanf(line, "%lx-%lx", &begin, &end) == 2)
			return first + (int64_t)(end - begin) / sysconf(_SC_PAGESIZE);
	}
	return first;
}

/* Makes all ready. Returns NULL, or why there can be no copies. */
static const char *get_ready(JNIEnv *env, const struct hook_answer *wanted, char **note, struct texts *depends)
{
	const char *class_path = getenv("CLASSPATH"), *why;
	const struct launcher_args *launcher = launcher_args();
	struct java_line line;

	if (java_line_parse(java.argv, (size_t)java.argc, &line, &why))
		return why;
	if (getenv("JDK_JAVA_OPTIONS"))
		return "$JDK_JAVA_OPTIONS is set";
	if (getenv("_JAVA_SPLASH_FILE"))
		return "the program shows a picture before it starts";
	if (class_path && strchr(class_path, '*'))
		return "$CLASSPATH has a *, which the launcher itself expands";
	if (!launcher->what || strcmp(launcher->what, line.program) != 0 ||
	    launcher->argc != java.argc - (int)line.args)
		return "the launcher reads its command line in an unknown way";
	/* What has been printed so far would be missing from every copy. */
	if (java.written < 0 || process_written() - java.written != written_by_machine())
		return "the Java machine writes something before its program";
	if (process_note_changes(&java.changes) || process_look(&java.areas))
		return "out of memory, or no /proc";
	if (!inside_define(env, &java.inside))
		return "this Java machine is not one that is known";
	if (!inside_prepare(env, &java.inside, wanted->preload, wanted->n_preload, note, depends))
		return "what is loaded before programs failed";
	return NULL;
}

static void refuse(int fd, const char *why)
{
	const struct wire_ready ready = {.hook_fd = (uint32_t)fd, .sdk = "java", .interpreter = true, .refused = why};
	struct wire wire = {0};

	wire_put_ready(&wire, &ready);
	ask_send(fd, &wire); /* where nobody hears it, nobody asks */
}

/* An archive has been looked into already: by its name, in which there may be links. */
static int declare(int fd, const struct texts *depends)
{
	CLEAN(free) char *cwd = NULL;
	struct java_line line;
	const char *why;
	char *path;
	int r = ask_depends(fd, depends->list, depends->n, NULL, 0);

	if (r || java_line_parse(java.argv, (size_t)java.argc, &line, &why) || line.kind != JAVA_JAR)
		return r;
	cwd = line.program[0] == '/' ? strdup("") : getcwd(NULL, 0);
	if (!cwd || asprintf(&path, "%s/%s", cwd, line.program + (*cwd == '\0')) < 0)
		return -ENOMEM;
	r = ask_depends(fd, &path, 1, NULL, 0);
	free(path);
	return r;
}

/* Just before the user's program. */
static void stop(int fd, const struct hook_answer *wanted, JavaVM *machine, JNIEnv *env)
{
	CLEAN(free) char *note = NULL;
	struct hook_answer answer = {0};
	struct texts depends = {0};
	const char *why = get_ready(env, wanted, &note, &depends);
	int r;

	if (!why && declare(fd, &depends))
		why = "the daemon does not answer";
	texts_fini(&depends);
	if (why) {
		(*env)->ExceptionClear(env);
		refuse(fd, why);
		return;
	}
	const struct wire_ready ready = {.hook_fd = (uint32_t)fd, .sdk = "java", .interpreter = true, .note = note};

	fflush(NULL);
	r = ask_ready(fd, &ready, &answer); /* here a copy begins */
	if (r == 0 && answer.outcome == OUTCOME_RESTORED) {
		close(fd);
		become(&answer, machine, env);
	}
	hook_answer_fini(&answer);
}

/* ---- in a copy --------------------------------------------------------------------------------------------------- */

/* The words behind the options, as the launcher shows them to jps(1). NULL: no memory. */
static char *command_of(const struct java_line *line, char *const *argv, size_t n_argv)
{
	size_t size = strlen(line->program) + 1;
	char *text, *at;

	for (size_t i = line->args; i < n_argv; i++)
		size += strlen(argv[i]) + 1;
	text = malloc(size);
	if (!text)
		return NULL;
	at = stpcpy(text, line->program);
	for (size_t i = line->args; i < n_argv; i++)
		at = stpcpy(stpcpy(at, " "), argv[i]);
	return text;
}

static const char *class_path_of(const struct java_line *line)
{
	const char *path = line->class_path ? line->class_path : getenv("CLASSPATH");

	if (line->kind == JAVA_JAR)
		return NULL;
	return path ? path : ".";
}

static void become(struct hook_answer *answer, JavaVM *machine, JNIEnv *env)
{
	struct java_line line;
	const char *why;
	char *command;

	if (!answer->argc || java_line_parse(answer->argv, answer->argc, &line, &why))
		give_up("understand the launch's command line");
	launch_stdio();
	command = command_of(&line, answer->argv, answer->argc);
	if (!command ||
	    process_become(&java.areas, answer->argv, answer->argc, answer->env, answer->n_env, &java.changes, NULL))
		give_up("take the launch's environment");
	if (!inside_become(env, &java.inside, class_path_of(&line), command)) {
		(*env)->ExceptionDescribe(env);
		give_up("become the launch");
	}
	free(command);
	run_program(machine, env, &line, answer->argv, answer->argc);
}

/* A copy that cannot become what was launched must not go on. */
static void give_up(const char *what)
{
	fprintf(stderr, "warm: this copy could not %s; `warm exec --cold` runs the program without a snapshot\n", what);
	fflush(NULL);
	_exit(125);
}
