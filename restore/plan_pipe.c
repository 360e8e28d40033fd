/* SPDX-License-Identifier: MIT */
/*
 * Pipes, with their bytes. An empty FIFO is opened again by its path at GO: it is a meeting point with other programs.
 * One with bytes in it comes back as a pipe of the clone's own: written into the file, others would read them again.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "restore/files_internal.h"
#include "restore/plan.h"

typedef Warm__Image__Description desc_t;

#define SLOT_READ  SLOT_PIPES
#define SLOT_WRITE (SLOT_PIPES + 1)

static bool is_first(const struct plan *p, size_t description)
{
	uint64_t id = p->image->description[description]->pipe->id;

	for (size_t i = 0; i < description; i++)
		if (p->image->description[i]->pipe && p->image->description[i]->pipe->id == id)
			return false;
	return true;
}

void plan_two(struct plan *p, uint16_t nr, uint64_t a, uint64_t b, uint64_t c, uint32_t slot)
{
	int32_t ends[2] = {-1, -1};
	uint64_t at = plan_data(p, ends, sizeof(ends), 8);
	uint64_t slots = p->place->arena + offsetof(struct arena, slot);
	struct rop make = {.kind = ROP_SYSCALL, .nr = nr, .args = {a, b, c, at}};

	if (nr == SYS_pipe2)
		make = (struct rop){.kind = ROP_SYSCALL, .nr = nr, .args = {at, O_CLOEXEC}};
	plan_op(p, make, "%s", nr == SYS_pipe2 ? "pipe" : "socket pair");
	plan_op(p, (struct rop){.kind = ROP_COPY, .args = {slots + slot * sizeof(int32_t), at, sizeof(ends)}},
	        "its ends");
	for (uint32_t end = slot; end < slot + 2; end++) {
		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL,
		                     .nr = SYS_fcntl,
		                     .flags = ROP_SLOT(0) | ROP_TO_SLOT,
		                     .expect = SLOT_TMP,
		                     .args = {end, F_DUPFD_CLOEXEC, (uint64_t)p->place->fd_base}},
		        "out of the way");
		plan_op(p, (struct rop){.kind = ROP_SYSCALL, .nr = SYS_close, .flags = ROP_SLOT(0), .args = {end}},
		        "out of the way");
		plan_op(p,
		        (struct rop){.kind = ROP_COPY,
		                     .args = {slots + end * sizeof(int32_t), slots + SLOT_TMP * sizeof(int32_t),
		                              sizeof(int32_t)}},
		        "out of the way");
	}
}

static void fill(struct plan *p, const Warm__Image__Pipe *pipe)
{
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .want = WANT_EXACT,
	                     .nr = SYS_fcntl,
	                     .flags = ROP_SLOT(0),
	                     .expect = pipe->capacity,
	                     .args = {SLOT_WRITE, F_SETPIPE_SZ, pipe->capacity}},
	        "its capacity, %u bytes", pipe->capacity);
}

static void put_bytes(struct plan *p, size_t first)
{
	uint64_t id = p->image->description[first]->pipe->id;

	for (size_t i = first; i < p->image->n_description; i++) {
		const Warm__Image__Pipe *pipe = p->image->description[i]->pipe;

		if (pipe && pipe->id == id && pipe->data.len)
			plan_op(p,
			        (struct rop){.kind = ROP_SYSCALL,
			                     .want = WANT_EXACT,
			                     .nr = SYS_write,
			                     .flags = ROP_SLOT(0),
			                     .expect = pipe->data.len,
			                     .args = {SLOT_WRITE, plan_data(p, pipe->data.data, pipe->data.len, 1),
			                              pipe->data.len}},
			        "its %zu bytes", pipe->data.len);
	}
}

/* A second description of an end: opened anew through /proc, as a dup would share flags. O_RDWR likewise. */
static void open_end(struct plan *p, size_t i)
{
	const desc_t *d = p->image->description[i];
	uint64_t path_at;
	char path[64];

	/* The number behind the slot is only known at run time; both ends of the same pipe serve, so a fixed high
	 * number does. */
	int fixed = p->place->fd_base + 60;
	uint32_t end = d->pipe->write_end ? SLOT_WRITE : SLOT_READ;

	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_dup3,
	                     .flags = ROP_SLOT(0),
	                     .args = {end, (uint64_t)fixed, O_CLOEXEC}},
	        "the pipe, by a known number");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fixed);
	path_at = plan_string(p, path);
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_openat,
	                     .flags = ROP_TO_SLOT,
	                     .expect = SLOT_TMP2,
	                     .args = {(uint64_t)AT_FDCWD, path_at,
	                              (d->flags & (O_ACCMODE | O_NONBLOCK | O_APPEND)) | O_CLOEXEC}},
	        "open it again");
	plan_raise(p, SLOT_TMP);
	PLAN_SYS(p, SYS_close, "the known number", (uint64_t)fixed);
	plan_place(p, SLOT_TMP, i);
}

static bool is_meeting_point(const struct plan *p, size_t description)
{
	const desc_t *d = p->image->description[description];
	uint64_t id;

	if (!d->path || !d->path[0])
		return false;
	id = d->pipe->id;
	for (size_t i = 0; i < p->image->n_description; i++) {
		const Warm__Image__Pipe *pipe = p->image->description[i]->pipe;

		if (pipe && pipe->id == id && pipe->data.len)
			return false;
	}
	return true;
}

/* Held open at both ends for the moment, so that opening one end does not wait for the other. */
void plan_fifo_open(struct plan *p, size_t description)
{
	const desc_t *d = p->image->description[description];
	uint64_t path_at;

	if (!is_meeting_point(p, description))
		return;
	path_at = plan_string(p, d->path);
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_openat,
	                     .flags = ROP_TO_SLOT,
	                     .expect = SLOT_TMP2,
	                     .args = {(uint64_t)AT_FDCWD, path_at, O_RDWR | O_CLOEXEC}},
	        "open %s", d->path);
	plan_raise(p, SLOT_READ);
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_openat,
	                     .flags = ROP_TO_SLOT,
	                     .expect = SLOT_TMP2,
	                     .args = {(uint64_t)AT_FDCWD, path_at,
	                              (d->flags & (O_ACCMODE | O_NONBLOCK | O_APPEND)) | O_CLOEXEC}},
	        "open %s", d->path);
	plan_raise(p, SLOT_TMP);
	plan_place(p, SLOT_TMP, description);
	plan_op(p, (struct rop){.kind = ROP_SYSCALL, .nr = SYS_close, .flags = ROP_SLOT(0), .args = {SLOT_READ}},
	        "both ends");
}

int plan_pipe(struct plan *p, size_t description, struct err *err)
{
	uint64_t id = p->image->description[description]->pipe->id;

	(void)err;
	if (!is_first(p, description) || is_meeting_point(p, description))
		return 0;
	plan_two(p, SYS_pipe2, 0, 0, 0, SLOT_READ);
	fill(p, p->image->description[description]->pipe);
	put_bytes(p, description);
	for (size_t i = description; i < p->image->n_description; i++)
		if (p->image->description[i]->pipe && p->image->description[i]->pipe->id == id)
			open_end(p, i);
	for (uint32_t slot = SLOT_READ; slot <= SLOT_WRITE; slot++)
		plan_op(p, (struct rop){.kind = ROP_SYSCALL, .nr = SYS_close, .flags = ROP_SLOT(0), .args = {slot}},
		        "pipe made");
	return 0;
}
