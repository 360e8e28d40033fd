/* SPDX-License-Identifier: MIT */
/*
 * Every page. Those of the image are read in the clone, present or not (what is not reads as zero, or as the file's).
 * Those that the clone has besides must be zero. Left out are the bytes that others may write: the dead part of each
 * thread's stack, where signal frames come and go, the words of rseq that are the kernel's, and deadlines, which have
 * moved (snapshot/compare_deadlines.c). Random bytes must have changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/user.h>
#include <time.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "snapshot/compare.h"

#define PAGE     4096u
#define CHUNK    (256u * PAGE)
#define RED_ZONE 128
#define DEAD_MAX 16384 /* more than any signal frame (restore/plan_leave.c) */

typedef Warm__Image__Image image_t;

struct range {
	uint64_t start, end;
};

struct memory {
	const struct compared *clone;
	int mem;
	struct range *others; /* bytes that are not compared */
	size_t n_others;
	char *buf; /* CHUNK bytes */
};

static bool is_others(const struct memory *m, uint64_t addr)
{
	for (size_t i = 0; i < m->n_others; i++)
		if (addr >= m->others[i].start && addr < m->others[i].end)
			return true;
	return false;
}

static int note_others(struct memory *m, const image_t *want, struct err *err)
{
	m->others = calloc(2 * want->n_thread + want->n_deadline + want->n_random + 1, sizeof(*m->others));
	if (!m->others)
		return err_sys(err, ENOMEM, "comparison of memory");
	for (size_t i = 0; i < want->n_thread; i++) {
		const Warm__Image__Thread *t = want->thread[i];
		struct user_regs_struct regs;

		memcpy(&regs, t->regs.data, sizeof(regs));
		m->others[m->n_others++] = (struct range){regs.rsp - RED_ZONE - DEAD_MAX, regs.rsp - RED_ZONE};
		if (t->rseq_addr)
			m->others[m->n_others++] = (struct range){t->rseq_addr, t->rseq_addr + t->rseq_len};
	}
	for (size_t i = 0; i < want->n_deadline; i++) {
		uint64_t at = want->deadline[i]->address;

		m->others[m->n_others++] = (struct range){at, at + sizeof(struct timespec)};
	}
	for (size_t i = 0; i < want->n_random; i++) {
		uint64_t at = want->random[i]->address;

		m->others[m->n_others++] = (struct range){at, at + want->random[i]->length};
	}
	return 0;
}

/* `was` NULL: zeroes. */
static int compare_chunk(const struct memory *m, uint64_t addr, const char *was, size_t len, struct err *err)
{
	ssize_t n = pread(m->mem, m->buf, len, (off_t)addr);

	if (n != (ssize_t)len)
		return err_sys(err, n < 0 ? errno : EIO, "read the clone's memory at %#lx", (unsigned long)addr);
	if (was && memcmp(was, m->buf, len) == 0)
		return 0;
	for (size_t i = 0; i < len; i++) {
		unsigned char before = was ? (unsigned char)was[i] : 0, now = (unsigned char)m->buf[i];

		if (before != now && !is_others(m, addr + i))
			return err_set(err, EUCLEAN, "memory at %#lx is %#x, was %#x", (unsigned long)(addr + i), now,
			               before);
	}
	return 0;
}

static int compare_range(const struct memory *m, uint64_t addr, const char *was, uint64_t len, struct err *err)
{
	int r = 0;

	while (r == 0 && len) {
		size_t n = len < CHUNK ? len : CHUNK;

		r = compare_chunk(m, addr, was, n, err);
		addr += n;
		len -= n;
		if (was)
			was += n;
	}
	return r;
}

static int compare_stored(const struct memory *m, const image_t *want, const char *pages, struct err *err)
{
	for (size_t i = 0; i < want->n_run_addr; i++) {
		uint64_t len = (uint64_t)want->run_pages[i] * PAGE;
		int r = compare_range(m, want->run_addr[i], pages, len, err);

		if (r < 0)
			return r;
		pages += len;
	}
	return 0;
}

/* The parts of a run of the clone's pages that no run of the image covers. *run: the first that may. */
static int compare_rest(const struct memory *m, const image_t *want, size_t *run, uint64_t start, uint64_t end,
                        struct err *err)
{
	while (start < end) {
		uint64_t from = UINT64_MAX, to = UINT64_MAX, stop;
		int r;

		while (*run < want->n_run_addr &&
		       want->run_addr[*run] + (uint64_t)want->run_pages[*run] * PAGE <= start)
			(*run)++;
		if (*run < want->n_run_addr) {
			from = want->run_addr[*run];
			to = from + (uint64_t)want->run_pages[*run] * PAGE;
		}
		if (from <= start) {
			start = to;
			continue;
		}
		stop = from < end ? from : end;
		r = compare_range(m, start, NULL, stop - start, err);
		if (r < 0)
			return r;
		start = stop;
	}
	return 0;
}

static int compare_others(const struct memory *m, const image_t *want, struct err *err)
{
	const image_t *got = m->clone->image;
	size_t run = 0;

	for (size_t i = 0; i < got->n_run_addr; i++) {
		uint64_t start = got->run_addr[i], end = start + (uint64_t)got->run_pages[i] * PAGE;
		int r = 0;

		if (start < m->clone->arena || end > m->clone->arena_end)
			r = compare_rest(m, want, &run, start, end, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool has_flag(const Warm__Image__Vma *vma, const char *flag)
{
	for (size_t i = 0; i < vma->n_flag; i++)
		if (strcmp(vma->flag[i], flag) == 0)
			return true;
	return false;
}

/* What a fork wipes is neither in the image nor in the list of the clone's pages. */
static int compare_wiped(const struct memory *m, struct err *err)
{
	const image_t *got = m->clone->image;
	int r = 0;

	for (size_t i = 0; r == 0 && i < got->n_vma; i++) {
		const Warm__Image__Vma *vma = got->vma[i];

		if ((has_flag(vma, "wf") || has_flag(vma, "dp")) && vma->prot)
			r = compare_range(m, vma->start, NULL, vma->end - vma->start, err);
	}
	return r;
}

int compare_pages(const image_t *want, const char *pages, const struct compared *clone, struct err *err)
{
	CLEAN(fd) int mem = -1;
	CLEAN(free) char *buf = malloc(CHUNK);
	struct memory m = {.clone = clone, .buf = buf};
	char path[48];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/mem", clone->pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	if (mem < 0 || !buf)
		return err_sys(err, errno, "memory of the clone");
	m.mem = mem;
	r = note_others(&m, want, err);
	if (r == 0)
		r = compare_stored(&m, want, pages, err);
	if (r == 0)
		r = compare_others(&m, want, err);
	if (r == 0)
		r = compare_wiped(&m, err);
	if (r == 0)
		r = compare_deadlines(want, pages, clone, mem, err);
	if (r == 0)
		r = compare_random(want, pages, mem, err);
	free(m.others);
	return r;
}
