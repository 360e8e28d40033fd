/* SPDX-License-Identifier: MIT */
/*
 * The bytes of the pages that were found: read a piece at a time into a small buffer, and written to the image's file
 * from there, without the pages that hold nothing. The buffer is in use all the time. Memory of the size of the image,
 * mapped, would take a fault for each of its pages, and on some virtual machines (shadow page tables) 10 us for each.
 *
 * Where memory is kept (snapshot/keep.h) that is done when the program runs on. What kept memory does not have is read
 * before, and lies aside.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "snapshot/keep.h"
#include "snapshot/pages_internal.h"

#define PAGE  4096u
#define PIECE (64u * PAGE)

struct output {
	struct subject *s;
	bool kept; /* kept memory is read, not the program's own */
	int mem;   /* its /proc/PID/mem */
	int pages_fd;
	uint64_t n_written; /* bytes */
	char *buf;          /* PIECE bytes, of which the first n_buf are to be written */
	size_t n_buf;
};

/* Room for what the process has now, before anybody is stopped: whether there is enough memory is known then. */
int pages_prepare(struct subject *s, int pages_fd, struct err *err)
{
	struct proc_status status = {0};
	uint64_t room;
	int r = proc_status_read(s->proc_fd, &status);

	if (r < 0)
		return err_sys(err, -r, "status of process %d", s->pid);
	room = status.rss_bytes + PAGE;
	proc_status_fini(&status);
	if (posix_fallocate(pages_fd, 0, (off_t)room) != 0)
		return err_set(err, ENOMEM, "no memory for an image of %lu MiB", (unsigned long)(room >> 20));
	return 0;
}

static const struct area *area_of(const struct subject *s, uint64_t addr)
{
	size_t lo = 0, hi = s->n_areas;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->area[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->n_areas ? &s->area[lo] : NULL;
}

static bool is_zero(const char *page)
{
	const uint64_t *word = (const uint64_t *)page;

	for (size_t i = 0; i < PAGE / sizeof(*word); i += 4)
		if (word[i] | word[i + 1] | word[i + 2] | word[i + 3])
			return false;
	return true;
}

static int flush(struct output *out, struct err *err)
{
	int r = fd_pwrite_full(out->pages_fd, out->buf, out->n_buf, out->n_written);

	if (r < 0)
		return err_sys(err, -r, "memory for the image");
	out->n_written += out->n_buf;
	out->n_buf = 0;
	return 0;
}

/* Of kept memory by its file: process_vm_readv(2) would make the copies of the pages that the program has not made. */
static ssize_t read_some(struct output *out, const struct area *area, uint64_t addr, char *to, size_t len)
{
	struct iovec local = {to, len}, remote = {(void *)addr, len};
	ssize_t n;

	if (out->kept && area->unforked) {
		struct aside *aside = out->s->aside;

		n = pread(aside->fd, to, len, (off_t)aside->offset);
		aside->offset += n > 0 ? (uint64_t)n : 0;
		return n;
	}
	return area->readable && !out->kept ? process_vm_readv(out->s->pid, &local, 1, &remote, 1, 0)
	                                    : pread(out->mem, to, len, (off_t)addr); /* as a debugger does */
}

static int read_pages(struct output *out, const struct area *area, uint64_t addr, char *to, size_t len, struct err *err)
{
	while (len) {
		ssize_t n = read_some(out, area, addr, to, len);

		if (n <= 0)
			return err_sys(err, n ? errno : EIO, "read memory of process %d at %#lx", out->s->pid,
			               (unsigned long)addr);
		addr += (size_t)n;
		to += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Of what lies behind the buffer's n_buf bytes the pages that hold something: they follow these, and are in the index.
 */
static int keep_pages(struct output *out, const struct area *area, uint64_t addr, size_t len)
{
	bool zero_counts = area->anon_only; /* without it, the file's bytes would be there */
	char *from = out->buf + out->n_buf;
	uint32_t held = 0;

	for (size_t at = 0; at <= len; at += PAGE, from += PAGE) {
		if (at < len && (zero_counts || !is_zero(from))) {
			if (from != out->buf + out->n_buf)
				memcpy(out->buf + out->n_buf, from, PAGE);
			out->n_buf += PAGE;
			held++;
		} else if (held) {
			if (pages_add_run(out->s, addr + at - (uint64_t)held * PAGE, held) < 0)
				return -ENOMEM;
			held = 0;
		}
	}
	return 0;
}

static int store_run(struct output *out, uint64_t addr, uint64_t len, struct err *err)
{
	const struct area *area = area_of(out->s, addr);
	int r = area ? 0 : err_set(err, EBADMSG, "memory at %#lx is in no area", (unsigned long)addr);

	while (r == 0 && len) {
		size_t n = PIECE - out->n_buf < len ? PIECE - out->n_buf : len;

		r = read_pages(out, area, addr, out->buf + out->n_buf, n, err);
		if (r == 0 && keep_pages(out, area, addr, n) < 0)
			r = err_sys(err, ENOMEM, "page index");
		if (r == 0 && out->n_buf == PIECE)
			r = flush(out, err);
		addr += n;
		len -= n;
	}
	return r;
}

static int output_init(struct output *out, struct subject *s, bool kept, int pages_fd, struct err *err)
{
	*out = (struct output){.s = s, .kept = kept, .pages_fd = pages_fd};
	out->buf = malloc(PIECE);
	out->mem = kept ? fcntl(s->kept->mem, F_DUPFD_CLOEXEC, 3) : openat(s->proc_fd, "mem", O_RDONLY | O_CLOEXEC);
	return out->mem < 0 || !out->buf ? err_sys(err, errno, "memory of process %d", s->pid) : 0;
}

static void output_fini(struct output *out)
{
	if (out->mem >= 0)
		close(out->mem);
	free(out->buf);
}

int store_pages(struct subject *s, int pages_fd, struct err *err)
{
	Warm__Image__Image *image = s->image;
	struct output out;
	int r = output_init(&out, s, s->kept, pages_fd, err);
	CLEAN(free) uint64_t *addr = image->run_addr;
	CLEAN(free) uint32_t *pages = image->run_pages;
	size_t n_runs = image->n_run_addr;

	image->run_addr = NULL;
	image->run_pages = NULL;
	image->n_run_addr = image->n_run_pages = 0;
	for (size_t i = 0; r == 0 && i < n_runs; i++)
		r = store_run(&out, addr[i], (uint64_t)pages[i] * PAGE, err);
	if (r == 0)
		r = flush(&out, err);
	if (r == 0 && ftruncate(pages_fd, (off_t)out.n_written) < 0)
		r = err_sys(err, errno, "memory for the image");
	s->summary->pages = out.n_written / PAGE;
	output_fini(&out);
	return r;
}

/* Pages of one area, to where store_pages() looks for them. */
static int put_aside(struct output *out, const struct area *area, uint64_t addr, uint64_t len, struct err *err)
{
	int r = 0;

	while (r == 0 && len) {
		size_t n = PIECE < len ? PIECE : len;

		r = read_pages(out, area, addr, out->buf, n, err);
		out->n_buf = n;
		if (r == 0)
			r = flush(out, err);
		addr += n;
		len -= n;
	}
	return r;
}

int store_unforked(struct subject *s, struct err *err)
{
	struct output out;
	int r = find_unforked_pages(s, err);

	if (r == 0)
		r = aside_take(s, err);
	if (r < 0 || s->aside->n_runs == 0)
		return r;
	r = output_init(&out, s, false, s->aside->fd, err);
	for (size_t i = 0; r == 0 && i < s->aside->n_runs; i++)
		r = put_aside(&out, area_of(s, s->aside->run_addr[i]), s->aside->run_addr[i],
		              (uint64_t)s->aside->run_pages[i] * PAGE, err);
	output_fini(&out);
	return r;
}
