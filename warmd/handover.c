/* SPDX-License-Identifier: MIT */
#include "warmd/handover.h"

#include "base/address.h"
#include "base/err.h"
#include "base/fd.h"
#include "proto/launch.h"
#include "proto/rpc.pb-c.h"
#include "warmd/entry.h"
#include "warmd/request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */

/* ---- what is handed over ----------------------------------------------------------------------------------------- */

#define NOT_SAID  -1
#define NO_NUMBER -2

struct listen {
	long fds, pid; /* NOT_SAID, or NO_NUMBER */
};

static void take_number(const char *data, size_t len, const char *name, long *ret)
{
	char text[16], *end;

	if (len < strlen(name) || memcmp(data, name, strlen(name)))
		return;
	snprintf(text, sizeof(text), "%.*s", (int)(len - strlen(name)), data + strlen(name));
	*ret = strtol(text, &end, 10);
	if (*end || *ret < 0)
		*ret = NO_NUMBER;
}

static void take_variable(struct listen *listen, const char *data, size_t len)
{
	take_number(data, len, "LISTEN_FDS=", &listen->fds);
	take_number(data, len, "LISTEN_PID=", &listen->pid);
}

static unsigned count_for(const struct listen *listen, pid_t pid)
{
	if ((listen->pid != NOT_SAID && listen->pid != pid) || listen->fds < 0 || listen->fds > LAUNCH_FDS_MAX)
		return 0;
	return (unsigned)listen->fds;
}

unsigned handover_count(char *const *env, pid_t pid)
{
	struct listen listen = {NOT_SAID, NOT_SAID};

	for (; *env; env++)
		take_variable(&listen, *env, strlen(*env));
	return count_for(&listen, pid);
}

/* The same of the first run, whose environment the snapshot keeps. */
static unsigned count_then(const Warm__Rpc__Record *record)
{
	struct listen listen = {NOT_SAID, NOT_SAID};

	for (size_t i = 0; i < record->conditions->n_env; i++)
		take_variable(&listen, (const char *)record->conditions->env[i].data, record->conditions->env[i].len);
	return count_for(&listen, record->summary->pid);
}

/* ---- is it the one? ---------------------------------------------------------------------------------------------- */

static bool same_kind(int fd, const Warm__Rpc__Endpoint *socket)
{
	return socket && fd_socket_option(fd, SO_DOMAIN) == socket->family &&
	       fd_socket_option(fd, SO_TYPE) == socket->type && fd_socket_option(fd, SO_PROTOCOL) == socket->protocol &&
	       (fd_socket_option(fd, SO_ACCEPTCONN) == 1) == socket->listening;
}

static bool same_address(int fd, const ProtobufCBinaryData *address)
{
	struct sockaddr_storage name = {0};
	socklen_t len = sizeof(name);

	return !getsockname(fd, (struct sockaddr *)&name, &len) && len == address->len &&
	       !memcmp(&name, address->data, len);
}

static const char *socket_words(int fd, char words[ADDRESS_WORDS_MAX])
{
	struct sockaddr_storage name = {0};
	socklen_t len = sizeof(name);

	if (getsockname(fd, (struct sockaddr *)&name, &len))
		return "something that is no socket";
	address_words(&name, len, words);
	return words[0] ? words : "a socket without an address";
}

/* ---- places ------------------------------------------------------------------------------------------------------ */

static int index_of(const struct request *request, int number)
{
	for (unsigned i = 0; i < request->head.n_numbers; i++) {
		if (request->head.fd_number[i] == number)
			return (int)i;
	}
	return -1;
}

/* To every number that the snapshot has it under. Its flags are the description's, which the launcher shares: a cold
 * start would set them as well. */
static int put_places(struct handover *h, int number, int fd, const Warm__Rpc__Endpoint *socket,
                      Warm__Rpc__Place *const *place, size_t n, struct err *err)
{
	int now = fcntl(fd, F_GETFL), want = now < 0 || !socket->nonblock ? now & ~O_NONBLOCK : now | O_NONBLOCK;

	if (h->n_places + n > LAUNCH_PLACES_MAX)
		return err_set(err, E2BIG, "the sockets of the launch have more than %d places in the snapshot",
		               LAUNCH_PLACES_MAX);
	for (size_t i = 0; i < n; i++)
		h->place[h->n_places++] = (struct launch_place){
		        .number = number,
		        .fd = place[i]->fd,
		        .cloexec = place[i]->cloexec,
		        .status_flags = i == 0 && now >= 0 && want != now ? want : -1,
		};
	return 0;
}

/* What the program was handed at its first start. */
static int place_handed(struct handover *h, const struct entry *entry, const struct request *request, struct err *err)
{
	const Warm__Rpc__Summary *summary = entry->record->summary;
	unsigned then = count_then(entry->record);

	for (size_t i = 0; i < summary->n_handed; i++) {
		const Warm__Rpc__Handed *handed = summary->handed[i];
		int fd = request_fd(request, handed->number), r;
		char words[ADDRESS_WORDS_MAX];

		/* One that nobody told the program of, and that it has not used, is an accident of who started it. */
		if (!handed->used && (unsigned)(handed->number - FIRST_FD) >= then && !same_kind(fd, handed->socket))
			continue;
		if (fd < 0)
			return err_set(err, EBADF,
			               "the snapshot's program was started with a socket as descriptor %d, this launch "
			               "brings none",
			               handed->number);
		if (!same_kind(fd, handed->socket))
			return err_set(
			        err, EINVAL,
			        "descriptor %d of the launch is %s, of another kind than the socket in the snapshot",
			        handed->number, socket_words(fd, words));
		r = put_places(h, handed->number, fd, handed->socket, handed->place, handed->n_place, err);
		if (r)
			return r;
	}
	return 0;
}

static bool was_handed(const Warm__Rpc__Summary *summary, int number)
{
	for (size_t i = 0; i < summary->n_handed; i++) {
		if (summary->handed[i]->number == number)
			return true;
	}
	return false;
}

/* The first socket of the snapshot with this address that has no substitute yet; -1: none. */
static int find_held(const struct handover *h, const Warm__Rpc__Summary *summary, int fd)
{
	for (size_t i = 0; i < summary->n_held && i < HELD_MAX; i++) {
		const Warm__Rpc__Held *held = summary->held[i];

		if (held->kind == HELD_SOCKET && !(h->skip >> i & 1) && same_kind(fd, held->socket) &&
		    same_address(fd, &held->address))
			return (int)i;
	}
	return -1;
}

/* What the program took by itself at its first start, and is handed now. */
static int place_held(struct handover *h, const struct entry *entry, const struct request *request, unsigned n,
                      struct err *err)
{
	const Warm__Rpc__Summary *summary = entry->record->summary;
	unsigned then = count_then(entry->record);

	for (unsigned i = 0; i < n; i++) {
		int number = FIRST_FD + (int)i, fd = request_fd(request, number), found, r;
		const Warm__Rpc__Held *held;
		char words[ADDRESS_WORDS_MAX];

		if (fd < 0 || was_handed(summary, number))
			continue;
		found = find_held(h, summary, fd);
		if (found < 0 && i < then)
			continue; /* the program was handed one then, too, and has let go of it */
		if (found < 0)
			return err_set(err, EINVAL,
			               "the launch hands over %s (LISTEN_FDS), which the snapshot does not use",
			               socket_words(fd, words));
		held = summary->held[found];
		r = put_places(h, number, fd, held->socket, held->place, held->n_place, err);
		if (r)
			return r;
		h->skip |= UINT64_C(1) << found;
		if (index_of(request, number) >= 0)
			h->matched |= UINT64_C(1) << index_of(request, number);
	}
	return 0;
}

int handover_find(const struct entry *entry, const struct request *request, pid_t launcher, struct handover *ret,
                  struct err *err)
{
	unsigned n = handover_count(request->env, launcher);
	int r;

	ret->skip = ret->matched = 0;
	ret->n_places = 0;
	r = place_handed(ret, entry, request, err);
	return r ? r : place_held(ret, entry, request, n, err);
}
