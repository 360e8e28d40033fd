/* SPDX-License-Identifier: MIT */
/* Descriptors and what is behind them. Both lists are in the order of their numbers. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>

#include "base/err.h"
#include "snapshot/compare.h"

#define NS               INT64_C(1000000000)
#define DATE_NS          NS       /* a clock is read behind what is left of a timer: somewhat later */
#define O_LARGEFILE_FLAG 0100000u /* what fdinfo shows; glibc's O_LARGEFILE is 0 on x86-64 */

typedef Warm__Image__Image image_t;
typedef Warm__Image__Description desc_t;
typedef Warm__Image__Socket sock_t;

struct pair {
	const struct compared *clone;
	const image_t *want, *got;
	const desc_t *was, *is;
	int fd;       /* one of its numbers */
	bool skipped; /* the clone went without what this one holds */
	bool apart;   /* ... and is not connected */
};

/* ---- pipes and socket pairs: numbers of their own, in the same arrangement ----------------------------------------
 */

/* The first description that belongs to the same pipe. */
static size_t pipe_place(const image_t *image, const Warm__Image__Pipe *pipe)
{
	size_t i = 0;

	while (i < image->n_description &&
	       !(image->description[i]->pipe && image->description[i]->pipe->id == pipe->id))
		i++;
	return i;
}

static int compare_pipe(const struct pair *p, struct err *err)
{
	const Warm__Image__Pipe *was = p->was->pipe, *is = p->is->pipe;
	int r;

	if (!was || !is)
		return err_set(err, EBADMSG, "fd %d: a pipe without its record", p->fd);
	if ((r = same_number(pipe_place(p->want, was), pipe_place(p->got, is), err, "fd %d: other end of the pipe",
	                     p->fd)) < 0 ||
	    (r = same_number(was->write_end, is->write_end, err, "fd %d: end of the pipe", p->fd)) < 0 ||
	    (r = same_number(was->lonely, is->lonely, err, "fd %d: whether its other end is closed", p->fd)) < 0 ||
	    (r = same_number(was->both_ends, is->both_ends, err, "fd %d: ends of the pipe", p->fd)) < 0 ||
	    (r = same_number(was->capacity, is->capacity, err, "fd %d: capacity of the pipe", p->fd)) < 0)
		return r;
	return same_bytes(was->data, is->data, err, "fd %d: bytes in the pipe", p->fd);
}

static size_t peer_place(const image_t *image, const sock_t *sock)
{
	size_t i = 0;

	if (!sock->peer)
		return SIZE_MAX;
	while (i < image->n_description &&
	       !(image->description[i]->socket && image->description[i]->socket->id == sock->peer))
		i++;
	return i;
}

static int compare_options(const sock_t *was, const sock_t *is, int fd, struct err *err)
{
	int r = same_number(was->n_option, is->n_option, err, "fd %d: number of socket options that were set", fd);

	for (size_t i = 0; r == 0 && i < was->n_option; i++) {
		const Warm__Image__SocketOption *w = was->option[i], *o = is->option[i];

		r = same_number((uint64_t)w->name, (uint64_t)o->name, err, "fd %d: socket option", fd);
		if (r == 0)
			r = same_number((uint64_t)w->level, (uint64_t)o->level, err, "fd %d: level of option %d", fd,
			                w->name);
		if (r == 0)
			r = same_bytes(w->value, o->value, err, "fd %d: socket option %d of level %d", fd, w->name,
			               w->level);
	}
	return r;
}

static int compare_socket(const struct pair *p, struct err *err)
{
	const sock_t *was = p->was->socket, *is = p->is->socket;
	int r;

	if (!was || !is)
		return err_set(err, EBADMSG, "fd %d: a socket without its record", p->fd);
	if ((r = same_number((uint64_t)was->family, (uint64_t)is->family, err, "fd %d: address family", p->fd)) < 0 ||
	    (r = same_number((uint64_t)was->type, (uint64_t)is->type, err, "fd %d: socket type", p->fd)) < 0 ||
	    (r = same_number((uint64_t)was->protocol, (uint64_t)is->protocol, err, "fd %d: protocol", p->fd)) < 0 ||
	    (r = compare_options(was, is, p->fd, err)) < 0)
		return r;
	if (p->skipped)
		return 0;
	if ((r = same_bytes(was->address, is->address, err, "fd %d: address", p->fd)) < 0 ||
	    (r = same_number(was->listening, is->listening, err, "fd %d: whether it listens", p->fd)) < 0 ||
	    (r = same_number((uint64_t)was->backlog, (uint64_t)is->backlog, err, "fd %d: backlog", p->fd)) < 0 ||
	    (r = same_number(peer_place(p->want, was), peer_place(p->got, is), err, "fd %d: other end", p->fd)) < 0 ||
	    (r = same_number(was->shut_read, is->shut_read, err, "fd %d: shut for reading", p->fd)) < 0 ||
	    (r = same_number(was->shut_write, is->shut_write, err, "fd %d: shut for writing", p->fd)) < 0 ||
	    (r = same_number(was->file_mode, is->file_mode, err, "fd %d: permissions of its file", p->fd)) < 0 ||
	    (r = same_number(was->peer_uid, is->peer_uid, err, "fd %d: user at its other end", p->fd)) < 0 ||
	    (r = same_number(was->peer_gid, is->peer_gid, err, "fd %d: group at its other end", p->fd)) < 0 ||
	    (r = same_number(was->connection, is->connection, err, "fd %d: connection", p->fd)) < 0 ||
	    (!p->apart &&
	     (r = same_bytes(was->remote, is->remote, err, "fd %d: address that it is connected to", p->fd)) < 0) ||
	    (r = same_number(was->n_queue, is->n_queue, err, "fd %d: messages that wait in it", p->fd)) < 0)
		return r;
	for (size_t i = 0; r == 0 && i < was->n_queue; i++)
		r = same_bytes(was->queue[i], is->queue[i], err, "fd %d: message %zu that waits in it", p->fd, i);
	return r;
}

/* ---- the others -------------------------------------------------------------------------------------------------- */

/* One that EPOLLONESHOT has disarmed has no events; added again it has errors and hang-ups, whatever one asks for:
 * epoll_ctl(2). */
static uint32_t events_again(uint32_t events)
{
	return events | EPOLLERR | EPOLLHUP;
}

static bool watches(const desc_t *d, const Warm__Image__Interest *in)
{
	for (size_t i = 0; i < d->n_interest; i++)
		if (d->interest[i]->fd == in->fd && d->interest[i]->events == events_again(in->events) &&
		    d->interest[i]->data == in->data)
			return true;
	return false;
}

static int compare_epoll(const struct pair *p, struct err *err)
{
	int r = same_number(p->was->n_interest, p->is->n_interest, err, "fd %d: descriptors watched", p->fd);

	for (size_t i = 0; r == 0 && i < p->was->n_interest; i++)
		if (!watches(p->is, p->was->interest[i]))
			r = err_set(err, EUCLEAN, "fd %d: fd %d is not watched for %#x, as it was", p->fd,
			            p->was->interest[i]->fd, p->was->interest[i]->events);
	return r;
}

/* A date is the same one, or has come: since then, the clone's timer may have been armed for the period behind it. */
static int compare_date(const struct pair *p, struct err *err)
{
	const Warm__Image__Timerfd *was = p->was->timerfd, *is = p->is->timerfd;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (is->expires_ns && llabs(is->expires_ns - was->expires_ns) <= DATE_NS)
		return 0;
	if (is->ticks > was->ticks && now.tv_sec * NS + now.tv_nsec >= was->expires_ns)
		return 0;
	return same_number((uint64_t)was->expires_ns, (uint64_t)is->expires_ns, err, "fd %d: the date", p->fd);
}

static int compare_timerfd(const struct pair *p, struct err *err)
{
	const Warm__Image__Timerfd *was = p->was->timerfd, *is = p->is->timerfd;
	struct countdown c;
	int r;

	if (!was || !is)
		return err_set(err, EBADMSG, "fd %d: a timerfd without its record", p->fd);
	c = (struct countdown){.was_ns = was->value_ns,
	                       .is_ns = is->value_ns,
	                       .interval_ns = was->interval_ns,
	                       .shows = is->ticks > was->ticks};
	if ((r = same_number((uint64_t)was->clock, (uint64_t)is->clock, err, "fd %d: clock", p->fd)) < 0 ||
	    (r = same_number((uint64_t)was->interval_ns, (uint64_t)is->interval_ns, err, "fd %d: period", p->fd)) < 0)
		return r;
	r = same_number(was->settime_flags & TFD_TIMER_CANCEL_ON_SET, is->settime_flags & TFD_TIMER_CANCEL_ON_SET, err,
	                "fd %d: whether setting the clock cancels it", p->fd);
	if (r < 0)
		return r;
	if (was->value_ns == 0 || is->ticks < was->ticks)
		if ((r = same_number(was->ticks, is->ticks, err, "fd %d: expirations", p->fd)) < 0)
			return r;
	if (was->expires_ns || is->expires_ns)
		return compare_date(p, err);
	return same_countdown(&c, p->clone, err, "fd %d: the timer", p->fd);
}

static int compare_path(const struct pair *p, struct err *err)
{
	int r;

	if ((r = same_text(p->was->path, p->is->path, err, "fd %d: file", p->fd)) < 0)
		return r;
	if (p->was->path && strncmp(p->was->path, "/proc/", 6) == 0) /* each mount of it has devices and inodes anew */
		return same_number(p->was->position, p->is->position, err, "fd %d: position", p->fd);
	if ((r = same_number(p->was->ino, p->is->ino, err, "fd %d: inode", p->fd)) < 0 ||
	    (r = same_number(p->was->dev, p->is->dev, err, "fd %d: device", p->fd)) < 0)
		return r;
	return same_number(p->was->position, p->is->position, err, "fd %d: position", p->fd);
}

static size_t nameless_place(const image_t *image, const desc_t *d)
{
	size_t i = 0;

	while (i < image->n_description && !(image->description[i]->nameless && image->description[i]->ino == d->ino &&
	                                     image->description[i]->dev == d->dev))
		i++;
	return i;
}

/* A clone has a file of its own. */
static int compare_nameless(const struct pair *p, struct err *err)
{
	const Warm__Image__Nameless *was = p->was->nameless, *is = p->is->nameless;
	int r;

	if (!was || !is)
		return err_set(err, EBADMSG, "fd %d: a deleted file without its record", p->fd);
	if ((r = same_text(p->was->path, p->is->path, err, "fd %d: directory of the deleted file", p->fd)) < 0 ||
	    (r = same_number(nameless_place(p->want, p->was), nameless_place(p->got, p->is), err,
	                     "fd %d: which deleted file", p->fd)) < 0 ||
	    (r = same_number(was->mode, is->mode, err, "fd %d: permissions of the deleted file", p->fd)) < 0 ||
	    (r = same_number((uint64_t)was->mtime_ns, (uint64_t)is->mtime_ns, err, "fd %d: time of the deleted file",
	                     p->fd)) < 0 ||
	    (r = same_number(p->was->position, p->is->position, err, "fd %d: position", p->fd)) < 0)
		return r;
	return same_bytes(was->content, is->content, err, "fd %d: bytes of the deleted file", p->fd);
}

static size_t taken_place(const image_t *image, const desc_t *d)
{
	size_t i = 0;

	while (i < image->n_description && !(image->description[i]->taken && image->description[i]->ino == d->ino &&
	                                     image->description[i]->dev == d->dev))
		i++;
	return i;
}

/* What can be seen from outside; the plugin knows what else it is. */
static int compare_taken(const struct pair *p, struct err *err)
{
	const Warm__Image__Taken *was = p->was->taken, *is = p->is->taken;
	int r;

	if (!was || !is)
		return err_set(err, EBADMSG, "fd %d: a plugin's object without its record", p->fd);
	if ((r = same_number(was->mode, is->mode, err, "fd %d: kind and permissions of a plugin's object", p->fd)) <
	            0 ||
	    (r = same_number(was->rdev, is->rdev, err, "fd %d: device number of a plugin's object", p->fd)) < 0 ||
	    (r = same_number(was->size, is->size, err, "fd %d: size of a plugin's object", p->fd)) < 0 ||
	    (r = same_number(was->seals, is->seals, err, "fd %d: seals of a plugin's object", p->fd)) < 0 ||
	    (r = same_number(taken_place(p->want, p->was), taken_place(p->got, p->is), err,
	                     "fd %d: which of a plugin's objects", p->fd)) < 0)
		return r;
	return same_number(p->was->position, p->is->position, err, "fd %d: position in a plugin's object", p->fd);
}

static int compare_stdio(const struct pair *p, struct err *err)
{
	int r = same_number(p->was->stdio, p->is->stdio, err, "fd %d: standard stream", p->fd);

	return r < 0 ? r : same_bytes(p->was->terminal, p->is->terminal, err, "fd %d: modes of the terminal", p->fd);
}

static int compare_description(const struct pair *p, struct err *err)
{
	uint32_t ignored = 0;
	int r;

	if ((r = same_number(p->was->kind, p->is->kind, err, "fd %d: kind", p->fd)) < 0)
		return r;
	if (p->was->kind == WARM__IMAGE__DESCRIPTION_KIND__STDIO)
		return compare_stdio(p, err);
	if (p->was->kind == WARM__IMAGE__DESCRIPTION_KIND__HOOK)
		return 0; /* the original's leads to the daemon, the clone's to its launch */
	/* open(2) adds O_LARGEFILE, by which a second description of a pipe is made; pipe(2) does not. */
	if (p->was->kind == WARM__IMAGE__DESCRIPTION_KIND__PIPE)
		ignored = O_LARGEFILE_FLAG;
	if ((r = same_number(p->was->flags & ~ignored, p->is->flags & ~ignored, err, "fd %d: flags", p->fd)) < 0)
		return r;
	if ((r = same_number((uint64_t)p->was->owner_signal, (uint64_t)p->is->owner_signal, err, "fd %d: signal",
	                     p->fd)) < 0 ||
	    (r = same_number((uint64_t)p->was->owner_type, (uint64_t)p->is->owner_type, err, "fd %d: kind of owner",
	                     p->fd)) < 0 ||
	    (r = same_number((uint64_t)p->was->owner_id, (uint64_t)p->is->owner_id, err, "fd %d: owner", p->fd)) < 0)
		return r;
	switch (p->was->kind) {
	case WARM__IMAGE__DESCRIPTION_KIND__TAKEN:
		return compare_taken(p, err);
	case WARM__IMAGE__DESCRIPTION_KIND__NAMELESS:
		return compare_nameless(p, err);
	case WARM__IMAGE__DESCRIPTION_KIND__PIPE:
		return compare_pipe(p, err);
	case WARM__IMAGE__DESCRIPTION_KIND__SOCKET:
		return compare_socket(p, err);
	case WARM__IMAGE__DESCRIPTION_KIND__EPOLL:
		return compare_epoll(p, err);
	case WARM__IMAGE__DESCRIPTION_KIND__TIMERFD:
		return compare_timerfd(p, err);
	case WARM__IMAGE__DESCRIPTION_KIND__SIGNALFD:
		return same_number(p->was->sigmask, p->is->sigmask, err, "fd %d: signals", p->fd);
	case WARM__IMAGE__DESCRIPTION_KIND__EVENTFD:
		r = same_number(p->was->counter, p->is->counter, err, "fd %d: counter", p->fd);
		return r < 0 ? r : same_number(p->was->semaphore, p->is->semaphore, err, "fd %d: semaphore", p->fd);
	default:
		return compare_path(p, err);
	}
}

/* Of a clone that went without: those that its plan would have taken (snapshot/planned_locks.h). */
static int compare_locks(const struct pair *p, struct err *err)
{
	int r = same_number(p->was->n_lock, p->is->n_lock, err, "fd %d: number of file locks", p->fd);

	for (size_t i = 0; r == 0 && i < p->was->n_lock; i++) {
		const Warm__Image__FileLock *was = p->was->lock[i], *is = p->is->lock[i];

		if ((r = same_number(was->kind, is->kind, err, "fd %d: kind of file lock %zu", p->fd, i)) < 0 ||
		    (r = same_number(was->exclusive, is->exclusive, err, "fd %d: whether file lock %zu is exclusive",
		                     p->fd, i)) < 0 ||
		    (r = same_number(was->start, is->start, err, "fd %d: start of file lock %zu", p->fd, i)) < 0)
			return r;
		r = same_number(was->length, is->length, err, "fd %d: length of file lock %zu", p->fd, i);
	}
	return r;
}

int compare_files(const image_t *want, const struct compared *clone, struct err *err)
{
	const image_t *got = clone->image;
	int r;

	if ((r = same_number(want->n_descriptor, got->n_descriptor, err, "number of descriptors")) < 0 ||
	    (r = same_number(want->n_description, got->n_description, err, "number of open files")) < 0)
		return r;
	for (size_t i = 0; r == 0 && i < want->n_descriptor; i++) {
		const Warm__Image__Descriptor *was = want->descriptor[i], *is = got->descriptor[i];
		struct pair p = {.clone = clone, .want = want, .got = got, .fd = was->fd};

		if ((r = same_number((uint64_t)was->fd, (uint64_t)is->fd, err, "descriptor %zu", i)) < 0 ||
		    (r = same_number(was->cloexec, is->cloexec, err, "fd %d: close-on-exec", was->fd)) < 0 ||
		    (r = same_number(was->description, is->description, err, "fd %d: description", was->fd)) < 0)
			return r;
		p.was = want->description[was->description];
		p.is = got->description[was->description];
		p.skipped = p.was->held && clone->skipped >> (p.was->held - 1) & 1;
		p.apart = p.was->socket && p.was->socket->remote_held &&
		          clone->skipped >> (p.was->socket->remote_held - 1) & 1;
		r = compare_description(&p, err);
		if (r == 0)
			r = compare_locks(&p, err);
	}
	return r;
}
