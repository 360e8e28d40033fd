/* SPDX-License-Identifier: MIT */
/* What the clone does with its memory: it always has what it would have if all of it had been there from the start. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cases.h"
#include "proto/pager.h"

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static void read_in_order(struct stage *stage)
{
	for (unsigned i = 0; i < STAGE_SPAN; i++)
		CHECK(stage_has(stage, stage_at(i), stage->page_at[i]));
}

static void read_anywhere(struct stage *stage)
{
	static unsigned order[STAGE_SPAN];

	for (unsigned i = 0; i < STAGE_SPAN; i++) {
		unsigned j = (unsigned)stage_random(i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	for (unsigned i = 0; i < STAGE_SPAN; i++)
		CHECK(stage_has(stage, stage_at(order[i]), stage->page_at[order[i]]));
}

/* A write to one byte: all others are as they were. */
static void write_anywhere(struct stage *stage)
{
	for (unsigned n = 0; n < STAGE_SPAN; n++) {
		unsigned i = (unsigned)stage_random(STAGE_SPAN), at = (unsigned)stage_random(PAGE);
		volatile uint8_t *byte = (uint8_t *)stage_at(i) + at;
		uint8_t was = (*byte += 1);

		*byte = (uint8_t)(was - 1);
		CHECK(stage_has(stage, stage_at(i), stage->page_at[i]));
	}
	read_in_order(stage);
}

static int serve(struct stage *stage, inside_fn *inside)
{
	int r;

	stage_start_pager(stage);
	r = stage_wait(stage_clone(stage, inside));
	stage_end_pager(stage);
	return r;
}

static int whole(inside_fn *inside)
{
	struct stage stage;

	stage_init(&stage);
	return serve(&stage, inside);
}

int case_sequential(void)
{
	return whole(read_in_order);
}

int case_random(void)
{
	return whole(read_anywhere);
}

int case_writes(void)
{
	return whole(write_anywhere);
}

/* Every fifth page from the end on, as the list has to have it; the holes among them are not of the image. */
static void read_some(struct stage *stage)
{
	for (unsigned i = STAGE_SPAN - 1; i >= 5; i -= 5)
		CHECK(stage_has(stage, stage_at(i), stage->page_at[i]));
}

int case_recorded(void)
{
	struct pager_served served[STAGE_SPAN];
	struct stage stage;
	size_t n = 0;
	int r;

	stage_init(&stage);
	stage.log_fd = memfd_create("list", MFD_CLOEXEC);
	CHECK(stage.log_fd >= 0);
	r = serve(&stage, read_some);
	CHECK(pread(stage.log_fd, served, sizeof(served), 0) >= 0);
	for (unsigned i = STAGE_SPAN - 1; i >= 5; i -= 5)
		if (stage.page_at[i] != HOLE)
			CHECK(served[n++].addr == (uintptr_t)stage_at(i));
	CHECK(lseek(stage.log_fd, 0, SEEK_END) == (off_t)(n * sizeof(served[0])));
	close(stage.log_fd);
	return r;
}

/* Behind its time nothing is told, and neighbours come along again. */
static void read_late(struct stage *stage)
{
	CHECK(stage_has(stage, stage_at(0), stage->page_at[0]));
	poll(NULL, 0, PAGER_RECORD_MS + 10);
	read_in_order(stage);
}

int case_recorded_for_a_while(void)
{
	struct stage stage;
	int r;

	stage_init(&stage);
	stage.log_fd = memfd_create("list", MFD_CLOEXEC);
	CHECK(stage.log_fd >= 0);
	r = serve(&stage, read_late);
	CHECK(lseek(stage.log_fd, 0, SEEK_END) <= (off_t)sizeof(struct pager_served));
	close(stage.log_fd);
	return r;
}

static void read_placed(struct stage *stage)
{
	for (unsigned i = 0; i < STAGE_SPAN; i++) {
		uint64_t *word = stage_at(i);
		int page = stage->page_at[i];

		if (!PLACED(i) || page == HOLE) {
			CHECK(stage_has(stage, word, page));
			continue;
		}
		CHECK(word[0] == i && word[1] != 0);
		if (i % 2)
			CHECK(madvise(word, PAGE, MADV_DONTNEED) == 0 && stage_has(stage, word, HOLE));
	}
}

int case_placed(void)
{
	struct stage stage;

	stage_init(&stage);
	stage.place = true;
	return serve(&stage, read_placed);
}

int case_small_cache(void)
{
	struct stage stage;

	stage_init(&stage);
	stage.cache_bytes = "0"; /* one block */
	return serve(&stage, read_anywhere);
}

/* ---- changing --------------------------------------------------------------------------------------------------- */

/* What each address has: a page of the image, zeroes, a number that was written there, nothing. */
enum { EITHER = -2, NOTHING = -3, WRITTEN = 1000000 };

#define ROOM (2 * STAGE_SPAN) /* the image's addresses and as many behind them */

struct model {
	struct stage *stage;
	int has[ROOM];
	int serial;
};

static void check(struct model *m, unsigned i)
{
	const uint64_t *word = stage_at(i);

	if (m->has[i] >= WRITTEN)
		CHECK(word[0] == (uint64_t)m->has[i] && word[PAGE / 8 - 1] == (uint64_t)m->has[i]);
	else if (m->has[i] >= HOLE)
		CHECK(stage_has(m->stage, word, m->has[i]));
}

static void write_page(struct model *m, unsigned i)
{
	uint64_t *word = stage_at(i);

	if (m->has[i] == NOTHING)
		return;
	m->has[i] = WRITTEN + m->serial++;
	for (unsigned k = 0; k < PAGE / 8; k++)
		word[k] = (uint64_t)m->has[i];
}

static void discard(struct model *m, unsigned i, unsigned n, bool lazily)
{
	for (unsigned k = i; k < i + n; k++)
		if (m->has[k] == NOTHING)
			return;
	CHECK(madvise(stage_at(i), n * PAGE, lazily ? MADV_FREE : MADV_DONTNEED) == 0);
	for (unsigned k = i; k < i + n; k++)
		m->has[k] = lazily && m->has[k] != HOLE ? EITHER : HOLE;
}

static void unmap(struct model *m, unsigned i, unsigned n)
{
	CHECK(munmap(stage_at(i), n * PAGE) == 0);
	for (unsigned k = i; k < i + n; k++)
		m->has[k] = NOTHING;
}

static void map_anew(struct model *m, unsigned i, unsigned n)
{
	CHECK(mmap(stage_at(i), n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	      stage_at(i));
	for (unsigned k = i; k < i + n; k++)
		m->has[k] = HOLE;
}

static bool is_mapped(unsigned i)
{
	return msync(stage_at(i), PAGE, MS_ASYNC) == 0;
}

/* n pages at i become to_n at j, where nothing is before. Of several areas the kernel moves as many as it can. */
static void move(struct model *m, unsigned i, unsigned n, unsigned j, unsigned to_n, bool leave)
{
	static int moved[ROOM];

	if (i < j + to_n && j < i + n)
		return;
	unmap(m, j, to_n);
	memcpy(moved, m->has, sizeof(moved));
	if (mremap(stage_at(i), n * PAGE, to_n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED | (leave ? MREMAP_DONTUNMAP : 0),
	           stage_at(j)) == MAP_FAILED)
		CHECK(errno == EFAULT || errno == EINVAL);
	for (unsigned k = 0; k < to_n; k++)
		m->has[j + k] = !is_mapped(j + k) ? NOTHING : k < n ? moved[i + k] : HOLE;
	for (unsigned k = 0; k < n; k++) {
		if (!is_mapped(i + k))
			m->has[i + k] = NOTHING;
		else if (k < to_n && m->has[j + k] != NOTHING)
			m->has[i + k] = HOLE;
	}
}

static void grow_in_place(struct model *m, unsigned i, unsigned n, unsigned more)
{
	for (unsigned k = i + n; k < i + n + more; k++)
		if (m->has[k] != NOTHING)
			return;
	if (mremap(stage_at(i), n * PAGE, (n + more) * PAGE, 0) == MAP_FAILED) {
		CHECK(errno == EFAULT || errno == ENOMEM);
		return;
	}
	for (unsigned k = i + n; k < i + n + more; k++)
		m->has[k] = HOLE;
}

/* Splits an area, so that one stretch of the image lies in two. */
static void protect(struct model *m, unsigned i, unsigned n)
{
	for (unsigned k = i; k < i + n; k++)
		if (m->has[k] == NOTHING)
			return;
	CHECK(mprotect(stage_at(i), n * PAGE, PROT_READ) == 0);
	check(m, i);
	if (stage_random(2))
		CHECK(mprotect(stage_at(i), n * PAGE, PROT_READ | PROT_WRITE) == 0);
	else
		CHECK(mprotect(stage_at(i), n * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
}

static void change(struct model *m)
{
	unsigned n = 1 + (unsigned)stage_random(stage_random(3) ? 8 : 90);
	unsigned i = (unsigned)stage_random(ROOM - 200), j = (unsigned)stage_random(ROOM - 200);

	switch (stage_random(12)) {
	case 0:
		discard(m, i, n, false);
		break;
	case 1:
		discard(m, i, n, true);
		break;
	case 2:
		unmap(m, i, n);
		break;
	case 3:
		map_anew(m, i, n);
		break;
	case 4:
		move(m, i, n, j, n, false);
		break;
	case 5:
		move(m, i, n, j, n + (unsigned)stage_random(20), false);
		break;
	case 6:
		move(m, i, n, j, 1 + (unsigned)stage_random(n), false);
		break;
	case 7:
		move(m, i, n, j, n, true);
		break;
	case 8:
		grow_in_place(m, i, n, 1 + (unsigned)stage_random(20));
		break;
	case 9:
		protect(m, i, n);
		break;
	case 10:
		write_page(m, i);
		break;
	default:
		check(m, i);
	}
}

static void model_init(struct model *m, struct stage *stage)
{
	m->stage = stage;
	m->serial = 0;
	for (unsigned i = 0; i < ROOM; i++)
		m->has[i] = i < STAGE_SPAN ? stage->page_at[i] : NOTHING;
}

static void check_all(struct model *m)
{
	for (unsigned i = 0; i < ROOM; i++)
		if (m->has[i] != NOTHING)
			check(m, i);
}

static void change_and_check(struct stage *stage)
{
	static struct model model;

	stage_seed(stage->shared->signal);
	model_init(&model, stage);
	for (unsigned i = 0; i < 3000; i++)
		change(&model);
	check_all(&model);
}

/* The same with children in between, each of which looks at all that it has, and goes on changing its own. */
static void change_and_fork(struct stage *stage)
{
	static struct model model;
	pid_t pid[20];

	stage_seed(stage->shared->signal);
	model_init(&model, stage);
	for (unsigned n = 0; n < 20; n++) {
		for (unsigned i = 0; i < 80; i++)
			change(&model);
		pid[n] = fork();
		CHECK(pid[n] >= 0);
		if (pid[n] == 0) {
			stage_seed(n);
			for (unsigned i = 0; i < 300; i++)
				change(&model);
			check_all(&model);
			_exit(0);
		}
	}
	check_all(&model);
	for (unsigned n = 0; n < 20; n++)
		CHECK(stage_wait(pid[n]) == 0);
}

static int changes(inside_fn *inside, unsigned times)
{
	static unsigned seed;
	struct stage stage;
	int r = 0;

	stage_init(&stage);
	stage_start_pager(&stage);
	for (unsigned i = 0; r == 0 && i < times; i++) {
		stage.shared->signal = seed++;
		r = stage_wait(stage_clone(&stage, inside));
	}
	stage_end_pager(&stage);
	return r;
}

int case_changes(void)
{
	return changes(change_and_check, 5);
}

int case_changes_and_forks(void)
{
	return changes(change_and_fork, 2);
}

/* What no random walk would be sure to come by. */
static void change_by_hand(struct stage *stage)
{
	uint8_t *at = stage_at(0), *moved;
	unsigned n = 600;

	moved = mremap(at, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
	CHECK(moved != MAP_FAILED);
	for (unsigned i = 0; i < n; i += 3) {
		CHECK(stage_has(stage, at + i * PAGE, HOLE));
		CHECK(stage_has(stage, moved + i * PAGE, stage->page_at[i]));
	}
	moved = mremap(moved, n * PAGE, (n + 300) * PAGE, MREMAP_MAYMOVE);
	CHECK(moved != MAP_FAILED);
	for (unsigned i = 1; i < n + 300; i += 3)
		CHECK(stage_has(stage, moved + i * PAGE, i < n ? stage->page_at[i] : HOLE));
	CHECK(mremap(moved, (n + 300) * PAGE, 100 * PAGE, 0) == moved);
	CHECK(mremap(moved, 100 * PAGE, 300 * PAGE, MREMAP_MAYMOVE) != MAP_FAILED);
	CHECK(munmap(stage_at(700), 200 * PAGE) == 0);
	CHECK(mmap(stage_at(700), 200 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	      stage_at(700));
	for (unsigned i = 600; i < 1000; i++)
		CHECK(stage_has(stage, stage_at(i), i >= 700 && i < 900 ? HOLE : stage->page_at[i]));
	CHECK(madvise(stage_at(1000), 400 * PAGE, MADV_DONTNEED) == 0);
	CHECK(madvise(stage_at(1400), 200 * PAGE, MADV_FREE) == 0);
	for (unsigned i = 1000; i < 2000; i++)
		CHECK(stage_has(stage, stage_at(i), i < 1600 ? HOLE : stage->page_at[i]));
	/* Guards say nothing to the pager, but what had been in memory does not come back. */
	CHECK(madvise(stage_at(1700), 50 * PAGE, 102 /* MADV_GUARD_INSTALL */) == 0);
	CHECK(madvise(stage_at(1700), 50 * PAGE, 103 /* MADV_GUARD_REMOVE */) == 0);
	for (unsigned i = 1700; i < 1750; i++)
		CHECK(stage_has(stage, stage_at(i), HOLE));
}

int case_by_hand(void)
{
	return whole(change_by_hand);
}
