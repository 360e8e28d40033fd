/* SPDX-License-Identifier: MIT */
#include "snapshot/touched.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/proc.h"
#include "proto/launch.h"

#define PAGE         4096u
#define PM_PRESENT   (UINT64_C(1) << 63)
#define PM_FILE      (UINT64_C(1) << 61)
#define PM_EXCLUSIVE (UINT64_C(1) << 56)
#define PM_CHUNK     4096 /* entries of pagemap read at once */
#define FILE_GAP     16   /* pages: fault-around brings them anyway */
#define WATCH_MS     500
#define DENSE_MS     64
#define LOOKS_MAX    250

enum kind { OWN, FILE_PAGE, N_KINDS };

/* For each page of an area the look that saw it first; 0: none did. */
struct seen {
	uint64_t start, end;
	uint8_t *first[N_KINDS];
};

struct record {
	int proc_fd;
	uint8_t look; /* number of the current one, from 1 on */
	struct seen *area;
	size_t n_areas;
};

static struct seen *area_seen(struct record *rec, uint64_t start, uint64_t end)
{
	struct seen *more;

	for (size_t i = 0; i < rec->n_areas; i++)
		if (rec->area[i].start == start && rec->area[i].end == end)
			return &rec->area[i];
	more = reallocarray(rec->area, rec->n_areas + 1, sizeof(*more));
	if (!more)
		return NULL;
	rec->area = more;
	more = &rec->area[rec->n_areas];
	*more = (struct seen){start, end, {NULL, NULL}};
	rec->n_areas++;
	for (int kind = 0; kind < N_KINDS; kind++) {
		more->first[kind] = calloc(1, (end - start) / PAGE);
		if (!more->first[kind])
			return NULL;
	}
	return more;
}

static void look_at_area(struct seen *seen, int pagemap, uint8_t look)
{
	static uint64_t entry[PM_CHUNK];
	uint64_t n = (seen->end - seen->start) / PAGE;

	for (uint64_t at = 0; at < n; at += PM_CHUNK) {
		size_t want = n - at < PM_CHUNK ? (size_t)(n - at) : PM_CHUNK;
		ssize_t got = pread(pagemap, entry, want * sizeof(entry[0]),
		                    (off_t)((seen->start / PAGE + at) * sizeof(entry[0])));

		for (ssize_t i = 0; i < got / (ssize_t)sizeof(entry[0]); i++) {
			uint8_t *first = NULL;

			if ((entry[i] & (PM_PRESENT | PM_FILE)) == (PM_PRESENT | PM_FILE))
				first = &seen->first[FILE_PAGE][at + (uint64_t)i];
			else if ((entry[i] & (PM_PRESENT | PM_EXCLUSIVE)) == (PM_PRESENT | PM_EXCLUSIVE))
				first = &seen->first[OWN][at + (uint64_t)i];
			if (first && !*first)
				*first = look;
		}
	}
}

static int look(struct record *rec)
{
	CLEAN(fd) int pagemap = openat(rec->proc_fd, "pagemap", O_RDONLY | O_CLOEXEC);
	CLEAN(free) char *maps = NULL;
	char *save = NULL;

	rec->look++;
	if (pagemap < 0 || fd_read_file_at(rec->proc_fd, "maps", 64u << 20, &maps, NULL) < 0)
		return 0; /* it has ended */
	for (char *line = strtok_r(maps, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned long start, end;
		char perms[8], name[64] = "";
		struct seen *seen;

		/* what is shared has no pages of its own */
		if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %63s", &start, &end, perms, name) < 3 || perms[3] == 's' ||
		    strcmp(name, "[vsyscall]") == 0)
			continue;
		seen = area_seen(rec, start, end);
		if (!seen)
			return -ENOMEM;
		look_at_area(seen, pagemap, rec->look);
	}
	return 0;
}

/* ---- stretches --------------------------------------------------------------------------------------------------- */

struct stretches {
	struct touch touch[TOUCH_MAX];
	size_t n;
};

static void add(struct stretches *out, uint64_t addr, uint32_t advice, unsigned gap)
{
	struct touch *last = out->n ? &out->touch[out->n - 1] : NULL;

	if (last && last->advice == advice && addr >= last->addr &&
	    addr <= last->addr + (uint64_t)(last->pages + gap) * PAGE)
		last->pages = (uint32_t)((addr - last->addr) / PAGE) + 1;
	else if (out->n < TOUCH_MAX)
		out->touch[out->n++] = (struct touch){addr, 1, advice};
}

static void gather(const struct record *rec, struct stretches *out, enum kind kind, uint8_t last, uint32_t advice,
                   unsigned gap)
{
	for (size_t i = 0; i < rec->n_areas; i++) {
		unsigned bridged = 0; /* not between areas: where there is nothing, the whole stretch fails */

		for (uint64_t p = 0; p < (rec->area[i].end - rec->area[i].start) / PAGE; p++) {
			if (!rec->area[i].first[kind][p] || rec->area[i].first[kind][p] > last)
				continue;
			add(out, rec->area[i].start + p * PAGE, advice, bridged);
			bridged = gap;
		}
	}
}

/* ---- watching ---------------------------------------------------------------------------------------------------- */

/* write(2) calls so far: proc_pid_io(5). */
static uint64_t n_writes(int proc_fd)
{
	CLEAN(free) char *io = NULL;
	const char *at;

	if (fd_read_file_at(proc_fd, "io", 4096, &io, NULL) < 0)
		return 0;
	at = strstr(io, "syscw: ");
	return at ? strtoull(at + 7, NULL, 10) : 0;
}

/*
 * Looks every millisecond at first, then more and more seldom. What a program that ends touches after its last word is
 * its tidying up (an interpreter writes to most of its heap then) and no working set: of such a program only the looks
 * before that word was noticed count. ret_last: the last look that does.
 */
static int watch(struct record *rec, int pidfd, uint8_t *ret_last)
{
	uint64_t before = n_writes(rec->proc_fd), now;
	uint8_t last_word = 0;
	int next_ms = DENSE_MS, r = 0;
	bool ended = false;

	for (int ms = 0; r == 0 && !ended && ms < WATCH_MS && rec->look < LOOKS_MAX; ms++) {
		struct pollfd process = {.fd = pidfd, .events = POLLIN};

		ended = poll(&process, 1, 1) > 0;
		now = n_writes(rec->proc_fd);
		if (!ended && now != before)
			last_word = rec->look;
		before = now;
		if (ended || (ms >= DENSE_MS && ms < next_ms))
			continue;
		r = look(rec);
		next_ms = ms < next_ms ? next_ms : next_ms * 2;
	}
	*ret_last = !ended ? rec->look : last_word ? last_word : (uint8_t)((rec->look + 1) / 2);
	return r;
}

int touched_record(pid_t pid, int out_fd, size_t *ret_n, struct err *err)
{
	static struct stretches out;
	CLEAN(fd) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	CLEAN(fd) int proc_fd = proc_open(pid);
	struct record rec = {.proc_fd = proc_fd};
	uint8_t last = 0;
	int r;

	*ret_n = 0;
	if (pidfd < 0 || proc_fd < 0)
		return 0; /* it has ended already */
	r = watch(&rec, pidfd, &last);
	if (r == 0) {
		gather(&rec, &out, FILE_PAGE, last, MADV_POPULATE_READ, FILE_GAP);
		gather(&rec, &out, OWN, last, MADV_POPULATE_WRITE, 0);
	}
	for (size_t i = 0; i < rec.n_areas; i++)
		for (int kind = 0; kind < N_KINDS; kind++)
			free(rec.area[i].first[kind]);
	free(rec.area);
	if (r == 0)
		r = fd_write_full(out_fd, out.touch, out.n * sizeof(out.touch[0]));
	if (r < 0)
		return err_sys(err, -r, "record the working set of process %d", pid);
	*ret_n = out.n;
	return 0;
}
