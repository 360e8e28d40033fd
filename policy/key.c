/* SPDX-License-Identifier: MIT */
#include "policy/key.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/clean.h"
#include "policy/interp.h"

const char *const key_ignored_env[] = {
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
        "TERM",
        "COLUMNS",
        "LINES",
        "SSH_*",
        "XDG_SESSION_*",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "NOTIFY_SOCKET",
        "LISTEN_*",
        "WATCHDOG_PID",
        "SYSTEMD_EXEC_PID",
        "WARM_SOCKET",
        NULL,
};

struct difference {
	char *text;
	size_t size;
};

__attribute__((format(printf, 2, 3))) static bool differs(const struct difference *why, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why->text, why->size, fmt, args);
	va_end(args);
	return true;
}

/* ---- kinds of standard streams ---------------------------------------------------------------------------------- */

static bool is_tty(unsigned char_major)
{
	return char_major == 4 || char_major == 5 ||
	       (char_major >= 136 && char_major <= 143) ||                  /* ttyS, console, pts */
	       char_major == 188 || char_major == 204 || char_major == 229; /* USB, AMA, hvc */
}

enum stdio_kind key_stdio_kind(const struct stat *st)
{
	if (!st)
		return STDIO_CLOSED;
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		return STDIO_FILE;
	case S_IFIFO:
		return STDIO_PIPE;
	case S_IFSOCK:
		return STDIO_SOCKET;
	case S_IFCHR:
		if (st->st_rdev == makedev(1, 3))
			return STDIO_NULL;
		return is_tty(major(st->st_rdev)) ? STDIO_TTY : STDIO_OTHER;
	default:
		return STDIO_OTHER;
	}
}

const char *key_stdio_name(enum stdio_kind kind)
{
	static const char *const kind_name[] = {"closed",   "/dev/null",  "a file",        "a pipe",
	                                        "a socket", "a terminal", "something else"};

	return kind <= STDIO_OTHER ? kind_name[kind] : "unknown";
}

/* ---- who and where ---------------------------------------------------------------------------------------------- */

static bool command_differs(const Warm__Rpc__Conditions *snap, const Warm__Rpc__Conditions *now,
                            const struct difference *why)
{
	if (strcmp(snap->interpreter, now->interpreter) != 0) {
		if (*snap->interpreter && *now->interpreter)
			return differs(why, "what is loaded before programs is \"%s\", was \"%s\"", now->interpreter,
			               snap->interpreter);
		return differs(why, "it is %s before any program",
		               *snap->interpreter ? "an interpreter" : "no interpreter");
	}
	return strcmp(snap->cmd, now->cmd) != 0 && differs(why, "the command is %s, was %s", now->cmd, snap->cmd);
}

static bool user_differs(const Warm__Rpc__Conditions *snap, const Warm__Rpc__Conditions *now,
                         const struct difference *why)
{
	return snap->uid != now->uid && differs(why, "the user is %u, was %u", now->uid, snap->uid);
}

/* The kernel keeps groups sorted: equal sets are equal lists. */
static bool groups_differ(const Warm__Rpc__Conditions *snap, const Warm__Rpc__Conditions *now,
                          const struct difference *why)
{
	if (snap->gid != now->gid)
		return differs(why, "the group is %u, was %u", now->gid, snap->gid);
	if (snap->n_group != now->n_group ||
	    (snap->n_group && memcmp(snap->group, now->group, snap->n_group * sizeof(*snap->group)) != 0))
		return differs(why, "supplementary groups differ");
	return false;
}

static bool rights_differ(const Warm__Rpc__Conditions *snap, const Warm__Rpc__Conditions *now,
                          const struct difference *why)
{
	const struct {
		const char *name;
		uint64_t snap, now;
	} set[] = {
	        {"inheritable", snap->cap_inheritable, now->cap_inheritable},
	        {"permitted", snap->cap_permitted, now->cap_permitted},
	        {"effective", snap->cap_effective, now->cap_effective},
	        {"bounding", snap->cap_bounding, now->cap_bounding},
	        {"ambient", snap->cap_ambient, now->cap_ambient},
	};

	for (size_t i = 0; i < sizeof(set) / sizeof(set[0]); i++) {
		if (set[i].snap != set[i].now)
			return differs(why, "%s capabilities are %016" PRIx64 ", were %016" PRIx64, set[i].name,
			               set[i].now, set[i].snap);
	}
	if (snap->no_new_privs != now->no_new_privs)
		return differs(why, "no_new_privs is %s, was not", now->no_new_privs ? "set" : "clear");
	if (strcmp(snap->label, now->label) != 0)
		return differs(why, "the security label is \"%s\", was \"%s\"", now->label, snap->label);
	return false;
}

static const Warm__Rpc__Namespace *find_ns(const Warm__Rpc__Conditions *in, const char *name)
{
	for (size_t i = 0; i < in->n_ns; i++) {
		if (strcmp(in->ns[i]->name, name) == 0)
			return in->ns[i];
	}
	return NULL;
}

static bool places_differ(const Warm__Rpc__Conditions *snap, const Warm__Rpc__Conditions *now,
                          const struct difference *why)
{
	for (size_t i = 0; i < snap->n_ns; i++) {
		const Warm__Rpc__Namespace *other = find_ns(now, snap->ns[i]->name);

		if (!other || other->ino != snap->ns[i]->ino)
			return differs(why, "the %s namespace is another one", snap->ns[i]->name);
	}
	if (snap->n_ns != now->n_ns)
		return differs(why, "the kinds of namespaces differ");
	if (snap->root_dev != now->root_dev || snap->root_ino != now->root_ino)
		return differs(why, "the root directory is another one");
	if (snap->net_private != now->net_private)
		return differs(why, "--net is %s, was %s", now->net_private ? "private" : "host",
		               snap->net_private ? "private" : "host");
	return false;
}

static bool machine_differs(const Warm__Rpc__Conditions *snap, const Warm__Rpc__Conditions *now,
                            const struct difference *why)
{
	if (strcmp(snap->cpu, now->cpu) != 0)
		return differs(why, "the CPU is %s, was %s", now->cpu, snap->cpu);
	if (strcmp(snap->kernel, now->kernel) != 0)
		return differs(why, "the kernel is %s, was %s", now->kernel, snap->kernel);
	return false;
}

static bool stdio_differs(const Warm__Rpc__Conditions *snap, const Warm__Rpc__Conditions *now,
                          const struct difference *why)
{
	static const char *const stream[] = {"standard input", "standard output", "standard error"};

	if (snap->n_stdio_kind != 3 || now->n_stdio_kind != 3)
		return differs(why, "the kinds of standard streams are not known");
	for (int i = 0; i < 3; i++) {
		if (snap->stdio_kind[i] != now->stdio_kind[i])
			return differs(why, "%s is %s, was %s", stream[i], key_stdio_name(now->stdio_kind[i]),
			               key_stdio_name(snap->stdio_kind[i]));
	}
	return false;
}

static bool signals_differ(const Warm__Rpc__Conditions *snap, const Warm__Rpc__Conditions *now,
                           const struct difference *why)
{
	uint64_t ignored = snap->sig_ignored ^ now->sig_ignored, blocked = snap->sig_blocked ^ now->sig_blocked;
	uint64_t either = ignored ? ignored : blocked, present = ignored ? now->sig_ignored : now->sig_blocked;
	int sig = either ? __builtin_ctzll(either) + 1 : 0;
	const char *name = sig ? sigabbrev_np(sig) : NULL;
	const char *what = ignored ? "ignored" : "blocked";
	bool is = sig && (present >> (sig - 1) & 1);

	if (!sig)
		return false;
	return differs(why, "signal %d%s%s%s is %s%s, was %s", sig, name ? " (SIG" : "", name ? name : "",
	               name ? ")" : "", is ? "" : "not ", what, is ? "not" : what);
}

/* ---- what the application may have declared to be the launch's --------------------------------------------------- */

static bool same_bytes(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static int shown(const ProtobufCBinaryData *bytes)
{
	return bytes->len < 60 ? (int)bytes->len : 60;
}

static bool arguments_differ(const Warm__Rpc__Conditions *snap, const Warm__Rpc__Conditions *now,
                             const struct difference *why)
{
	size_t n = snap->n_argv;

	if (snap->argv_from_launch && snap->fixed_args < n)
		n = snap->fixed_args;
	for (size_t i = 0; i < n; i++) {
		if (i >= now->n_argv)
			return differs(why, "argument %zu is missing, was \"%.*s\"", i, shown(&snap->argv[i]),
			               (const char *)snap->argv[i].data);
		if (!same_bytes(&snap->argv[i], &now->argv[i]))
			return differs(why, "argument %zu is \"%.*s\", was \"%.*s\"", i, shown(&now->argv[i]),
			               (const char *)now->argv[i].data, shown(&snap->argv[i]),
			               (const char *)snap->argv[i].data);
	}
	if (!snap->argv_from_launch && now->n_argv > n)
		return differs(why, "argument %zu is \"%.*s\", was not there", n, shown(&now->argv[n]),
		               (const char *)now->argv[n].data);
	return false;
}

bool key_env_matches(const char *name, size_t len, const char *pattern)
{
	const char *equals = memchr(name, '=', len);
	size_t name_len = equals ? (size_t)(equals - name) : len, pattern_len = strlen(pattern);

	if (pattern_len > 0 && pattern[pattern_len - 1] == '*')
		return name_len >= pattern_len - 1 && memcmp(name, pattern, pattern_len - 1) == 0;
	return name_len == pattern_len && memcmp(name, pattern, name_len) == 0;
}

struct env_rules {
	const char *const *ignored;
	const Warm__Rpc__Conditions *snap;
};

static bool ignored(const ProtobufCBinaryData *entry, const char *const *names)
{
	for (; *names; names++) {
		if (key_env_matches((const char *)entry->data, entry->len, *names))
			return true;
	}
	return false;
}

static bool passed_over(const struct env_rules *rules, const ProtobufCBinaryData *entry)
{
	if (ignored(entry, rules->ignored))
		return true;
	for (size_t i = 0; i < rules->snap->n_env_from_launch; i++) {
		const char *pattern = rules->snap->env_from_launch[i];
		bool not_these = *pattern == '!';

		if (key_env_matches((const char *)entry->data, entry->len, pattern + not_these))
			return !not_these;
	}
	return false;
}

bool key_env_counts(const Warm__Rpc__Conditions *snap, const ProtobufCBinaryData *entry, const char *const *ignored_env)
{
	const struct env_rules rules = {.ignored = ignored_env ? ignored_env : key_ignored_env, .snap = snap};

	return !passed_over(&rules, entry);
}

static size_t whole_name(const ProtobufCBinaryData *entry)
{
	const uint8_t *equals = entry->len ? memchr(entry->data, '=', entry->len) : NULL;

	return equals ? (size_t)(equals - entry->data) : entry->len;
}

/* The first of its name, as getenv(3) has it. */
static const ProtobufCBinaryData *namesake(const ProtobufCBinaryData *env, size_t n, const ProtobufCBinaryData *of)
{
	size_t len = whole_name(of);

	for (size_t i = 0; i < n; i++) {
		if (whole_name(&env[i]) == len && !memcmp(env[i].data, of->data, len))
			return &env[i];
	}
	return NULL;
}

size_t key_ignored_changes(const Warm__Rpc__Conditions *snap, const ProtobufCBinaryData *now, size_t n_now,
                           const char *const *ignored_env, ProtobufCBinaryData *ret)
{
	const char *const *names = ignored_env ? ignored_env : key_ignored_env;
	size_t n = 0;

	for (size_t i = 0; i < n_now; i++) {
		const ProtobufCBinaryData *was;

		if (!ignored(&now[i], names) || namesake(now, i, &now[i]))
			continue;
		was = namesake(snap->env, snap->n_env, &now[i]);
		if (!was || !same_bytes(was, &now[i]))
			ret[n++] = now[i];
	}
	for (size_t i = 0; i < snap->n_env; i++) {
		if (ignored(&snap->env[i], names) && !namesake(now, n_now, &snap->env[i]))
			ret[n++] = (ProtobufCBinaryData){whole_name(&snap->env[i]), snap->env[i].data};
	}
	return n;
}

/* The usual launch: the same variables in the same order. Says nothing of any other. */
static bool same_in_order(const struct env_rules *rules, const Warm__Rpc__Conditions *now)
{
	const Warm__Rpc__Conditions *snap = rules->snap;
	size_t i = 0, k = 0;

	while (i < snap->n_env || k < now->n_env) {
		if (i < snap->n_env && k < now->n_env && same_bytes(&snap->env[i], &now->env[k])) {
			i++;
			k++;
		} else if (i < snap->n_env && passed_over(rules, &snap->env[i])) {
			i++;
		} else if (k < now->n_env && passed_over(rules, &now->env[k])) {
			k++;
		} else {
			return false;
		}
	}
	return true;
}

static int by_bytes(const void *a, const void *b)
{
	const ProtobufCBinaryData *left = a, *right = b;
	size_t len = left->len < right->len ? left->len : right->len;
	int order = len ? memcmp(left->data, right->data, len) : 0;

	return order ? order : (left->len > right->len) - (left->len < right->len);
}

/* What counts of an environment, sorted. NULL where there is no memory. */
static ProtobufCBinaryData *sorted_env(const struct env_rules *rules, const Warm__Rpc__Conditions *of, size_t *ret_n)
{
	ProtobufCBinaryData *env = calloc(of->n_env + 1, sizeof(*env));
	size_t n = 0;

	for (size_t i = 0; env && i < of->n_env; i++) {
		if (!passed_over(rules, &of->env[i]))
			env[n++] = of->env[i];
	}
	if (env)
		qsort(env, n, sizeof(*env), by_bytes);
	*ret_n = n;
	return env;
}

static int name_len(const ProtobufCBinaryData *entry)
{
	const char *equals = entry->len ? memchr(entry->data, '=', entry->len) : NULL;
	int len = equals ? (int)(equals - (const char *)entry->data) : (int)entry->len;

	return len < 60 ? len : 60;
}

static bool environment_differs(const Warm__Rpc__Conditions *snap, const Warm__Rpc__Conditions *now,
                                const char *const *ignored, const struct difference *why)
{
	const struct env_rules rules = {.ignored = ignored, .snap = snap};
	CLEAN(free) ProtobufCBinaryData *was = NULL, *is = NULL;
	size_t n_was = 0, n_is = 0;

	if (same_in_order(&rules, now))
		return false;
	was = sorted_env(&rules, snap, &n_was);
	is = sorted_env(&rules, now, &n_is);
	if (!was || !is)
		return differs(why, "no memory to compare environments");
	for (size_t i = 0; i < n_was || i < n_is; i++) {
		int order = i == n_was ? 1 : i == n_is ? -1 : by_bytes(&was[i], &is[i]);
		const ProtobufCBinaryData *first = order < 0 ? &was[i] : order > 0 ? &is[i] : NULL;
		int len;

		if (!first)
			continue;
		len = name_len(first);
		if (i < n_was && i < n_is && name_len(&was[i]) == name_len(&is[i]) &&
		    memcmp(was[i].data, is[i].data, (size_t)len) == 0)
			return differs(why, "environment %.*s differs", len, (const char *)first->data);
		return differs(why, "environment %.*s is %s", len, (const char *)first->data,
		               order < 0 ? "gone" : "new");
	}
	return false;
}

static bool cwd_differs(const Warm__Rpc__Conditions *snap, const Warm__Rpc__Conditions *now,
                        const struct difference *why)
{
	if (!snap->cwd_from_launch && !same_bytes(&snap->cwd, &now->cwd))
		return differs(why, "the working directory is %.*s, was %.*s", shown(&now->cwd),
		               (const char *)now->cwd.data, shown(&snap->cwd), (const char *)snap->cwd.data);
	if (snap->umask != now->umask)
		return differs(why, "umask is %03o, was %03o", now->umask, snap->umask);
	return false;
}

/* What survives execve(2) and is nobody's choice of a launch. */
static bool inherited_differs(const Warm__Rpc__Conditions *snap, const Warm__Rpc__Conditions *now,
                              const struct difference *why)
{
	static const struct {
		const char *words;
		uint32_t mask;
	} part[] = {{"whether it may use huge pages (PR_SET_THP_DISABLE)", 0xff},
	            {"PR_SET_MDWE", 0xff00},
	            {"the NUMA policy", 0xffff0000}};

	if (snap->personality != now->personality)
		return differs(why, "the personality is %#x, was %#x", now->personality, snap->personality);
	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		if ((snap->inherited ^ now->inherited) & part[i].mask)
			return differs(why, "%s differs", part[i].words);
	return false;
}

/* Which kinds there are: sched(7), ioprio_set(2). Niceness follows the launch. */
static bool priority_differs(const Warm__Rpc__Conditions *snap, const Warm__Rpc__Conditions *now,
                             const struct difference *why)
{
	if (snap->scheduling != now->scheduling)
		return differs(why, "the scheduling policy is %u (priority %u), was %u (priority %u)",
		               now->scheduling & 0xff, now->scheduling >> 8 & 0xff, snap->scheduling & 0xff,
		               snap->scheduling >> 8 & 0xff);
	if (snap->io_priority != now->io_priority)
		return differs(why, "the I/O priority is %#x, was %#x", now->io_priority, snap->io_priority);
	return false;
}

static void put_limit(uint64_t bytes, char ret[32])
{
	if (bytes == RLIM_INFINITY)
		strcpy(ret, "unlimited");
	else
		snprintf(ret, 32, "%" PRIu64 " KiB", bytes >> 10);
}

/* The limit itself would follow the launch. What has been made of it would not: the size of threads' stacks (libc), of
 * the Java machine's first thread, where the kernel maps things. */
static bool stack_differs(const Warm__Rpc__Conditions *snap, const Warm__Rpc__Conditions *now,
                          const struct difference *why)
{
	char was[32], is[32];

	if (snap->stack_limit == now->stack_limit)
		return false;
	put_limit(snap->stack_limit, was);
	put_limit(now->stack_limit, is);
	return differs(why, "the limit of the stack (ulimit -s) is %s, was %s", is, was);
}

/* A copy that has none of its own could not say READY=1 to whoever waits for it. */
static bool notify_differs(const Warm__Rpc__Conditions *snap, const Warm__Rpc__Conditions *now,
                           const struct difference *why)
{
	return now->notify && !snap->notify && differs(why, "there is a NOTIFY_SOCKET, and was none");
}

/* ---- the key ---------------------------------------------------------------------------------------------------- */

int key_compare(const Warm__Rpc__Conditions *snap, const Warm__Rpc__Conditions *now, const char *const *ignored_env,
                char *reason, size_t reason_size)
{
	static bool (*const step[])(const Warm__Rpc__Conditions *, const Warm__Rpc__Conditions *,
	                            const struct difference *) = {
	        command_differs, user_differs,     groups_differ,     rights_differ, places_differ,
	        machine_differs, stdio_differs,    signals_differ,    cwd_differs,   arguments_differ,
	        notify_differs,  priority_differs, inherited_differs, stack_differs,
	};
	const int n_steps = sizeof(step) / sizeof(step[0]);
	const struct difference why = {.text = reason, .size = reason_size};

	for (int i = 0; i < n_steps; i++) {
		if (step[i](snap, now, &why))
			return i + 1;
	}
	return environment_differs(snap, now, ignored_env ? ignored_env : key_ignored_env, &why) ? n_steps + 1 : 0;
}

/* ---- variants --------------------------------------------------------------------------------------------------- */

/* The first word that is no option, or NULL. */
static const ProtobufCBinaryData *first_word(const ProtobufCBinaryData *argv, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		if (argv[i].len == 0 || argv[i].data[0] != '-')
			return &argv[i];
	}
	return NULL;
}

/* What says which program it is: that of an interpreter that we know, else the first word that is no option; with a
 * hook that declares its arguments, the others. A name that is not absolute means one in its directory. NULL: out of
 * memory.
 */
static char *program_of(const Warm__Rpc__Conditions *conditions)
{
	size_t n = conditions->argv_from_launch && conditions->fixed_args < conditions->n_argv ? conditions->fixed_args
	                                                                                       : conditions->n_argv;
	const ProtobufCBinaryData *word = first_word(conditions->argv, n);
	CLEAN(free) char *program = NULL;
	char what, *ret;

	if (interp_program(conditions->cmd, conditions->argv, n, &what, &program))
		program = word ? strndup((const char *)word->data, word->len) : strdup("");
	if (!program || asprintf(&ret, "%.*s/%s", *program && *program != '/' ? (int)conditions->cwd.len : 0,
	                         (const char *)conditions->cwd.data, program) < 0)
		return NULL;
	return ret;
}

static bool same_command(const Warm__Rpc__Conditions *a, const Warm__Rpc__Conditions *b)
{
	return a->uid == b->uid && strcmp(a->cmd, b->cmd) == 0 && !*a->interpreter == !*b->interpreter;
}

bool key_is_variant(const Warm__Rpc__Conditions *a, const Warm__Rpc__Conditions *b)
{
	CLEAN(free) char *of_a = NULL, *of_b = NULL;

	if (!same_command(a, b))
		return false;
	if (*a->interpreter)
		return true;
	of_a = program_of(a);
	of_b = program_of(b);
	return !of_a || !of_b || strcmp(of_a, of_b) == 0;
}

/* Of a pre-warmed interpreter the archive that it has opened itself (interp_line_parse()), else NULL. */
static const ProtobufCBinaryData *archive_of(const Warm__Rpc__Conditions *conditions)
{
	static const char option[] = "-jar";
	size_t n = conditions->n_argv;
	const ProtobufCBinaryData before = {strlen(option), (uint8_t *)(uintptr_t)option};

	return n > 2 && same_bytes(&conditions->argv[n - 2], &before) ? &conditions->argv[n - 1] : NULL;
}

static bool same_word(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
	return a && b ? same_bytes(a, b) : a == b;
}

bool key_is_comparable(const Warm__Rpc__Conditions *a, const Warm__Rpc__Conditions *b)
{
	CLEAN(free) char *program_a = NULL, *program_b = NULL;
	char what_a, what_b;

	if (!same_command(a, b))
		return false;
	if (*a->interpreter)
		return same_word(archive_of(a), archive_of(b));
	if (!interp_of(a->cmd))
		return true;
	if (interp_program(a->cmd, a->argv, a->n_argv, &what_a, &program_a) ||
	    interp_program(b->cmd, b->argv, b->n_argv, &what_b, &program_b))
		return same_word(first_word(a->argv, a->n_argv), first_word(b->argv, b->n_argv));
	return what_a == what_b && strcmp(program_a, program_b) == 0;
}

void key_none_yet(const Warm__Rpc__Conditions *now, char *reason, size_t reason_size)
{
	CLEAN(free) char *program = NULL;
	char what;
	bool named = !interp_program(now->cmd, now->argv, now->n_argv, &what, &program) && *program && what != 'c';

	snprintf(reason, reason_size, "no snapshot of %.100s yet", named ? program : now->cmd);
}
