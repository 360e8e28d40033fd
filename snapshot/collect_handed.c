/* SPDX-License-Identifier: MIT */
/*
 * Sockets that change hands at a launch. Those that the program was started with (LISTEN_FDS, inetd) are each launch's
 * own, whatever numbers the program has them under now. Those that it bound itself a launch may hand over. Where a
 * clone has the launch's socket, and how, is for warmd (warmd/handover.c): it is in the summary.
 */
#include "snapshot/files_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fd.h"
#include "proto/launch.h"

static Warm__Rpc__Endpoint *endpoint_of(const struct open_file *f)
{
	Warm__Rpc__Endpoint *socket = malloc(sizeof(*socket));

	if (!socket)
		return NULL;
	warm__rpc__endpoint__init(socket);
	socket->family = fd_socket_option(f->local, SO_DOMAIN);
	socket->type = fd_socket_option(f->local, SO_TYPE);
	socket->protocol = fd_socket_option(f->local, SO_PROTOCOL);
	socket->listening = fd_socket_option(f->local, SO_ACCEPTCONN) == 1;
	socket->nonblock = fcntl(f->local, F_GETFL) & O_NONBLOCK;
	return socket;
}

static Warm__Rpc__Place *place_new(int fd, bool cloexec)
{
	Warm__Rpc__Place *place = malloc(sizeof(*place));

	if (!place)
		return NULL;
	warm__rpc__place__init(place);
	place->fd = fd;
	place->cloexec = cloexec;
	return place;
}

/* ---- the program was started with it ---------------------------------------------------------------------------- */

/* A socket's inode is its identity: nothing can open it a second time. */
int handed_number(const struct subject *s, const struct open_file *f)
{
	int number = -1;

	if (f->fd <= 2 || !S_ISSOCK(f->st.st_mode))
		return -1;
	for (size_t i = 0; i < s->n_launch_fds; i++) {
		const struct launch_fd *launch = &s->launch_fd[i];

		if (launch->fd > 2 && launch->dev == f->st.st_dev && launch->ino == f->st.st_ino &&
		    (number < 0 || launch->fd == f->fd))
			number = launch->fd;
	}
	return number;
}

static Warm__Rpc__Handed *handed_of(struct subject *s, int number)
{
	Warm__Rpc__Handed *handed;

	for (size_t i = 0; i < s->summary->n_handed; i++)
		if (s->summary->handed[i]->number == number)
			return s->summary->handed[i];
	handed = malloc(sizeof(*handed));
	if (!handed)
		return NULL;
	warm__rpc__handed__init(handed);
	handed->number = number;
	if (GROW(s->summary, handed, handed) < 0) {
		free(handed);
		return NULL;
	}
	return handed;
}

int collect_handed(struct subject *s, struct open_file *f, int number, bool cloexec, struct err *err)
{
	Warm__Rpc__Handed *handed = handed_of(s, number);
	Warm__Rpc__Place *place = place_new(f->fd, cloexec);

	if (f->fd >= LAUNCH_FD_END)
		return err_refuse(err, "start it with lower numbers",
		                  "fd %d: the socket that the program was started with as fd %d, and a number above %d",
		                  f->fd, number, LAUNCH_FD_END - 1);
	if (!handed || !place || GROW(handed, place, place) < 0)
		return err_sys(err, ENOMEM, "descriptors");
	if (!handed->socket)
		handed->socket = endpoint_of(f);
	if (!handed->socket || (f->fd != number && GROW(s->summary, fds, f->fd) < 0) ||
	    (handed->n_place == 1 &&
	     summary_descriptor(s, "%d: the launch's descriptor %d, a socket", f->fd, number) < 0))
		return err_sys(err, ENOMEM, "descriptors");
	return 0;
}

/* ---- a clone takes it at GO, or is handed it -------------------------------------------------------------------- */

int collect_held(struct subject *s, struct open_file *f, uint32_t kind, ProtobufCBinaryData address, const char *words,
                 struct err *err)
{
	Warm__Rpc__Held *held;

	if (s->summary->n_held == HELD_MAX)
		return err_refuse(err, "close some before the snapshot",
		                  "fd %d: %s is one of more than %d addresses and locks that a clone has to take",
		                  f->fd, words, HELD_MAX);
	held = malloc(sizeof(*held));
	if (!held)
		return err_sys(err, ENOMEM, "descriptors");
	warm__rpc__held__init(held);
	held->fd = f->fd;
	held->kind = kind;
	held->words = strdup(words);
	held->address = bytes_copy(address.data, address.len);
	if (kind == HELD_SOCKET)
		held->socket = endpoint_of(f);
	if (GROW(s->summary, held, held) < 0 || !held->words || !held->address.data ||
	    (kind == HELD_SOCKET && !held->socket))
		return err_sys(err, ENOMEM, "descriptors");
	f->desc->held = (uint32_t)s->summary->n_held;
	return 0;
}

static bool is_watched(const struct subject *s, int fd)
{
	for (size_t i = 0; i < s->image->n_description; i++) {
		const Warm__Image__Description *d = s->image->description[i];

		for (size_t j = 0; j < d->n_interest; j++)
			if (d->interest[j]->fd == fd)
				return true;
	}
	return false;
}

int held_places(struct subject *s, struct err *err)
{
	for (size_t i = 0; i < s->summary->n_handed; i++) {
		Warm__Rpc__Handed *handed = s->summary->handed[i];

		for (size_t j = 0; j < handed->n_place; j++)
			handed->used |= handed->place[j]->fd != handed->number || is_watched(s, handed->place[j]->fd);
	}
	for (size_t i = 0; i < s->image->n_descriptor; i++) {
		const Warm__Image__Descriptor *d = s->image->descriptor[i];
		uint32_t held = s->image->description[d->description]->held;
		Warm__Rpc__Place *place;

		if (!held)
			continue;
		place = place_new(d->fd, d->cloexec);
		if (!place || GROW(s->summary->held[held - 1], place, place) < 0)
			return err_sys(err, ENOMEM, "descriptors");
	}
	return 0;
}
