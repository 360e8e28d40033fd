/* SPDX-License-Identifier: MIT */
/* warmd without a daemon: its configuration, launches as they come from the socket, limits from /proc, watched files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clean.h"
#include "base/content.h"
#include "base/err.h"
#include "base/fd.h"
#include "cache/catalog.h"
#include "cache/store.h"
#include "warmd/above.h"
#include "warmd/config.h"
#include "warmd/daemon.h"
#include "warmd/entry.h"
#include "warmd/files.h"
#include "warmd/first_run.h"
#include "warmd/handover.h"
#include "warmd/peer.h"
#include "warmd/record.h"
#include "warmd/request.h"
#include "warmd/retired.h"
#include "warmd/traits.h"
#include "warmd/unseen.h"
#include "warmd/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* ---- sockets that are handed over -------------------------------------------------------------------------------- */

static void test_sockets_are_handed_to_the_process_that_listen_pid_names(void **state)
{
	char *both[] = {(char *)"A=1", (char *)"LISTEN_PID=77", (char *)"LISTEN_FDS=2", NULL};
	char *count[] = {(char *)"LISTEN_FDS=3", NULL}, *none[] = {(char *)"LISTEN_PID=77", NULL};
	char *nonsense[] = {(char *)"LISTEN_FDS=-1", NULL}, *many[] = {(char *)"LISTEN_FDS=1000000", NULL};
	char *garbled[] = {(char *)"LISTEN_PID=77x", (char *)"LISTEN_FDS=1", NULL};

	(void)state;
	assert_int_equal(handover_count(both, 77), 2);
	assert_int_equal(handover_count(both, 78), 0);
	assert_int_equal(handover_count(count, 5), 3);
	assert_int_equal(handover_count(none, 77), 0);
	assert_int_equal(handover_count(nonsense, 1), 0);
	assert_int_equal(handover_count(many, 1), 0);
	assert_int_equal(handover_count(garbled, 77), 0);
}

/* ---- what is not recorded ---------------------------------------------------------------------------------------- */

static void test_without_a_record_a_program_needs_a_hook(void **state)
{
	struct daemon daemon = {.config.record_opened = true};
	struct first_run run = {.daemon = &daemon};
	struct err err;

	(void)state;
	assert_int_equal(unseen_check(&run, false, true, &err), 0); /* it declares */
	assert_int_equal(unseen_check(&run, true, false, &err), 0); /* `warm snapshot` */
	assert_int_equal(unseen_check(&run, false, false, &err), -ENODATA);
	assert_non_null(strstr(err.msg, "record-opened = no"));
	daemon.config.record_opened = false;
	assert_int_equal(unseen_check(&run, false, false, &err), 0);
}

static void test_what_is_not_recorded_is_noted_where_it_is_used(void **state)
{
	Warm__Rpc__Conditions conditions = WARM__RPC__CONDITIONS__INIT;
	Warm__Rpc__Record record = WARM__RPC__RECORD__INIT;
	Warm__Rpc__Opened opened = WARM__RPC__OPENED__INIT;
	Warm__Rpc__Unseen root = WARM__RPC__UNSEEN__INIT, other = WARM__RPC__UNSEEN__INIT, *list[] = {&other, &root};
	struct first_run run = {0};
	struct statx st;
	struct err err;

	(void)state;
	assert_int_equal(statx(AT_FDCWD, "/", 0, STATX_MNT_ID, &st), 0);
	root.mount_id = st.stx_mnt_id;
	root.words = (char *)"/ (some): No such device";
	other.mount_id = UINT64_MAX;
	other.words = (char *)"/nowhere (some): No such device";
	opened.unseen = list;
	opened.n_unseen = 2;
	record.conditions = &conditions;
	assert_int_equal(unseen_note(&run, &opened, &record, &err), 0);
	assert_int_equal(record.n_not_recorded, 1);
	assert_string_equal(record.not_recorded[0], root.words);
	record.ready = (char *)"after:1";
	assert_int_equal(unseen_note(&run, &opened, &record, &err), -ENODATA);
	assert_non_null(strstr(err.msg, "what it opens on / (some)"));
	free(record.not_recorded[0]);
	free(record.not_recorded);
}

/* ---- configuration ----------------------------------------------------------------------------------------------- */

static int parse(struct config *config, const char *text, struct err *err)
{
	CLEAN(free) char *copy = strdup(text);

	assert_int_equal(config_init(config, err), 0);
	return config_parse(config, "warmd.conf", copy, err);
}

static void test_config_reads_every_key(void **state)
{
	struct config config;
	struct err err;

	(void)state;
	assert_int_equal(parse(&config,
	                       "# comment\n[exec]\nnever-warm = one, two\n[cache]\n max-age = 2h "
	                       "\n[pool]\nbudget=3M\nhuge-pages = always\n"
	                       "[key]\nignore-env = FOO BAR_*\n[snapshot]\nfork = always\n",
	                       &err),
	                 0);
	assert_true(config_never_warm(&config, "/usr/bin/two"));
	assert_false(config_never_warm(&config, "/usr/bin/sudo"));
	assert_int_equal(config.max_age_s, 7200);
	assert_int_equal(config.budget_bytes, 3 << 20);
	assert_int_equal(config.huge, HUGE_ALWAYS);
	assert_string_equal(config.ignore_env[1], "BAR_*");
	assert_null(config.ignore_env[2]);
	assert_string_equal(config.fork, "always");
	config_fini(&config);
}

static void test_config_says_what_of_the_environment_is_an_interpreters(void **state)
{
	struct config config;
	struct err err;

	(void)state;
	assert_int_equal(parse(&config, "", &err), 0);
	assert_int_equal(config_settle(&config, &err), 0);
	assert_true(config.python.prewarm);
	assert_string_equal(config.python.identity, "python");
	assert_string_equal(config.python.env_from_launch[0], "!PYTHON*");
	assert_string_equal(config.python.env_from_launch[config.python.n_env_from_launch - 1], "*");
	config_fini(&config);

	assert_int_equal(
	        parse(&config, "[python]\nprewarm = no\npreload = json, re\nkeep-env = DJANGO_* DATABASE\n", &err), 0);
	assert_int_equal(config_settle(&config, &err), 0);
	assert_int_equal(config_settle(&config, &err), 0); /* once more, as after a signal */
	assert_false(config.python.prewarm);
	assert_string_equal(config.python.preload[1], "re");
	assert_null(config.python.preload[2]);
	assert_string_equal(config.python.identity, "python json re $DJANGO_* $DATABASE");
	assert_string_equal(config.python.env_from_launch[config.python.n_env_from_launch - 3], "!DJANGO_*");
	assert_string_equal(config.python.env_from_launch[config.python.n_env_from_launch - 2], "!DATABASE");
	assert_string_equal(config.python.env_from_launch[config.python.n_env_from_launch - 1], "*");
	config_fini(&config);
}

static void test_config_tells_workers_of_plugins(void **state)
{
	const char *argv[1 + CONFIG_PLUGIN_ARGS + 1] = {"worker"};
	struct config config;
	struct err err;

	(void)state;
	assert_int_equal(parse(&config, "", &err), 0);
	assert_int_equal(config_plugin_args(&config, argv + 1), 0);
	assert_null(argv[1]);
	config_fini(&config);

	assert_int_equal(
	        parse(&config, "[plugins]\ndir = /opt/old\ndir = /opt/my plugins\ndisable = one, two\tthree\n", &err),
	        0);
	assert_int_equal(config_plugin_args(&config, argv + 1), 4);
	assert_string_equal(argv[1], "--plugins");
	assert_string_equal(argv[2], "/opt/my plugins");
	assert_string_equal(argv[3], "--plugins-off");
	assert_string_equal(argv[4], "one,two,three");
	assert_null(argv[5]);
	config_fini(&config);

	assert_int_equal(parse(&config, "[plugins]\ndisable = one\ndisable =\n", &err), 0);
	assert_int_equal(config_plugin_args(&config, argv + 1), 0); /* none after all */
	config_fini(&config);
}

static void test_config_names_line_and_word(void **state)
{
	static const struct {
		const char *text, *words;
	} bad[] = {
	        {"[exec]\nnever-worm = a\n", "warmd.conf:2: unknown key never-worm in [exec]"},
	        {"[plugins]\ndisable = one jvm.so\n",
	         "warmd.conf:2: disable: a plugin is named without its folder and .so: jvm, not jvm.so"},
	        {"[python]\nprewarm = perhaps\n", "warmd.conf:2: prewarm: not understood: perhaps"},
	        {"[python]\npre-warm = yes\n", "warmd.conf:2: unknown key pre-warm in [python]"},
	        {"[plugins]\ndir = plugins\n", "warmd.conf:2: dir: not understood: plugins"},
	        {"[plugins]\nenable = jvm\n", "warmd.conf:2: unknown key enable in [plugins]"},
	        {"\n\nhello\n", "warmd.conf:3: neither [section] nor key = value: hello"},
	        {"[cache]\nmax-age = soon\n", "warmd.conf:2: max-age: not understood: soon"},
	        {"[pool]\nhuge-pages = perhaps\n", "warmd.conf:2: huge-pages: not understood: perhaps"},
	        {"[pool]\nbudget = 99999999999999999999G\n",
	         "warmd.conf:2: budget: not understood: 99999999999999999999G"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct config config;
		struct err err;

		assert_int_equal(parse(&config, bad[i].text, &err), -EINVAL);
		assert_string_equal(err.msg, bad[i].words);
		config_fini(&config);
	}
}

static void test_config_never_warms_sudo_by_default(void **state)
{
	struct config config;
	struct err err;

	(void)state;
	assert_int_equal(parse(&config, "", &err), 0);
	assert_true(config_never_warm(&config, "/usr/bin/sudo"));
	assert_true(config_never_warm(&config, "ps"));
	assert_false(config_never_warm(&config, "/usr/bin/python3"));
	config_fini(&config);
}

/* ---- launches ---------------------------------------------------------------------------------------------------- */

struct message {
	struct launch_request head;
	char text[64];
};

static size_t build(struct message *msg)
{
	static const char text[] = "/bin/cat\0/srv\0\0\0cat\0-n\0A=1";

	memset(msg, 0, sizeof(*msg));
	msg->head.magic = LAUNCH_MAGIC;
	msg->head.version = LAUNCH_VERSION;
	msg->head.n_argv = 2;
	msg->head.n_env = 1;
	msg->head.n_numbers = 2;
	msg->head.fd_number[0] = 0;
	msg->head.fd_number[1] = 7;
	memcpy(msg->text, text, sizeof(text));
	msg->head.size = offsetof(struct message, text) + sizeof(text);
	return msg->head.size;
}

/* The socket in which n_fds descriptors lie; -1 of them: nothing at all. */
static int carrier(int n_fds)
{
	int pair[2], fds[8];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	for (int i = 0; i < n_fds; i++)
		fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (n_fds >= 0) {
		assert_int_equal(fd_send(pair[1], "", 1, fds, (size_t)n_fds), 0);
		fd_close_all(fds, (size_t)n_fds);
	}
	close(pair[1]);
	return pair[0];
}

/* n_fds: of the request itself; n_carried: of the program. */
static int take(struct request *request, const struct message *msg, size_t len, size_t n_fds, int n_carried,
                struct err *err)
{
	int fds[8];

	for (size_t i = 0; i < n_fds; i++)
		fds[i] = i == REQUEST_CARRIER ? carrier(n_carried) : open("/dev/null", O_RDWR | O_CLOEXEC);
	return request_parse(request, msg, len, fds, n_fds, err);
}

static void test_request_is_taken_apart(void **state)
{
	struct request request;
	struct message msg;
	struct err err;

	(void)state;
	assert_int_equal(take(&request, &msg, build(&msg), 3, 2, &err), 0);
	assert_string_equal(request.cmd, "/bin/cat");
	assert_string_equal(request.cwd, "/srv");
	assert_string_equal(request.name, "");
	assert_string_equal(request.argv[1], "-n");
	assert_null(request.argv[2]);
	assert_string_equal(request.env[0], "A=1");
	assert_int_equal(request_fd(&request, 7), request.fds[REQUEST_FIRST + 1]);
	assert_int_equal(request_fd(&request, 1), -1);
	request_fini(&request);
}

static void refused(struct message *msg, size_t len, size_t n_fds, int n_carried)
{
	struct request request;
	struct err err;

	assert_int_equal(take(&request, msg, len, n_fds, n_carried, &err), -EINVAL);
	assert_true(err.msg[0]);
	request_fini(&request);
}

static void test_request_with_an_empty_carrier_was_given_up(void **state)
{
	struct request request;
	struct message msg;
	struct err err;

	(void)state;
	assert_int_equal(take(&request, &msg, build(&msg), 3, -1, &err), -ECANCELED);
	request_fini(&request);
}

static void test_malformed_request_is_refused(void **state)
{
	struct message msg;
	size_t len;

	(void)state;
	len = build(&msg);
	refused(&msg, len, 2, 0); /* one descriptor too few */
	refused(&msg, len, 4, 2);
	refused(&msg, len, 3, 1);
	refused(&msg, len, 3, 3);
	refused(&msg, 20, 0, 0);
	refused(&msg, len - 1, 3, 2); /* not as long as announced */
	msg.head.n_env = 2;
	refused(&msg, len, 3, 2);
	msg.head.n_env = UINT32_MAX;
	refused(&msg, len, 3, 2);
	len = build(&msg);
	msg.head.n_argv = 0;
	refused(&msg, len, 3, 2);
	len = build(&msg);
	msg.head.fd_number[1] = 0;
	refused(&msg, len, 3, 2);
	len = build(&msg);
	msg.head.n_numbers = 60000;
	refused(&msg, len, 3, 2);
	len = build(&msg);
	msg.head.version = 9;
	refused(&msg, len, 3, 2);
}

/* Every truncation of a good message, sizes set to match: refused, and nothing is read behind its end. */
static void test_truncated_request_is_refused(void **state)
{
	struct message msg;
	size_t len = build(&msg);

	(void)state;
	for (size_t n = offsetof(struct message, text); n < len; n++) {
		CLEAN(free) void *cut = malloc(n); /* no byte more: a sanitizer sees who reads on */

		msg.head.size = (uint32_t)n;
		memcpy(cut, &msg, n);
		refused(cut, n, 3, 2);
	}
}

/* ---- arguments of scripts, signals of glibc ---------------------------------------------------------------------- */

struct command_line {
	const char *launch[6], *process;
	size_t len;
	uint32_t fixed, want;
};

#define PROCESS(text) .process = (text), .len = sizeof(text)

static uint32_t fixed_args(const struct command_line *line)
{
	Warm__Rpc__Conditions launch = WARM__RPC__CONDITIONS__INIT;
	ProtobufCBinaryData argv[6];

	for (; line->launch[launch.n_argv]; launch.n_argv++)
		argv[launch.n_argv] = (ProtobufCBinaryData){strlen(line->launch[launch.n_argv]),
		                                            (uint8_t *)line->launch[launch.n_argv]};
	launch.argv = argv;
	launch.cmd = (char *)"/srv/app.py";
	launch.cwd = (ProtobufCBinaryData){4, (uint8_t *)"/srv"};
	return record_fixed_args(&launch, line->process, line->len, line->fixed);
}

static void test_fixed_arguments_are_counted_in_the_launch(void **state)
{
	static const struct command_line line[] = {
	        /* the same program: the hook's own number */
	        {{"app", "a"}, PROCESS("app\0a"), 1, 1},
	        {{"python3", "app.py", "a"}, PROCESS("python3\0app.py\0a"), 2, 2},
	        {{"python3", "-m", "app"}, PROCESS("python3\0-m\0app"), 3, 3},
	        /* a #! line put the interpreter in front */
	        {{"./app.py", "a"}, PROCESS("python3\0./app.py\0a"), 2, 1},
	        {{"app.py"}, PROCESS("python3\0-I\0/srv/app.py"), 3, 1},
	        /* another program than the command, or other arguments: not to be told apart */
	        {{"wrapper", "a"}, PROCESS("python3\0other.py\0a"), 2, 0},
	        {{"./app.py", "a"}, PROCESS("python3\0./app.py\0a\0b"), 2, 0},
	        {{"./app.py", "a"}, PROCESS("python3\0./app.py\0b"), 2, 0},
	        {{"python3", "x.py", "a"}, PROCESS("python3\0app.py\0a"), 2, 0},
	        /* nonsense from the hook */
	        {{"app", "a"}, PROCESS("app\0a"), 0, 0},
	        {{"app", "a"}, PROCESS("app\0a"), 7, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(line) / sizeof(*line); i++)
		assert_int_equal(fixed_args(&line[i]), line[i].want);
}

static void test_signals_of_glibc_do_not_count(void **state)
{
	struct machine machine = {0};
	struct request request = {.cmd = "/bin/true", .cwd = "/", .head.sig_blocked = ~UINT64_C(0)};
	struct peer peer = {.pid = getpid(), .pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0)};
	struct {
		void (*handler)(int);
		unsigned long flags;
		void (*restorer)(void);
		uint64_t mask;
	} ignore = {.handler = SIG_IGN}, before;
	static struct caller caller;

	(void)state;
	assert_int_equal(syscall(SYS_rt_sigaction, 33, &ignore, &before, 8), 0);
	assert_int_equal(caller_look(&caller, &peer, &machine), 0);
	assert_int_equal(caller_ask(&caller, &request), 0);
	assert_int_equal(syscall(SYS_rt_sigaction, 33, &before, NULL, 8), 0);
	assert_int_equal(caller.msg.sig_ignored & UINT64_C(3) << 31, 0);
	assert_int_equal(caller.msg.sig_blocked, ~(UINT64_C(3) << 31));
	caller_fini(&caller);
	peer_fini(&peer);
}

/* ---- limits ------------------------------------------------------------------------------------------------------ */

static void test_limits_from_proc_are_those_of_prlimit(void **state)
{
	CLEAN(free) char *text = NULL;
	struct launch_traits traits = {0};

	(void)state;
	assert_int_equal(fd_read_file_at(AT_FDCWD, "/proc/self/limits", 8192, &text, NULL), 0);
	assert_int_equal(traits_parse_limits(text, &traits), 0);
	for (int i = 0; i < LAUNCH_N_LIMITS; i++) {
		struct rlimit limit;

		assert_int_equal(getrlimit((__rlimit_resource_t)i, &limit), 0);
		assert_int_equal(traits.limit[i].rlim_cur, limit.rlim_cur);
		assert_int_equal(traits.limit[i].rlim_max, limit.rlim_max);
	}
	assert_int_equal(traits_parse_limits("nonsense", &traits), -EPROTO);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

struct place {
	char dir[64];
	struct daemon daemon;
	struct watch *watch;
	struct watch_set *set;
	Warm__Rpc__File file[3], *list[3];
	char path[3][96], reason[ERR_MSG_MAX];
};

static char *py[] = {(char *)".py"};

static void write_file(const char *path, const char *text)
{
	CLEAN(file) FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
}

/* file[0] app, file[1] lib.py, file[2] the directory with names that end in .py */
static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	struct err err;

	strcpy(place->dir, "/tmp/warm-test-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	snprintf(place->path[0], sizeof(place->path[0]), "%s/app", place->dir);
	snprintf(place->path[1], sizeof(place->path[1]), "%s/lib.py", place->dir);
	snprintf(place->path[2], sizeof(place->path[2]), "%s", place->dir);
	write_file(place->path[0], "a");
	write_file(place->path[1], "b");
	place->daemon.loop = ev_loop_new(EVFLAG_AUTO);
	assert_int_equal(watch_new(&place->daemon, &place->watch, &err), 0);
	for (int i = 0; i < 3; i++) {
		warm__rpc__file__init(&place->file[i]);
		place->file[i].path = place->path[i];
		place->list[i] = &place->file[i];
	}
	place->file[2].suffix = py;
	place->file[2].n_suffix = 1;
	for (int i = 0; i < 3; i++)
		assert_int_equal(file_look(&place->file[i]), 0);
	place->set = watch_set_new(place->watch, place->list, 3);
	assert_int_equal(watch_set_check(place->set, place->reason, sizeof(place->reason)), 0);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;
	char command[96];

	watch_set_free(place->set);
	watch_free(place->watch);
	ev_loop_destroy(place->daemon.loop);
	free(place->file[2].names_digest.data);
	snprintf(command, sizeof(command), "rm -rf %s", place->dir);
	assert_int_equal(system(command), 0);
	free(place);
	return 0;
}

static int changed(struct place *place)
{
	watch_drain(place->watch);
	return watch_set_check(place->set, place->reason, sizeof(place->reason));
}

static void test_untouched_files_stay_trusted(void **state)
{
	struct place *place = *state;
	char other[160];

	snprintf(other, sizeof(other), "%s/cache.pyc", place->dir);
	write_file(other, "x"); /* a name that does not count */
	assert_int_equal(changed(place), 0);
	assert_int_equal(changed(place), 0);
}

static void test_edited_file_is_named(void **state)
{
	struct place *place = *state;

	write_file(place->path[1], "edited");
	assert_int_equal(changed(place), 1);
	assert_non_null(strstr(place->reason, "lib.py changed"));
}

static void test_replaced_file_is_noticed(void **state)
{
	struct place *place = *state;
	char other[160];

	snprintf(other, sizeof(other), "%s/new", place->dir);
	write_file(other, "b");
	assert_int_equal(rename(other, place->path[1]), 0);
	assert_int_equal(changed(place), 1);
}

static void test_new_module_is_noticed(void **state)
{
	struct place *place = *state;
	char other[160];

	snprintf(other, sizeof(other), "%s/shadow.py", place->dir);
	write_file(other, "");
	assert_int_equal(changed(place), 1);
	assert_non_null(strstr(place->reason, "has other entries"));
}

static void test_removed_file_is_noticed(void **state)
{
	struct place *place = *state;

	assert_int_equal(unlink(place->path[0]), 0);
	assert_int_equal(changed(place), 1);
	assert_non_null(strstr(place->reason, "is gone"));
}

static void test_sweep_sees_without_inotify(void **state)
{
	struct place *place = *state;

	write_file(place->path[1], "edited");
	assert_int_equal(watch_set_sweep(place->set, 3, place->reason, sizeof(place->reason)), 1);
}

/* On tmpfs a store moves no time, and inotify sees none anywhere. */
static void test_store_through_a_mapping_is_noticed(void **state)
{
	struct place *place = *state;
	char path[] = "/dev/shm/warm-unit-XXXXXX", reason[ERR_MSG_MAX];
	Warm__Rpc__File file = WARM__RPC__FILE__INIT, *list[] = {place->list[0], &file};
	uint8_t digest[DIGEST_SIZE];
	struct watch_set *set;
	int fd = mkstemp(path);
	char *area;

	assert_true(fd >= 0 && !ftruncate(fd, 4096));
	area = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(area, MAP_FAILED);
	area[0] = 'B';
	file.path = path;
	assert_int_equal(file_look(&file), 0);
	file.position = true;
	file.content_len = 4096;
	file.content_digest = (ProtobufCBinaryData){sizeof(digest), digest};
	assert_int_equal(content_digest(path, file.dev, file.ino, 0, 4096, digest), 0);
	set = watch_set_new(place->watch, list, 2);
	for (int i = 0; i < 2; i++)
		assert_int_equal(watch_set_check(set, reason, sizeof(reason)), 0);
	area[4095] = 'C';
	watch_drain(place->watch);
	assert_int_equal(watch_set_check(set, reason, sizeof(reason)), 1);
	assert_non_null(strstr(reason, path));
	watch_set_free(set);
	munmap(area, 4096);
	close(fd);
	unlink(path);
}

/* A snapshot of /bin/true that came from the place's files. Its record is malloc'ed, as unpacking makes it. */
static struct entry *publish(struct place *place, Warm__Rpc__Conditions *conditions)
{
	struct daemon *daemon = &place->daemon;
	Warm__Rpc__Record record = WARM__RPC__RECORD__INIT;
	static char cmd[] = "/bin/true", id[] = "0123456789ab";
	static uint32_t kind[3];
	uint8_t packed[512];
	struct entry *entry;

	warm__rpc__conditions__init(conditions);
	conditions->cmd = cmd;
	conditions->stdio_kind = kind;
	conditions->n_stdio_kind = 3;
	record.id = id;
	record.created = (uint64_t)time(NULL);
	record.conditions = conditions;
	assert_true(warm__rpc__record__get_packed_size(&record) <= sizeof(packed));
	entry = entry_new(daemon, warm__rpc__record__unpack(NULL, warm__rpc__record__pack(&record, packed), packed));
	entry->state = ENTRY_PUBLISHED;
	entry->files = watch_set_new(place->watch, place->list, 3);
	return entry;
}

/* inotify sees no store through a mapping: what the sweep has left out for long is looked at by the launch. */
static void test_a_launch_after_a_long_time_looks_at_everything(void **state)
{
	struct place *place = *state;
	struct daemon *daemon = &place->daemon;
	Warm__Rpc__Conditions conditions;
	char root[160], reason[ERR_MSG_MAX] = "";
	int fd = open(place->path[1], O_RDWR | O_CLOEXEC);
	struct entry *entry;
	struct err err;
	char *area;

	if (daemon_now_ms() < 700000)
		skip(); /* the machine has been up for too short a time */
	snprintf(root, sizeof(root), "%s/root", place->dir);
	assert_int_equal(store_open(root, &daemon->store, &err), 0);
	assert_int_equal(catalog_open(daemon->store, NULL, NULL, &daemon->catalog, &err), 0);
	TAILQ_INIT(&daemon->retired);
	daemon->watch = place->watch;
	daemon->config.max_age_s = 1000;
	entry = publish(place, &conditions);
	entry->pool.history.arrivals.last_ms = daemon_now_ms();
	assert_ptr_equal(entry_find(daemon, &conditions, reason, sizeof(reason)), entry);

	area = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(area, MAP_FAILED);
	area[0] = 'C';
	assert_ptr_equal(entry_find(daemon, &conditions, reason, sizeof(reason)), entry); /* the sweep's to see */
	entry->pool.history.arrivals.last_ms = daemon_now_ms() - 610000;
	assert_null(entry_find(daemon, &conditions, reason, sizeof(reason)));
	assert_non_null(strstr(reason, "lib.py changed"));
	munmap(area, 1);
	close(fd);
	retired_free(daemon);
	catalog_close(daemon->catalog);
	store_close(daemon->store);
}

static void test_missing_file_that_appears_is_a_change(void **state)
{
	struct place *place = *state;
	char path[160], reason[ERR_MSG_MAX];
	Warm__Rpc__File file = WARM__RPC__FILE__INIT;

	snprintf(path, sizeof(path), "%s/later", place->dir);
	file.path = path;
	assert_int_equal(file_look(&file), 0);
	assert_int_equal(file_check(&file, reason, sizeof(reason)), 0);
	write_file(path, "");
	assert_int_equal(file_check(&file, reason, sizeof(reason)), 1);
}

static void test_file_changed_after_the_start_is_newer(void **state)
{
	struct place *place = *state;
	char which[ERR_MSG_MAX];
	int64_t start = place->file[1].ctime_ns;

	assert_false(file_newer(&place->file[1], start, which, sizeof(which)));
	assert_true(file_newer(&place->file[1], start - 1, which, sizeof(which)));
	/* Of a directory the names count: one that came later is told. */
	assert_true(file_newer(&place->file[2], place->file[2].mtime_ns - 1, which, sizeof(which)));
	assert_non_null(strstr(which, "lib.py"));
	place->file[1].settled = true; /* the program's own doing */
	assert_false(file_newer(&place->file[1], start - 1, which, sizeof(which)));
	place->file[1].settled = false;
	place->file[1].same_inode_only = true;
	assert_false(file_newer(&place->file[1], start - 1, which, sizeof(which)));
}

static void test_what_a_path_leads_through(void **state)
{
	char dir[] = "/tmp/warm-above-XXXXXX", path[64], link[64], loop[64], between[64];
	struct above above = {0};
	size_t n;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(link, sizeof(link), "%s/l", dir);
	snprintf(loop, sizeof(loop), "%s/m", dir);
	assert_int_equal(symlink("../x//y/", link), 0);
	assert_int_equal(symlink("./m", loop), 0);
	snprintf(path, sizeof(path), "%s/l/a/f", dir);
	assert_int_equal(above_add(&above, path), 0);
	assert_int_equal(above.n, 7); /* /tmp, dir, l, l/a; dir/.., dir/../x, dir/../x//y */
	for (size_t i = 1; i < above.n; i++)
		assert_true(strcmp(above.path[i - 1], above.path[i]) < 0);
	assert_string_equal(above.path[0], "/tmp");
	assert_int_equal(above_add(&above, path), 0);
	assert_int_equal(above_add(&above, "/f"), 0);
	assert_int_equal(above.n, 7);
	snprintf(path, sizeof(path), "%s/m/f", dir);
	assert_int_equal(above_add(&above, path), 0); /* it ends */
	snprintf(path, sizeof(path), "%s/n", dir); /* a file that is a link to a link, which has a directory above it */
	snprintf(between, sizeof(between), "%s/o", dir);
	assert_int_equal(symlink("o", path), 0);
	assert_int_equal(symlink("none/f", between), 0);
	n = above.n;
	assert_int_equal(above_add(&above, path), 0);
	assert_int_equal(above.n, n + 2); /* dir/o, dir/none */
	unlink(path);
	unlink(between);
	unlink(link);
	unlink(loop);
	rmdir(dir);
	above_fini(&above);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_sockets_are_handed_to_the_process_that_listen_pid_names),
	        cmocka_unit_test(test_what_a_path_leads_through),
	        cmocka_unit_test(test_without_a_record_a_program_needs_a_hook),
	        cmocka_unit_test(test_what_is_not_recorded_is_noted_where_it_is_used),
	        cmocka_unit_test(test_config_reads_every_key),
	        cmocka_unit_test(test_config_says_what_of_the_environment_is_an_interpreters),
	        cmocka_unit_test(test_config_tells_workers_of_plugins),
	        cmocka_unit_test(test_config_names_line_and_word),
	        cmocka_unit_test(test_config_never_warms_sudo_by_default),
	        cmocka_unit_test(test_request_is_taken_apart),
	        cmocka_unit_test(test_request_with_an_empty_carrier_was_given_up),
	        cmocka_unit_test(test_malformed_request_is_refused),
	        cmocka_unit_test(test_truncated_request_is_refused),
	        cmocka_unit_test(test_fixed_arguments_are_counted_in_the_launch),
	        cmocka_unit_test(test_signals_of_glibc_do_not_count),
	        cmocka_unit_test(test_limits_from_proc_are_those_of_prlimit),
	        cmocka_unit_test_setup_teardown(test_untouched_files_stay_trusted, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_edited_file_is_named, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_replaced_file_is_noticed, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_new_module_is_noticed, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_removed_file_is_noticed, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_sweep_sees_without_inotify, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_store_through_a_mapping_is_noticed, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_a_launch_after_a_long_time_looks_at_everything, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_missing_file_that_appears_is_a_change, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_file_changed_after_the_start_is_newer, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
