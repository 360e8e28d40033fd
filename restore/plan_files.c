/* SPDX-License-Identifier: MIT */
/*
 * Descriptors. Those without a path are made in the standby (phase 2), those with one are opened at GO (phase 3), when
 * 0 1 2 are the launch's. Each is made at whatever number is free, raised above fd_base, and put from there to its
 * numbers.
 */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "base/err.h"
#include "base/uapi.h"
#include "restore/files_internal.h"
#include "restore/plan.h"

typedef Warm__Image__Description desc_t;

uint32_t plan_raise(struct plan *p, uint32_t slot)
{
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_fcntl,
	                     .flags = ROP_SLOT(0) | ROP_TO_SLOT,
	                     .expect = slot,
	                     .args = {SLOT_TMP2, F_DUPFD_CLOEXEC, (uint64_t)p->place->fd_base}},
	        "out of the way");
	return plan_op(p, (struct rop){.kind = ROP_SYSCALL, .nr = SYS_close, .flags = ROP_SLOT(0), .args = {SLOT_TMP2}},
	               "out of the way");
}

static void put(struct plan *p, uint32_t slot, const Warm__Image__Descriptor *d)
{
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .want = WANT_EXACT,
	                     .nr = SYS_dup3,
	                     .flags = ROP_SLOT(0),
	                     .expect = (uint64_t)d->fd,
	                     .args = {slot, (uint64_t)d->fd, d->cloexec ? O_CLOEXEC : 0}},
	        "fd %d", d->fd);
}

static void put_all(struct plan *p, uint32_t slot, size_t description)
{
	for (size_t i = 0; i < p->image->n_descriptor; i++)
		if (p->image->descriptor[i]->description == description)
			put(p, slot, p->image->descriptor[i]);
}

void plan_place(struct plan *p, uint32_t slot, size_t description)
{
	put_all(p, slot, description);
	plan_op(p, (struct rop){.kind = ROP_SYSCALL, .nr = SYS_close, .flags = ROP_SLOT(0), .args = {slot}},
	        "in its place");
}

/* A call that returns a descriptor, raised into SLOT_TMP. */
static void make(struct plan *p, struct rop rop, const char *words, const char *path)
{
	rop.kind = ROP_SYSCALL;
	rop.flags |= ROP_TO_SLOT;
	rop.expect = SLOT_TMP2;
	plan_op(p, rop, words, path);
	plan_raise(p, SLOT_TMP);
}

/* ---- phase 2: without a path ------------------------------------------------------------------------------------ */

int plan_number_of(const struct plan *p, size_t description)
{
	for (size_t i = 0; i < p->image->n_descriptor; i++)
		if (p->image->descriptor[i]->description == description)
			return p->image->descriptor[i]->fd;
	return -1;
}

static void make_eventfd(struct plan *p, const desc_t *d)
{
	uint64_t counter = d->counter;
	uint64_t flags = (d->flags & O_NONBLOCK) | (d->semaphore ? EFD_SEMAPHORE : 0);

	/* eventfd2() takes 32 bits of counter: the rest is written. */
	make(p, (struct rop){.nr = SYS_eventfd2, .args = {counter <= UINT32_MAX ? counter : 0, flags}}, "eventfd%s",
	     "");
	if (counter > UINT32_MAX)
		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL,
		                     .nr = SYS_write,
		                     .flags = ROP_SLOT(0),
		                     .args = {SLOT_TMP, plan_data(p, &counter, sizeof(counter), 8), sizeof(counter)}},
		        "its counter");
}

static int plan_made(struct plan *p, size_t i, struct err *err)
{
	const desc_t *d = p->image->description[i];

	switch (d->kind) {
	case WARM__IMAGE__DESCRIPTION_KIND__EVENTFD:
		make_eventfd(p, d);
		break;
	case WARM__IMAGE__DESCRIPTION_KIND__EPOLL:
		make(p, (struct rop){.nr = SYS_epoll_create1}, "epoll%s", "");
		break;
	case WARM__IMAGE__DESCRIPTION_KIND__TIMERFD:
		make(p,
		     (struct rop){.nr = SYS_timerfd_create,
		                  .args = {(uint64_t)d->timerfd->clock, d->flags & O_NONBLOCK}},
		     "timerfd%s", "");
		break;
	case WARM__IMAGE__DESCRIPTION_KIND__SIGNALFD:
		make(p,
		     (struct rop){.nr = SYS_signalfd4,
		                  .args = {(uint64_t)-1, plan_data(p, &d->sigmask, 8, 8), 8, d->flags & O_NONBLOCK}},
		     "signalfd%s", "");
		break;
	case WARM__IMAGE__DESCRIPTION_KIND__PIPE:
		return plan_pipe(p, i, err);
	case WARM__IMAGE__DESCRIPTION_KIND__SOCKET:
		return plan_socket(p, i, err);
	default:
		return 0; /* at GO */
	}
	plan_place(p, SLOT_TMP, i);
	return 0;
}

int plan_files_make(struct plan *p, struct err *err)
{
	for (size_t i = 0; i < p->image->n_description; i++) {
		int r = plan_made(p, i, err);

		if (r < 0)
			return r;
	}
	return 0;
}

void plan_offset(struct plan *p, uint64_t position)
{
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .want = WANT_EXACT,
	                     .nr = SYS_lseek,
	                     .flags = ROP_SLOT(0),
	                     .expect = position,
	                     .args = {SLOT_TMP, position, 0}},
	        "at offset %lu", (unsigned long)position);
}

/* ---- phase 3: by path ------------------------------------------------------------------------------------------- */

static void open_path(struct plan *p, size_t i)
{
	const desc_t *d = p->image->description[i];
	uint64_t flags = d->flags & ~(uint32_t)(O_CREAT | O_EXCL | O_TRUNC | O_ASYNC);

	make(p,
	     (struct rop){.nr = SYS_openat,
	                  .args = {(uint64_t)AT_FDCWD, plan_string(p, d->path), flags | O_CLOEXEC | O_NOCTTY}},
	     "open %s", d->path);
	if (d->position &&
	    (d->kind == WARM__IMAGE__DESCRIPTION_KIND__REGULAR || d->kind == WARM__IMAGE__DESCRIPTION_KIND__DIRECTORY))
		plan_offset(p, d->position);
	plan_place(p, SLOT_TMP, i);
}

static void arm_timerfd(struct plan *p, size_t i)
{
	const Warm__Image__Timerfd *t = p->image->description[i]->timerfd;
	/* A date: it stays one, come or not, and is cancelled when the clock is set. */
	bool by_clock = t->settime_flags & TFD_TIMER_CANCEL_ON_SET;
	int64_t value_ns = by_clock ? t->expires_ns : t->value_ns;
	struct itimerspec value = {{t->interval_ns / 1000000000, t->interval_ns % 1000000000},
	                           {value_ns / 1000000000, value_ns % 1000000000}};
	uint64_t fd = (uint64_t)plan_number_of(p, i);
	uint64_t flags = by_clock ? TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET : 0;

	if (t->value_ns == 0 && t->interval_ns == 0 && t->ticks == 0 && !by_clock)
		return;
	/* fdinfo shows the time that is left, whatever TFD_TIMER_ABSTIME said when it was set. */
	PLAN_SYS(p, SYS_timerfd_settime, "arm the timerfd", fd, flags, plan_data(p, &value, sizeof(value), 8), 0);
	if (t->ticks)
		PLAN_SYS(p, SYS_ioctl, "expirations that were not read", fd, TFD_IOC_SET_TICKS,
		         plan_data(p, &t->ticks, 8, 8));
}

/* After every descriptor is in place, for an epoll set holds the file that was there when it was added. */
static void fill_epoll(struct plan *p, size_t i)
{
	const desc_t *d = p->image->description[i];

	for (size_t j = 0; j < d->n_interest; j++) {
		struct epoll_event event = {.events = d->interest[j]->events, .data.u64 = d->interest[j]->data};

		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL,
		                     .nr = SYS_epoll_ctl,
		                     .args = {(uint64_t)plan_number_of(p, i), EPOLL_CTL_ADD,
		                              (uint64_t)d->interest[j]->fd, plan_data(p, &event, sizeof(event), 8)}},
		        "epoll: watch fd %d", d->interest[j]->fd);
	}
}

static void put_hook(struct plan *p, size_t i)
{
	for (size_t j = 0; j < p->image->n_descriptor; j++) {
		const Warm__Image__Descriptor *d = p->image->descriptor[j];

		if (d->description == i)
			plan_op(p,
			        (struct rop){.kind = ROP_SYSCALL,
			                     .want = WANT_EXACT,
			                     .nr = SYS_dup3,
			                     .expect = (uint64_t)d->fd,
			                     .args = {(uint64_t)GO_FD(p->place), (uint64_t)d->fd,
			                              d->cloexec ? O_CLOEXEC : 0}},
			        "fd %d: the hook's", d->fd);
	}
}

static void put_stdio(struct plan *p, size_t i)
{
	const desc_t *d = p->image->description[i];
	uint64_t fd = d->stdio;

	put_all(p, SLOT_STDIN + d->stdio, i);
	if (d->terminal.len == sizeof(struct termios))
		PLAN_SYS(p, SYS_ioctl, "the modes that the program has set", fd, TCSETS,
		         plan_data(p, d->terminal.data, d->terminal.len, 8));
}

void plan_files_open(struct plan *p)
{
	for (size_t i = 0; i < p->image->n_description; i++)
		if (p->image->description[i]->kind == WARM__IMAGE__DESCRIPTION_KIND__STDIO)
			put_stdio(p, i);
	for (size_t i = 0; i < p->image->n_description; i++)
		switch (p->image->description[i]->kind) {
		case WARM__IMAGE__DESCRIPTION_KIND__REGULAR:
		case WARM__IMAGE__DESCRIPTION_KIND__DIRECTORY:
		case WARM__IMAGE__DESCRIPTION_KIND__DEVICE:
		case WARM__IMAGE__DESCRIPTION_KIND__PATH:
			open_path(p, i);
			break;
		case WARM__IMAGE__DESCRIPTION_KIND__NAMELESS:
			plan_nameless(p, i);
			break;
		case WARM__IMAGE__DESCRIPTION_KIND__TIMERFD:
			arm_timerfd(p, i);
			break;
		case WARM__IMAGE__DESCRIPTION_KIND__SOCKET:
			plan_socket_bind(p, i);
			break;
		case WARM__IMAGE__DESCRIPTION_KIND__PIPE:
			plan_fifo_open(p, i);
			break;
		case WARM__IMAGE__DESCRIPTION_KIND__HOOK:
			put_hook(p, i);
			break;
		default:
			break;
		}
}

/* Behind GO's own ops: a set may watch a descriptor that the launch brings. */
void plan_files_watch(struct plan *p)
{
	for (size_t i = 0; i < p->image->n_description; i++)
		if (p->image->description[i]->kind == WARM__IMAGE__DESCRIPTION_KIND__EPOLL)
			fill_epoll(p, i);
}

/* When nothing happens to the descriptors any more that is not the program's doing. */
void plan_files_owner(struct plan *p)
{
	for (size_t i = 0; i < p->image->n_description; i++) {
		const desc_t *d = p->image->description[i];
		struct f_owner_ex owner = {.type = d->owner_type, .pid = d->owner_id};
		uint64_t fd = (uint64_t)plan_number_of(p, i);

		if (d->owner_signal)
			PLAN_SYS(p, SYS_fcntl, "the signal of its events", fd, F_SETSIG, (uint64_t)d->owner_signal);
		if (d->owner_id)
			PLAN_SYS(p, SYS_fcntl, "who is told of its events", fd, F_SETOWN_EX,
			         plan_data(p, &owner, sizeof(owner), 4));
		if (d->flags & O_ASYNC && d->kind != WARM__IMAGE__DESCRIPTION_KIND__TAKEN)
			PLAN_SYS(p, SYS_fcntl, "signal-driven I/O", fd, F_SETFL, d->flags);
	}
}
