/* SPDX-License-Identifier: MIT */
/* Files without a name, made anew at GO in the directory where they were; every description of one is opened by way of
 * /proc. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>

#include "restore/files_internal.h"
#include "restore/plan.h"

#define SLOT_FILE SLOT_PIPES
#define OWN_MODE  0600 /* until every description is open */

typedef Warm__Image__Description desc_t;

static bool is_of(const desc_t *d, const desc_t *first)
{
	return d->nameless && d->dev == first->dev && d->ino == first->ino;
}

/* F_GETFL tells who has made it: that description is the one that makes it again. */
static bool has_made_it(const desc_t *d)
{
	return (d->flags & O_TMPFILE) == O_TMPFILE;
}

static const desc_t *maker(const struct plan *p, const desc_t *first)
{
	for (size_t i = 0; i < p->image->n_description; i++)
		if (is_of(p->image->description[i], first) && has_made_it(p->image->description[i]))
			return p->image->description[i];
	return NULL;
}

static void make_file(struct plan *p, const desc_t *first, const desc_t *made_by)
{
	uint64_t flags = made_by ? made_by->flags & ~(uint32_t)(O_ASYNC | O_EXCL) : O_TMPFILE | O_RDWR;
	const ProtobufCBinaryData *content = &first->nameless->content;

	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_openat,
	                     .flags = ROP_TO_SLOT,
	                     .expect = SLOT_TMP2,
	                     .args = {(uint64_t)AT_FDCWD, plan_string(p, first->path), flags | O_CLOEXEC, OWN_MODE}},
	        "a file without a name in %s", first->path);
	plan_raise(p, SLOT_FILE);
	if (content->len)
		plan_op(p,
		        (struct rop){
		                .kind = ROP_SYSCALL,
		                .want = WANT_EXACT,
		                .nr = SYS_pwrite64,
		                .flags = ROP_SLOT(0),
		                .expect = content->len,
		                .args = {SLOT_FILE, plan_data(p, content->data, content->len, 1), content->len, 0}},
		        "its %zu bytes", content->len);
}

static void open_again(struct plan *p, const desc_t *d)
{
	int fixed = p->place->fd_base + 60; /* the slot's number is not known here */
	char path[64];

	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_dup3,
	                     .flags = ROP_SLOT(0),
	                     .args = {SLOT_FILE, (uint64_t)fixed, O_CLOEXEC}},
	        "the file, by a known number");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fixed);
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_openat,
	                     .flags = ROP_TO_SLOT,
	                     .expect = SLOT_TMP2,
	                     .args = {(uint64_t)AT_FDCWD, plan_string(p, path),
	                              (d->flags & ~(uint32_t)(O_CREAT | O_EXCL | O_TRUNC | O_NOFOLLOW | O_ASYNC)) |
	                                      O_CLOEXEC}},
	        "open it again");
	plan_raise(p, SLOT_TMP);
	PLAN_SYS(p, SYS_close, "the known number", (uint64_t)fixed);
}

static void put_description(struct plan *p, size_t i, bool made_it)
{
	const desc_t *d = p->image->description[i];

	if (made_it)
		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL,
		                     .nr = SYS_fcntl,
		                     .flags = ROP_SLOT(0) | ROP_TO_SLOT,
		                     .expect = SLOT_TMP,
		                     .args = {SLOT_FILE, F_DUPFD_CLOEXEC, (uint64_t)p->place->fd_base}},
		        "as it was made");
	else
		open_again(p, d);
	plan_offset(p, d->position);
	plan_place(p, SLOT_TMP, i);
}

static void finish_file(struct plan *p, const desc_t *first)
{
	const struct timespec mtime = {first->nameless->mtime_ns / 1000000000, first->nameless->mtime_ns % 1000000000};
	const struct timespec times[2] = {{0, UTIME_OMIT}, mtime};

	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_fchmod,
	                     .flags = ROP_SLOT(0),
	                     .args = {SLOT_FILE, first->nameless->mode}},
	        "its permissions");
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_utimensat,
	                     .flags = ROP_SLOT(0),
	                     .args = {SLOT_FILE, 0, plan_data(p, times, sizeof(times), 8), 0}},
	        "when it was written");
	plan_op(p, (struct rop){.kind = ROP_SYSCALL, .nr = SYS_close, .flags = ROP_SLOT(0), .args = {SLOT_FILE}},
	        "it is made");
}

void plan_nameless(struct plan *p, size_t description)
{
	const desc_t *first = p->image->description[description], *made_by = maker(p, first);

	for (size_t i = 0; i < description; i++)
		if (is_of(p->image->description[i], first))
			return; /* it is made */
	make_file(p, first, made_by);
	for (size_t i = description; i < p->image->n_description; i++)
		if (is_of(p->image->description[i], first))
			put_description(p, i, p->image->description[i] == made_by);
	finish_file(p, first);
}
