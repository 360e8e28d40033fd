/* SPDX-License-Identifier: MIT */
#include "pager/server.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "pager/report.h"
#include "proto/launch.h"
#include "proto/pager.h"

#define US        UINT64_C(1000)
#define MS        (1000 * US)
#define SERVE_MIN (20 * US) /* a thread that was told goes on within so much, if it gets a core */
#define SERVE_MAX (1 * MS)
#define REAP_MIN  (1 * MS)
#define REAP_MAX  (100 * MS)
#define SWEEP     (5000 * MS)
#define FDS_SPARE 16 /* for what is no clone's, and one more request */
#define AT_A_FORK 2  /* spaces that are looked at for each new one: so dead ones are never more than living ones */

enum watched { WATCHED_REQUESTS, WATCHED_GUARDIAN, WATCHED_CLONE, WATCHED_SPACE };

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 * MS + (uint64_t)t.tv_nsec;
}

static int watch(const struct server *server, int fd, uint32_t events, int *kind, enum watched what, struct err *err)
{
	struct epoll_event event = {.events = events, .data.ptr = kind};

	*kind = what;
	if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return err_sys(err, errno, "watch a descriptor");
	return 0;
}

static void unwatch(const struct server *server, int fd)
{
	epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* ---- later ------------------------------------------------------------------------------------------------------ */

static void again_soon(struct again *again, uint64_t wait)
{
	if (again->at)
		return;
	again->wait = wait;
	again->at = now() + wait;
}

static void again_later(struct again *again, bool needed, uint64_t most)
{
	again->wait = again->wait * 2 < most ? again->wait * 2 : most;
	again->at = needed ? now() + again->wait : 0;
}

/* ---- ends ------------------------------------------------------------------------------------------------------- */

static void wait_no_more(struct server *server, struct space *space)
{
	if (space->waits)
		TAILQ_REMOVE(&server->waiting, space, waiting);
	space->waits = false;
}

static void drop_space(struct server *server, struct space *space)
{
	wait_no_more(server, space);
	unwatch(server, space->uffd);
	clone_drop(space);
	server->n_spaces--;
}

static void drop_clone(struct server *server, struct clone *clone)
{
	LIST_REMOVE(clone, orphan);
	LIST_REMOVE(clone, entry);
	clone_free(&server->images, clone);
	server->n_clones--;
}

/* Those of its address spaces that nobody has any more. */
static size_t sweep_clone(struct server *server, struct clone *clone, size_t most)
{
	size_t n = 0;

	for (size_t left = most < clone->n_spaces ? most : clone->n_spaces; left > 0; left--) {
		struct space *space = TAILQ_LAST(&clone->spaces, space_list);

		if (space_probe(space->uffd) != 0) { /* gone; or never was one, in a request that nobody understood */
			drop_space(server, space);
			n++;
		} else { /* the others' turn comes first */
			TAILQ_REMOVE(&clone->spaces, space, of_clone);
			TAILQ_INSERT_HEAD(&clone->spaces, space, of_clone);
		}
	}
	return n;
}

static size_t sweep(struct server *server)
{
	struct clone *clone;
	size_t n = 0;

	LIST_FOREACH(clone, &server->clones, entry)
	n += sweep_clone(server, clone, SIZE_MAX);
	return n;
}

static void reap(struct server *server)
{
	struct clone *clone, *next;

	for (clone = LIST_FIRST(&server->orphans); clone; clone = next) {
		next = LIST_NEXT(clone, orphan);
		sweep_clone(server, clone, SIZE_MAX);
		if (clone->n_spaces == 0)
			drop_clone(server, clone);
	}
}

/* Its supervisor has gone: all of it is going to end, has ended perhaps. Until then it is served. */
static void orphan(struct server *server, struct clone *clone)
{
	unwatch(server, clone->life_fd);
	clone->orphaned = true;
	LIST_INSERT_HEAD(&server->orphans, clone, orphan);
	server->reap.at = 0;
	again_soon(&server->reap, REAP_MIN);
	reap(server);
}

static void fail(struct server *server, struct clone *clone, const struct err *err)
{
	struct space *space;

	report(server->report_fd, REPORT_PROGRESS, err->code, clone->label, err->msg);
	clone_fail(clone);
	TAILQ_FOREACH(space, &clone->spaces, of_clone)
	{
		wait_no_more(server, space); /* cppcheck-suppress uninitvar ; the macro sets it */
		unwatch(server, space->uffd);
	}
}

/* ---- serving ---------------------------------------------------------------------------------------------------- */

/* No descriptor is left: of who has most of them, and whose forks nobody can serve any more. */
static void fail_largest(struct server *server)
{
	struct clone *clone, *largest = NULL;
	struct err err;

	LIST_FOREACH(clone, &server->clones, entry)
	if (!clone->failed && (!largest || clone->n_spaces > largest->n_spaces))
		largest = clone;
	if (!largest)
		return;
	err_set(&err, EMFILE,
	        "%zu processes of one clone are more than the pager can serve: raise its limit of open files",
	        largest->n_spaces);
	fail(server, largest, &err);
}

static void wait_in_list(struct server *server, struct space *space)
{
	if (!space->waits)
		TAILQ_INSERT_TAIL(&server->waiting, space, waiting);
	space->waits = true;
	again_soon(&server->serve, SERVE_MIN);
}

static int adopt(struct server *server, struct clone *clone, struct space_list *born, struct err *err)
{
	struct space *space;
	int r = 0;

	while ((space = TAILQ_FIRST(born))) {
		TAILQ_REMOVE(born, space, of_clone);
		clone_adopt(clone, space);
		server->n_spaces++;
		if (r == 0)
			r = watch(server, space->uffd, EPOLLIN, &space->kind, WATCHED_SPACE, err);
	}
	return r;
}

static void serve_space(struct server *server, struct space *space)
{
	struct clone *clone = space->clone;
	struct space_list born = TAILQ_HEAD_INITIALIZER(born);
	struct err err = {0}, ours = {0};
	int state = space_serve(space, &server->images, clone->image, &born, &err);
	bool forked = !TAILQ_EMPTY(&born);
	int r = adopt(server, clone, &born, &ours);

	if (state == SPACE_AGAIN || state == SPACE_FULL)
		wait_in_list(server, space);
	else
		wait_no_more(server, space);
	if (state == SPACE_GONE)
		drop_space(server, space);
	if (state < 0 || r < 0)
		fail(server, clone, state < 0 ? &err : &ours);
	else if (state == SPACE_FULL && sweep(server) == 0)
		fail_largest(server);
	else if (forked)
		sweep_clone(server, clone, AT_A_FORK);
}

/* Each once. Any of them may be gone when one has been served. */
static void serve_waiting(struct server *server)
{
	struct space *space, *last = TAILQ_LAST(&server->waiting, waiting_list);
	bool more = last != NULL;

	while (more && (space = TAILQ_FIRST(&server->waiting))) {
		more = space != last;
		wait_no_more(server, space);
		serve_space(server, space);
	}
}

/* ---- requests --------------------------------------------------------------------------------------------------- */

static bool has_room(const struct server *server)
{
	return 2 * server->n_clones + server->images.n + server->n_spaces + FDS_SPARE < server->fds_max; /* life, log */
}

/* A request whose descriptors find no place would lose them, and its clone its pages: it waits in the socket. */
static int pause_requests(struct server *server, bool pause, struct err *err)
{
	if (!server->requests_open || server->requests_paused == pause)
		return 0;
	server->requests_paused = pause;
	if (!pause)
		return watch(server, server->requests_fd, EPOLLIN, &server->requests_kind, WATCHED_REQUESTS, err);
	unwatch(server, server->requests_fd);
	return 0;
}

/* Where it cannot be served its address space is kept all the same, until its supervisor has ended it. */
static int begin(struct server *server, const void *request, size_t len, const int *fds, size_t n_fds, struct err *err)
{
	struct err why = {0};
	struct clone *clone = clone_new(&server->images, request, len, fds, n_fds, &why);
	struct space *space;
	int r;

	if (!clone)
		return err_sys(err, ENOMEM, "one more clone");
	space = TAILQ_FIRST(&clone->spaces);
	LIST_INSERT_HEAD(&server->clones, clone, entry);
	server->n_clones++;
	server->n_spaces++;
	again_soon(&server->sweep, SWEEP);
	r = clone->failed ? -1 : watch(server, space->uffd, EPOLLIN, &space->kind, WATCHED_SPACE, &why);
	if (watch(server, clone->life_fd, EPOLLRDHUP, &clone->kind, WATCHED_CLONE, r < 0 ? NULL : &why) < 0)
		r = -1;
	if (r < 0)
		fail(server, clone, &why);
	return 0;
}

static int take_request(struct server *server, struct err *err)
{
	_Alignas(8) char buf[PAGER_SIZE_MAX];
	int fds[PAGER_FDS_MAX];
	size_t n = PAGER_FDS_MAX;
	ssize_t len;

	if (!has_room(server) && sweep(server) == 0)
		return pause_requests(server, true, err);
	len = fd_recv(server->requests_fd, buf, sizeof(buf), fds, &n, MSG_DONTWAIT);
	if (len == -EAGAIN)
		return 0;
	if (len == 0) { /* the number stays ours, for the guardian knows it */
		unwatch(server, server->requests_fd);
		server->requests_open = false;
		return 0;
	}
	if (len > 0 && n >= PAGER_N_FDS)
		return begin(server, buf, (size_t)len, fds, n, err);
	fd_close_all(fds, len > 0 ? n : 0);
	report(server->report_fd, REPORT_PROGRESS, EPROTO, "", "request to the pager: not understood");
	return 0;
}

/* ---- the loop --------------------------------------------------------------------------------------------------- */

static int new_guardian(struct server *server, struct err *err)
{
	int r;

	waitpid(server->guardian.pid, NULL, WNOHANG);
	unwatch(server, server->guardian.pidfd);
	close(server->guardian.pidfd);
	r = guardian_start(&server->guardian, err);
	return r < 0 ? r
	             : watch(server, server->guardian.pidfd, EPOLLIN, &server->guardian_kind, WATCHED_GUARDIAN, err);
}

static int dispatch(struct server *server, int *kind, struct err *err)
{
	switch ((enum watched) * kind) {
	case WATCHED_SPACE:
		serve_space(server, (struct space *)kind);
		return 0;
	case WATCHED_CLONE:
		orphan(server, (struct clone *)kind);
		return 0;
	case WATCHED_REQUESTS:
		return take_request(server, err);
	case WATCHED_GUARDIAN:
		return new_guardian(server, err);
	}
	return 0;
}

static int look_again(struct server *server, struct err *err)
{
	uint64_t t = server->serve.at || server->reap.at || server->sweep.at ? now() : 0;
	int r = 0;

	if (server->serve.at && t >= server->serve.at) {
		serve_waiting(server);
		again_later(&server->serve, !TAILQ_EMPTY(&server->waiting), SERVE_MAX);
	}
	if (server->reap.at && t >= server->reap.at) {
		reap(server);
		again_later(&server->reap, !LIST_EMPTY(&server->orphans), REAP_MAX);
	}
	if (server->sweep.at && t >= server->sweep.at) {
		sweep(server);
		again_later(&server->sweep, server->n_clones > 0, SWEEP);
	}
	if (server->requests_paused && has_room(server))
		r = pause_requests(server, false, err);
	return r;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a && (!b || a < b) ? a : b;
}

/* One event at a time: what is freed for it is in no list of others. */
static int wait_for_one(const struct server *server, int **ret_kind, struct err *err)
{
	uint64_t at = earlier(server->serve.at, earlier(server->reap.at, server->sweep.at));
	uint64_t t = at ? now() : 0, left = at > t ? at - t : 0;
	struct timespec limit = {.tv_sec = (time_t)(left / (1000 * MS)), .tv_nsec = (long)(left % (1000 * MS))};
	struct epoll_event event;
	int n = epoll_pwait2(server->epoll_fd, &event, 1, at ? &limit : NULL, NULL);

	if (n < 0 && errno != EINTR)
		return err_sys(err, errno, "wait for faults");
	*ret_kind = n == 1 ? event.data.ptr : NULL;
	return 0;
}

int server_init(struct server *server, int requests_fd, int report_fd, uint64_t cache_bytes, size_t fds_max,
                struct err *err)
{
	*server = (struct server){.requests_fd = requests_fd,
	                          .report_fd = report_fd,
	                          .requests_open = true,
	                          .fds_max = fds_max,
	                          .guardian = {.requests_fd = requests_fd, .report_fd = report_fd}};
	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll_fd < 0)
		return err_sys(err, errno, "epoll");
	LIST_INIT(&server->clones);
	LIST_INIT(&server->orphans);
	TAILQ_INIT(&server->waiting);
	if (images_init(&server->images, cache_bytes))
		return err_sys(err, ENOMEM, "a cache of %llu bytes", (unsigned long long)cache_bytes);
	return 0;
}

int server_run(struct server *server, struct err *err)
{
	int r = watch(server, server->requests_fd, EPOLLIN, &server->requests_kind, WATCHED_REQUESTS, err);

	if (r == 0)
		r = watch(server, server->guardian.pidfd, EPOLLIN, &server->guardian_kind, WATCHED_GUARDIAN, err);
	while (r == 0 && (server->requests_open || !LIST_EMPTY(&server->clones))) {
		int *kind = NULL;

		r = wait_for_one(server, &kind, err);
		if (r == 0 && kind)
			r = dispatch(server, kind, err);
		if (r == 0)
			r = look_again(server, err);
	}
	return r;
}
