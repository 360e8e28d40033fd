/* SPDX-License-Identifier: MIT */
/*
 * warmd: the daemon. What it does in order is daemon_start(), daemon_run(), daemon_stop(); the rest happens in the
 * loop: listener → client → dispatch → exec_job, snap_job, verbs.
 */
#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "cache/catalog.h"
#include "cache/store.h"
#include "warmd/admission.h"
#include "warmd/client.h"
#include "warmd/confine.h"
#include "warmd/daemon.h"
#include "warmd/doctor.h"
#include "warmd/entry.h"
#include "warmd/first_run.h"
#include "warmd/front.h"
#include "warmd/listener.h"
#include "warmd/loader.h"
#include "warmd/log.h"
#include "warmd/notify.h"
#include "warmd/options.h"
#include "warmd/pool.h"
#include "warmd/prewarm.h"
#include "warmd/recording.h"
#include "warmd/retired.h"
#include "warmd/spawner.h"
#include "warmd/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#define HOUSEKEEPING_S   1.0
#define SWEEP_S          0.25
#define SWEEP_PARTS      16 /* all files of a snapshot are looked at within so many sweeps */
#define EMBEDDED_EXIT_MS 3600000

static struct options options;

/* ---- in the background ------------------------------------------------------------------------------------------- */

static void housekeeping(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct daemon *daemon = timer->data;

	(void)revents;
	pool_balance(daemon);
	entry_write_uses(daemon);
	if (daemon->embedded && daemon_now_ms() > daemon->last_used_ms + EMBEDDED_EXIT_MS &&
	    LIST_EMPTY(&daemon->clients))
		ev_break(loop, EVBREAK_ALL);
}

static void sweep(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct daemon *daemon = timer->data;
	struct entry *entry, *next;
	char reason[ERR_MSG_MAX];

	(void)loop;
	(void)revents;
	for (entry = LIST_FIRST(&daemon->entries); entry; entry = next) {
		size_t n = entry->record->conditions->n_file / SWEEP_PARTS + 1;

		next = LIST_NEXT(entry, link);
		if (entry->state != ENTRY_PUBLISHED || !entry_is_swept(entry))
			continue;
		if (watch_set_sweep(entry->files, n, reason, sizeof(reason)))
			entry_retire(entry, reason);
	}
}

static void end(struct ev_loop *loop, ev_signal *sig, int revents)
{
	(void)sig;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

static int configure(struct config *config, struct err *err)
{
	int r = config_init(config, err);

	if (!r)
		r = config_read(config, options.config, options.config_given, err);
	return r ? r : config_settle(config, err);
}

static void reconfigure(struct ev_loop *loop, ev_signal *sig, int revents)
{
	struct daemon *daemon = sig->data;
	struct config config;
	struct err err;

	(void)loop;
	(void)revents;
	if (configure(&config, &err)) {
		log_line("the configuration stays as it was: %s", err.msg);
		config_fini(&config);
		return;
	}
	config_fini(&daemon->config);
	daemon->config = config;
	log_line("configuration read again");
}

static void start_background(struct daemon *daemon)
{
	struct ev_loop *loop = daemon->loop;

	ev_timer_init(&daemon->housekeeping, housekeeping, HOUSEKEEPING_S, HOUSEKEEPING_S);
	ev_timer_init(&daemon->sweep, sweep, SWEEP_S, SWEEP_S);
	ev_set_priority(&daemon->housekeeping, EV_MINPRI);
	ev_set_priority(&daemon->sweep, EV_MINPRI);
	ev_signal_init(&daemon->on_term, end, SIGTERM);
	ev_signal_init(&daemon->on_int, end, SIGINT);
	ev_signal_init(&daemon->on_hup, reconfigure, SIGHUP);
	daemon->housekeeping.data = daemon->sweep.data = daemon->on_hup.data = daemon;
	ev_timer_start(loop, &daemon->housekeeping);
	ev_timer_start(loop, &daemon->sweep);
	ev_signal_start(loop, &daemon->on_term);
	ev_signal_start(loop, &daemon->on_int);
	ev_signal_start(loop, &daemon->on_hup);
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

/* One daemon a cache: the lock lives as long as this process. */
static int lock_root(struct err *err)
{
	char path[PATH_MAX + 16];
	int fd;

	snprintf(path, sizeof(path), "%s/lock", options.root);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(err, errno, "open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB))
		return err_set(err, EADDRINUSE, "another warmd already uses %s: stop it, or choose another --root",
		               options.root);
	return 0;
}

static int open_cache(struct daemon *daemon, struct err *err)
{
	char log[PATH_MAX + 16];
	int r = store_open(options.root, &daemon->store, err);

	if (r)
		return r;
	snprintf(daemon->claims, sizeof(daemon->claims), "%s/writers", options.root);
	snprintf(log, sizeof(log), "%s/warmd.log", options.root);
	if (!options.foreground)
		log_to_file(log);
	return lock_root(err);
}

static int open_init(struct daemon *daemon, struct err *err)
{
	char path[PATH_MAX];
	int r = front_program("warm-init", path, err);

	if (r)
		return r;
	daemon->init_fd = open(path, O_RDONLY | O_CLOEXEC);
	return daemon->init_fd < 0 ? err_sys(err, errno, "open %s", path) : 0;
}

static void log_catalog(void *arg, const char *line)
{
	(void)arg;
	log_line("%s", line);
}

/*
 * GO wakes the application, and the scheduler likes to let it have the CPU of the one who woke it: in every tenth
 * launch warmd waited 2-7 ms between two messages that belong together. So warmd runs ahead of everything ordinary; it
 * never runs for long. Clones do not inherit it: they do not descend from this process. Where it is not allowed, nice
 * is the next best, and without either only the slowest launches get slower.
 */
static void be_prompt(void)
{
	struct sched_param param = {.sched_priority = 1};

	if (sched_setscheduler(0, SCHED_RR, &param))
		setpriority(PRIO_PROCESS, 0, -10);
}

/* A launch that waits holds eight descriptors and more. Nobody inherits this. */
static void open_many(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* What cannot be had is one clear line and no daemon; a program that is launched then starts cold. */
static int daemon_start(struct daemon *daemon, struct err *err)
{
	struct timespec now;
	int r;

	clock_gettime(CLOCK_REALTIME, &now);
	daemon->generation = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	daemon->last_used_ms = daemon_now_ms();
	daemon->embedded = options.embedded;
	TAILQ_INIT(&daemon->retired);
	prewarm_init(daemon);
	open_many();

	r = configure(&daemon->config, err);
	if (r)
		return r;
	r = open_cache(daemon, err);
	if (r)
		return r;
	doctor_examine(daemon); /* before anything is given up: it tries what it reports */
	daemon->loop = ev_default_loop(EVFLAG_AUTO);
	if (!daemon->loop)
		return err_set(err, ENOMEM, "libev finds no way to wait for events");
	admission_init(daemon);
	r = spawner_new(daemon, options.spawn_fd, &daemon->spawner, err);
	if (!r)
		r = open_init(daemon, err);
	if (!r)
		r = watch_new(daemon, &daemon->watch, err);
	if (!r)
		r = recorder_new(daemon, &daemon->recorder, err);
	if (!r)
		r = loaders_new(daemon, &daemon->loaders, err);
	if (!r)
		r = catalog_open(daemon->store, log_catalog, NULL, &daemon->catalog, err);
	if (r)
		return r;
	entry_load_all(daemon);
	be_prompt();
	r = listener_new(daemon, options.socket, options.socket_default && geteuid() == 0, &daemon->listener, err);
	if (!r)
		notify_open(daemon, options.socket);
	return r ? r : confine(CONFINED_WARMD, err);
}

/* sd_notify(3), by hand: one datagram. */
static void notify_systemd(void)
{
	static const char text[] = "READY=1";
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	CLEAN(fd) int fd = -1;
	size_t len;

	if (!path || !*path || strlen(path) >= sizeof(addr.sun_path))
		return;
	len = strlen(path);
	memcpy(addr.sun_path, path, len);
	if (*path == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, text, sizeof(text) - 1, MSG_NOSIGNAL, (struct sockaddr *)&addr,
	                     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		log_line("systemd was not told that warmd is ready: %s", strerror(errno));
}

/* To whoever started it in the background: "ready", or why not. */
static void tell_starter(const char *text)
{
	if (options.ready_fd < 0)
		return;
	fd_write_full(options.ready_fd, text, strlen(text));
	close(options.ready_fd);
	options.ready_fd = -1;
}

/* ---- end --------------------------------------------------------------------------------------------------------- */

/* Clones that run do not notice; what is parked ends because its sockets close. */
static void daemon_stop(struct daemon *daemon)
{
	struct client *client;
	struct entry *entry;
	struct first_run *run;

	listener_free(daemon->listener);
	if (daemon->loop)
		admission_fini(daemon);
	while ((client = LIST_FIRST(&daemon->clients)))
		client_free(client);
	while ((run = LIST_FIRST(&daemon->first_runs)))
		first_run_forget(run);
	if (daemon->catalog)
		entry_write_uses(daemon);
	while ((entry = LIST_FIRST(&daemon->entries)))
		entry_free(entry);
	loaders_free(daemon->loaders);
	retired_free(daemon);
	prewarm_free(daemon);
	watch_free(daemon->watch);
	recorder_free(daemon->recorder);
	catalog_close(daemon->catalog);
	store_close(daemon->store);
	spawner_free(daemon->spawner);
	clean_fd(&daemon->init_fd);
	config_fini(&daemon->config);
	if (daemon->loop)
		ev_loop_destroy(daemon->loop);
}

static int daemon_main(void)
{
	struct daemon daemon = {.init_fd = -1};
	struct err err;

	signal(SIGPIPE, SIG_IGN);
	fcntl(options.spawn_fd, F_SETFD, FD_CLOEXEC);
	if (options.ready_fd >= 0)
		fcntl(options.ready_fd, F_SETFD, FD_CLOEXEC);
	if (daemon_start(&daemon, &err)) {
		log_line("%s", err.msg);
		tell_starter(err.msg);
		daemon_stop(&daemon);
		return 1;
	}
	start_background(&daemon);
	log_line("ready on %s, cache %s%s%s", options.socket, options.root, daemon.machine.hot ? "" : "; ",
	         daemon.machine.hot ? "" : daemon.machine.cold_reason);
	tell_starter("ready");
	notify_systemd();
	ev_run(daemon.loop, 0);
	daemon_stop(&daemon);
	return 0;
}

int main(int argc, char **argv)
{
	struct err err;

	if (options_parse(&options, argc, argv, &err)) {
		fprintf(stderr, "warmd: %s; `warmd --help` shows the options\n", err.msg);
		return 2;
	}
	if (options.help)
		options_usage();
	else if (options.version)
		puts("warmd " WARM_VERSION);
	else
		return options.spawn_fd < 0 ? front_run(&options) : daemon_main();
	return 0;
}
