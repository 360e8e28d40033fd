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
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/proc.h"
#include "proto/launch.h"
#include "snapshot/holder.h"

#define PAGE         4096u
#define PM_PRESENT   (UINT64_C(1) << 63)
#define PM_FILE      (UINT64_C(1) << 61)
#define PM_EXCLUSIVE (UINT64_C(1) << 56)
#define PM_CHUNK     4096 /* entries of pagemap read at once */
#define FILE_GAP     16   /* pages: fault-around brings them anyway */
#define WATCH_MS     500
#define DENSE_MS     64
#define LOOKS_MAX    250
#define FIRST_ALL_MS 16
#define LATE_MS      10
#define MS           UINT64_C(1000000)
#define NS           UINT64_C(1000000000)

enum kind { OWN, FILE_PAGE, N_KINDS };

/* For each page of an area the look that saw it first; 0: none did. */
struct seen {
	uint64_t start, end;
	uint8_t *first[N_KINDS];
};

/* Its memory stays in use, so that what there was in the end can be seen when it has ended. */
struct record {
	int proc_fd, maps, pagemap, mem;
	struct holder *holder;
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

/* What may be written to is looked at each time, which takes some tenths of a millisecond; all else, which is far more
 * and where what counts too much costs little, only if `all`. */
static int look(struct record *rec, bool all)
{
	CLEAN(free) char *maps = NULL;
	char *save = NULL;

	rec->look++;
	if (lseek(rec->maps, 0, SEEK_SET) != 0 || fd_read_all(rec->maps, 64u << 20, &maps, NULL) < 0)
		return 0; /* its memory is gone */
	for (char *line = strtok_r(maps, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned long start, end;
		char perms[8], name[64] = "";
		struct seen *seen;

		/* what is shared has no pages of its own */
		if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %63s", &start, &end, perms, name) < 3 || perms[3] == 's' ||
		    (perms[1] != 'w' && !all) || strcmp(name, "[vsyscall]") == 0)
			continue;
		seen = area_seen(rec, start, end);
		if (!seen)
			return -ENOMEM;
		look_at_area(seen, rec->pagemap, rec->look);
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

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}

struct launch {
	int pidfd;
	uint64_t launched_ns; /* CLOCK_MONOTONIC */
};

/*
 * Looks every millisecond at first, then more and more seldom. What a program that ends touches after its last word is
 * its tidying up (an interpreter writes to most of its heap then) and no working set: of such a program only the looks
 * before that word was noticed count. Of one that is gone within a millisecond all counts: there is but the memory that
 * it left. ret_last: the last look that does; 0: the first one came too late to tell the one from the other.
 */
static int watch(struct record *rec, const struct launch *launch, uint8_t *ret_last)
{
	uint64_t before = 0, now = 0;       /* a standby has written nothing */
	uint8_t last_word = 0, n_looks = 0; /* the one at the end is only for files */
	int next_ms = DENSE_MS, r = 0;
	bool ended = false, spoke = false, late = false;

	for (int ms = 0; r == 0 && !ended && ms < WATCH_MS && rec->look < LOOKS_MAX; ms++) {
		struct pollfd process = {.fd = launch->pidfd, .events = POLLIN};

		ended = poll(&process, 1, 1) > 0;
		proc_n_writes(rec->proc_fd, &now);
		if (!ended && now != before) {
			last_word = rec->look;
			spoke = true;
		}
		before = now;
		if (rec->look == 0)
			late = (spoke || ended) && now_ns() - launch->launched_ns > LATE_MS * MS;
		if (!ended && ms >= DENSE_MS && ms < next_ms)
			continue;
		if (!ended || rec->look == 0)
			n_looks++;
		r = look(rec, ended || ms >= FIRST_ALL_MS);
		next_ms = ms < next_ms ? next_ms : next_ms * 2;
	}
	if (!ended)
		*ret_last = n_looks;
	else if (spoke)
		*ret_last = last_word || late ? last_word : 1;
	else
		*ret_last = late ? 0 : (uint8_t)((n_looks + 1) / 2);
	return r;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static int open_of(const struct record *rec, const char *name)
{
	return openat(rec->proc_fd, name, O_RDONLY | O_CLOEXEC);
}

static uint64_t first_readable(int maps)
{
	CLEAN(free) char *text = NULL;
	unsigned long start;
	char perms[8];

	if (fd_read_all(maps, 64u << 20, &text, NULL) < 0)
		return 0;
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "%lx-%*x %7s", &start, perms) == 2 && perms[0] == 'r')
			return start;
	}
	return 0;
}

/* Where its memory cannot be held, what it leaves is not seen; all else is. */
static bool attach(struct record *rec, pid_t pid)
{
	rec->proc_fd = proc_open(pid);
	if (rec->proc_fd < 0)
		return false;
	rec->maps = open_of(rec, "maps");
	rec->pagemap = open_of(rec, "pagemap");
	rec->mem = open_of(rec, "mem");
	if (rec->maps < 0 || rec->pagemap < 0 || rec->mem < 0)
		return false;
	rec->holder = holder_new();
	if (rec->holder && holder_hold(rec->holder, rec->mem, first_readable(rec->maps)) < 0) {
		holder_free(rec->holder);
		rec->holder = NULL;
	}
	return true;
}

static void detach(struct record *rec)
{
	holder_free(rec->holder);
	for (size_t i = 0; i < rec->n_areas; i++)
		for (int kind = 0; kind < N_KINDS; kind++)
			free(rec->area[i].first[kind]);
	free(rec->area);
	clean_fd(&rec->mem);
	clean_fd(&rec->pagemap);
	clean_fd(&rec->maps);
	clean_fd(&rec->proc_fd);
}

/* False: it has ended before, or nobody will say the word any more. */
static bool wait_for_launch(int report_fd, struct launch *launch)
{
	struct pollfd fds[] = {{.fd = report_fd, .events = POLLIN}, {.fd = launch->pidfd, .events = POLLIN}};
	struct report word;

	launch->launched_ns = now_ns();
	if (report_fd < 0)
		return true;
	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return false;
	if (recv(report_fd, &word, sizeof(word), MSG_DONTWAIT) != sizeof(word))
		return false;
	launch->launched_ns = (uint64_t)word.value;
	return true;
}

int touched_record(pid_t pid, int report_fd, int out_fd, size_t *ret_n, struct err *err)
{
	static struct stretches out;
	CLEAN(fd) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct record rec = {.proc_fd = -1, .maps = -1, .pagemap = -1, .mem = -1};
	struct launch launch = {.pidfd = pidfd};
	uint8_t last = 0;
	int r = 0;

	*ret_n = 0;
	if (pidfd >= 0 && attach(&rec, pid)) {
		if (wait_for_launch(report_fd, &launch))
			r = watch(&rec, &launch, &last);
		if (r == 0) {
			gather(&rec, &out, FILE_PAGE, last ? rec.look : 0, MADV_POPULATE_READ, FILE_GAP);
			gather(&rec, &out, OWN, last, MADV_POPULATE_WRITE, 0);
		}
	}
	detach(&rec);
	if (r == 0)
		r = fd_write_full(out_fd, out.touch, out.n * sizeof(out.touch[0]));
	if (r < 0)
		return err_sys(err, -r, "record the working set of process %d", pid);
	*ret_n = out.n;
	return 0;
}
