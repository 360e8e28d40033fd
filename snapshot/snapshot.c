/* SPDX-License-Identifier: MIT */
#include "snapshot/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "snapshot/headroom.h"
#include "snapshot/interrupted.h"
#include "snapshot/keep.h"
#include "snapshot/smaps.h"
#include "snapshot/subject.h"

#define ATTEMPTS 5
#define HEAP     (2u << 20)

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static int write_message(int fd, const ProtobufCMessage *msg, struct err *err)
{
	size_t len = protobuf_c_message_get_packed_size(msg);
	CLEAN(free) uint8_t *buf = malloc(len);
	int r = buf ? 0 : -ENOMEM;

	if (!r) {
		protobuf_c_message_pack(msg, buf);
		r = fd_write_full(fd, buf, len);
	}
	return r < 0 ? err_sys(err, -r, "write the image's metadata") : 0;
}

static int store_all(struct subject *s, const struct snapshot_request *req, struct err *err)
{
	int r = find_pages(s, err);

	return r < 0 ? r : store_pages(s, req->pages_fd, err);
}

static int collect(struct subject *s, const struct snapshot_request *req, struct err *err)
{
	int r;

	if ((r = survey(s, err)) < 0 || (r = offer_stopped(s, err)) < 0 || (r = borrow(s, err)) < 0)
		return r;
	smaps_begin(s);
	if ((r = collect_threads(s, err)) < 0 || (r = collect_timers(s, err)) < 0 ||
	    (r = collect_signals(s, err)) < 0 || (r = collect_memory(s, err)) < 0 ||
	    (r = collect_deadlines(s, err)) < 0 || (r = collect_task(s, err)) < 0 || (r = collect_files(s, err)) < 0)
		return r;
	settle_calls(s);
	r = collect_contents(s, err);
	if (r < 0)
		return r;
	r = renew_apply(s, err);
	if (r == 0)
		r = keep_memory(s, req->may_end ? FORK_NEVER : req->fork, err);
	give_back(s); /* the longest part needs nothing of the threads: nor does it hurt them if this process dies in it
	               */
	if (r == 0)
		r = s->kept ? store_unforked(s, err) : store_all(s, req, err);
	renew_undo(s);
	return r;
}

/* While the application is stopped nothing may end this process half-way but SIGKILL. */
static void hold_signals(sigset_t *before)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, before);
}

static int write_down(struct subject *s, const struct snapshot_request *req, struct err *err)
{
	int r = write_message(req->meta_fd, &s->image->base, err);

	return r < 0 ? r : write_message(req->summary_fd, &s->summary->base, err);
}

/* What failed then is only how it was noticed. */
static void say_if_ended(const struct subject *s, struct err *err)
{
	if ((err->code == ESRCH || s->vanishes) && subject_has_ended(s))
		err_set(err, ESRCH, "it ended before its snapshot was taken");
}

/* What collectors allocate is memory that is there already: a first access to a page is a fault, 10 us on some
 * machines, to the kernel and to this process. */
static void touch_heap(void)
{
	CLEAN(fd) int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	CLEAN(free) char *heap = NULL;

	mallopt(M_MMAP_THRESHOLD, HEAP);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	heap = malloc(HEAP - 4096);
	if (heap && zero >= 0 && read(zero, heap, HEAP - 4096) > 0)
		memset(heap, 0, HEAP - 4096);
}

/* Once; *stopped_us grows by the time that the application stood still. */
static int attempt(struct subject *s, const struct snapshot_request *req,
                   void (*on_released)(void *arg, uint64_t stopped_us), void *arg, uint64_t *stopped_us,
                   struct err *err)
{
	uint64_t start;
	struct err ignored;
	sigset_t before;
	int r = subject_open(s, req, err), told;

	if (r == 0)
		r = offer_process(s, &req->plugins, err);
	if (r == 0)
		r = pages_prepare(s, req->pages_fd, err);
	if (r == 0)
		r = smaps_prepare(s, err);
	if (r == 0)
		r = shared_prepare(s, err);
	if (r == 0)
		r = inject_prepare(s, err);
	if (r == 0 && !req->random_kept)
		r = renew_prepare(s, err);
	s->memory_left = memory_left(s);
	touch_heap();
	hold_signals(&before);
	start = now_us();
	if (r == 0)
		r = freeze(s, err);
	if (r == 0)
		r = collect(s, req, err);
	if (r == 0 && req->may_end) {
		s->summary->stopped_us = *stopped_us + now_us() - start;
		sigprocmask(SIG_SETMASK, &before, NULL);
		r = write_down(s, req, err);
		if (r == 0 && req->may_end(arg))
			end(s);
		release(s);
		offer_resumed(s, r == 0, &ignored);
		return r;
	}
	release(s);
	*stopped_us += now_us() - start;
	if (r < 0)
		say_if_ended(s, err);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (r == 0)
		s->summary->stopped_us = *stopped_us;
	told = offer_resumed(s, r == 0, r == 0 ? err : &ignored);
	if (r == 0)
		r = told;
	if (r == 0) {
		on_released(arg, s->summary->stopped_us);
		if (s->kept)
			r = store_all(s, req, err);
		keep_end(s);
	}
	if (r == 0)
		r = write_down(s, req, err);
	return r;
}

/* What has a descriptor for a moment only that cannot be kept is frozen again, at another moment. */
int snapshot_run(const struct snapshot_request *req, void (*on_released)(void *arg, uint64_t stopped_us), void *arg,
                 struct err *err)
{
	uint64_t stopped_us = 0;
	bool again = true;
	int r = 0;

	for (int i = 0; again && i < ATTEMPTS; i++) {
		struct subject s = {.proc_fd = -1, .pidfd = -1, .refused_fd = -1};

		err->code = 0;
		r = attempt(&s, req, on_released, arg, &stopped_us, err);
		again = r < 0 && subject_closes(&s);
		subject_close(&s);
	}
	return r;
}
