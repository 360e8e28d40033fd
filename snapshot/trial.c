/* SPDX-License-Identifier: MIT */
#include "snapshot/trial.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "cache/pack.h"
#include "proto/launch.h"
#include "snapshot/compare.h"
#include "snapshot/own.h"
#include "snapshot/planned_locks.h"
#include "snapshot/stand_ins.h"
#include "snapshot/subject.h"

#define UNPACK_THREADS 2

struct trial {
	const struct trial_request *req;
	struct subject clone;
	struct pack *pack;
	Warm__Image__Image *want; /* the original, as the image has it */
	char *pages;              /* its pages, back to back */
	size_t pages_len;
	uint64_t arena, arena_end; /* where the restorer was when the clone was parked */
	int64_t go_ns;             /* CLOCK_MONOTONIC, before it was sent its GO */
	struct planned_locks locks;
	struct stand_ins stand_ins;
};

/* ---- the image --------------------------------------------------------------------------------------------------- */

static int open_image(struct trial *t, struct err *err)
{
	CLEAN(free) uint8_t *meta = NULL;
	size_t len = 0;
	int r = pack_open(t->req->image_fd, t->req->label, &t->pack, err);

	if (r == 0)
		r = pack_section(t->pack, PACK_META, &meta, &len, err);
	if (r < 0)
		return r;
	t->want = warm__image__image__unpack(NULL, len, meta);
	if (!t->want)
		return err_set(err, EBADMSG, "image %s: its metadata cannot be decoded", t->req->label);
	t->pages_len = pack_n_pages(t->pack) * PACK_PAGE;
	if (t->pages_len == 0)
		return 0;
	t->pages = mmap(NULL, t->pages_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->pages == MAP_FAILED) {
		t->pages = NULL;
		return err_sys(err, errno, "memory for %zu MiB of pages", t->pages_len >> 20);
	}
	return pack_pages(t->pack, t->pages, UNPACK_THREADS, err);
}

/* ---- GO ---------------------------------------------------------------------------------------------------------- */

/* Nobody but loopback can be reached from the trial's network. */
static bool is_outside(const ProtobufCBinaryData *remote)
{
	char words[ADDRESS_WORDS_MAX];

	address_words(remote->data, remote->len, words);
	return strncmp(words, "127.", 4) != 0 && strncmp(words, "[::1]", 5) != 0;
}

/* The original holds its files' addresses and locks: the clone goes without. Ports it takes, in its own namespace. */
static uint64_t held_by_the_original(const Warm__Image__Image *image)
{
	uint64_t skip = 0;

	for (size_t i = 0; i < image->n_description; i++) {
		const Warm__Image__Description *d = image->description[i];

		if (d->held && (!d->socket || address_is_path(d->socket->address.data, d->socket->address.len)))
			skip |= UINT64_C(1) << (d->held - 1);
		if (d->socket && d->socket->remote_held && is_outside(&d->socket->remote))
			skip |= UINT64_C(1) << (d->socket->remote_held - 1);
	}
	return skip;
}

static int send_go(void *arg, struct err *err)
{
	struct trial *t = arg;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	t->go_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
	return stand_ins_go(&t->stand_ins, t->req->go_fd, held_by_the_original(t->want), err);
}

static void hear(const struct trial *t, struct report *ret_said)
{
	struct report report;

	while (fd_recv(t->req->go_fd, &report, sizeof(report), NULL, NULL, MSG_DONTWAIT) == (ssize_t)sizeof(report))
		if (report.magic == REPORT_MAGIC && report.kind != REPORT_RUNNING)
			*ret_said = report;
}

/* ---- the clone --------------------------------------------------------------------------------------------------- */

static int look(struct trial *t, struct err *err)
{
	struct subject *s = &t->clone;
	int r;

	if ((r = enter_network(s, err)) < 0 || (r = survey_status(s, err)) < 0 || (r = borrow(s, err)) < 0 ||
	    (r = collect_memory(s, err)) < 0 || (r = collect_threads(s, err)) < 0 || (r = collect_timers(s, err)) < 0 ||
	    (r = collect_signals(s, err)) < 0 || (r = collect_task(s, err)) < 0 || (r = collect_files(s, err)) < 0)
		return r;
	return find_pages(s, err);
}

static int compare(struct trial *t, struct err *err)
{
	const struct compared clone = {.image = t->clone.image,
	                               .pid = t->clone.pid,
	                               .arena = t->arena,
	                               .arena_end = t->arena_end,
	                               .skipped = held_by_the_original(t->want),
	                               .go_ns = t->go_ns};
	int r = compare_state(t->want, &clone, err);

	if (r == 0)
		r = compare_pages(t->want, t->pages, &clone, err);
	return r < 0 ? r : stand_ins_token_taken(&t->stand_ins, err);
}

static int become_and_compare(struct trial *t, struct report *ret_said, struct err *err)
{
	struct subject *s = &t->clone;
	int r;

	if ((r = freeze(s, err)) < 0 || (r = tracee_find_area(s->thread, &t->arena, &t->arena_end, err)) < 0 ||
	    (r = planned_locks_read(s, t->arena, &t->locks, err)) < 0)
		return r;
	r = tracees_become(s->thread, s->n_threads, t->arena, t->arena_end, send_go, t, err);
	hear(t, ret_said);
	if (r < 0)
		return r;
	r = look(t, err);
	if (r == 0)
		r = planned_locks_add(&t->locks, s, held_by_the_original(t->want), err);
	if (r < 0)
		return err_step(err, "the clone cannot be looked at");
	r = compare(t, err);
	return r < 0 ? r : check_own(s, err);
}

static void trial_close(struct trial *t)
{
	if (t->clone.pidfd >= 0)
		syscall(SYS_pidfd_send_signal, t->clone.pidfd, SIGKILL, NULL, 0);
	subject_close(&t->clone);
	planned_locks_free(&t->locks);
	stand_ins_close(&t->stand_ins);
	if (t->pages)
		munmap(t->pages, t->pages_len);
	if (t->want)
		warm__image__image__free_unpacked(t->want, NULL);
	pack_close(t->pack);
}

int trial_run(const struct trial_request *req, struct report *ret_said, struct err *err)
{
	struct trial t = {.req = req};
	struct snapshot_request as_snapshot = {.pid = req->pid, .pidfd = -1, .hook_fd = -1};
	sigset_t child;
	int r;

	ret_said->kind = 0;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL); /* snapshot/tracee.c waits for it */
	stand_ins_init(&t.stand_ins);
	r = open_image(&t, err);
	if (r == 0)
		as_snapshot.hook_fd = t.want->hook_fd;
	if (r == 0)
		r = stand_ins_open(&t.stand_ins, t.want, req->stdio_kind, err);
	as_snapshot.launch_fd = t.stand_ins.launch_fd;
	as_snapshot.n_launch_fds = t.stand_ins.n_launch_fds;
	t.clone.proc_fd = t.clone.pidfd = -1;
	if (r == 0)
		r = subject_open(&t.clone, &as_snapshot, err);
	t.clone.original = t.want;
	if (r == 0)
		r = become_and_compare(&t, ret_said, err);
	trial_close(&t);
	return r;
}
