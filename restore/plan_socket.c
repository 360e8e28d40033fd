/* SPDX-License-Identifier: MIT */
/*
 * Sockets: made with their options in the standby; bound, and listening, at GO only (a standby holds no address, and
 * where the address is taken the launch starts cold). Unix pairs are made whole, with the bytes that wait in them.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "base/address.h"
#include "base/err.h"
#include "restore/files_internal.h"
#include "restore/plan.h"

typedef Warm__Image__Description desc_t;
typedef Warm__Image__Socket sock_t;

#define SLOT_ONE   SLOT_PIPES
#define SLOT_OTHER (SLOT_PIPES + 1)

void plan_socket_options(struct plan *p, const sock_t *sock, uint32_t slot)
{
	for (size_t i = 0; i < sock->n_option; i++) {
		const Warm__Image__SocketOption *o = sock->option[i];

		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL,
		                     .nr = SYS_setsockopt,
		                     .flags = ROP_SLOT(0),
		                     .args = {slot, (uint64_t)o->level, (uint64_t)o->name,
		                              plan_data(p, o->value.data, o->value.len, 8), o->value.len}},
		        "socket option %d of level %d", o->name, o->level);
	}
}

void plan_socket_flags(struct plan *p, const desc_t *d, uint32_t slot)
{
	if (d->flags & O_NONBLOCK)
		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL,
		                     .nr = SYS_fcntl,
		                     .flags = ROP_SLOT(0),
		                     .args = {slot, F_SETFL, O_RDWR | O_NONBLOCK}},
		        "non-blocking");
}

/* ---- unix pairs ------------------------------------------------------------------------------------------------- */

static bool is_pair(const sock_t *sock)
{
	return sock->family == AF_UNIX && !sock->listening && sock->address.len == 0 &&
	       (sock->peer || sock->n_queue || sock->shut_read || sock->shut_write);
}

static size_t peer_of(const struct plan *p, size_t i)
{
	uint64_t peer = p->image->description[i]->socket->peer;

	for (size_t j = 0; peer && j < p->image->n_description; j++)
		if (p->image->description[j]->socket && p->image->description[j]->socket->id == peer)
			return j;
	return i; /* its other end is closed */
}

/* What waits to be read at one end is written at the other. */
static void fill_queue(struct plan *p, const sock_t *reader, uint32_t writer_slot)
{
	for (size_t i = 0; i < reader->n_queue; i++)
		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL,
		                     .want = WANT_EXACT,
		                     .nr = SYS_sendto,
		                     .flags = ROP_SLOT(0),
		                     .expect = reader->queue[i].len,
		                     .args = {writer_slot, plan_data(p, reader->queue[i].data, reader->queue[i].len, 1),
		                              reader->queue[i].len, MSG_NOSIGNAL | MSG_DONTWAIT}},
		        "%zu bytes that wait in it", reader->queue[i].len);
}

static void shut(struct plan *p, const sock_t *sock, uint32_t slot)
{
	if (sock->shut_read || sock->shut_write)
		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL,
		                     .nr = SYS_shutdown,
		                     .flags = ROP_SLOT(0),
		                     .args = {slot, sock->shut_read && sock->shut_write ? SHUT_RDWR
		                                    : sock->shut_read                   ? SHUT_RD
		                                                                        : SHUT_WR}},
		        "shut down");
}

/* In this thread's name, whose own rights come back behind it: a pair knows who made it, a message who sent it. */
static bool become(struct plan *p, uint32_t uid, uint32_t gid)
{
	const Warm__Image__Credentials *cred = p->image->process->cred;

	if (uid == p->place->uid && gid == p->place->gid && !p->place->other_groups)
		return false;
	PLAN_SYS(p, SYS_setgroups, "as its maker: groups", cred->n_group,
	         plan_data(p, cred->group, cred->n_group * sizeof(cred->group[0]), 4));
	PLAN_SYS(p, SYS_setresgid, "as its maker", gid, gid, (uint64_t)-1);
	PLAN_SYS(p, SYS_setresuid, "as its maker", uid, uid, (uint64_t)-1);
	return true;
}

static void become_again(struct plan *p, bool was)
{
	if (!was)
		return;
	PLAN_SYS(p, SYS_setresuid, "as before", p->place->uid, p->place->uid, (uint64_t)-1);
	PLAN_SYS(p, SYS_setresgid, "as before", p->place->gid, p->place->gid, (uint64_t)-1);
}

static void make_pair(struct plan *p, size_t i, size_t j)
{
	const desc_t *one = p->image->description[i], *other = p->image->description[j];
	const Warm__Image__Credentials *cred = p->image->process->cred;
	bool is_orphan = i == j, became;

	became = become(p, is_orphan ? cred->uid[1] : one->socket->peer_uid,
	                is_orphan ? cred->gid[1] : one->socket->peer_gid);
	plan_two(p, SYS_socketpair, AF_UNIX, (uint64_t)one->socket->type | SOCK_CLOEXEC, 0, SLOT_ONE);
	become_again(p, became);
	plan_socket_options(p, one->socket, SLOT_ONE);
	if (i != j)
		plan_socket_options(p, other->socket, SLOT_OTHER);
	became = become(p, cred->uid[0], cred->gid[0]);
	fill_queue(p, one->socket, SLOT_OTHER);
	if (i != j)
		fill_queue(p, other->socket, SLOT_ONE);
	become_again(p, became);
	shut(p, one->socket, SLOT_ONE);
	plan_socket_flags(p, one, SLOT_ONE);
	plan_socket_flags(p, other, SLOT_OTHER);
	plan_place(p, SLOT_ONE, i);
	if (i != j)
		plan_place(p, SLOT_OTHER, j);
	else
		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL, .nr = SYS_close, .flags = ROP_SLOT(0), .args = {SLOT_OTHER}},
		        "its other end is closed");
}

int plan_socket(struct plan *p, size_t description, struct err *err)
{
	const desc_t *d = p->image->description[description];
	const sock_t *sock = d->socket;

	(void)err;
	if (is_pair(sock)) {
		size_t peer = peer_of(p, description);

		if (peer >= description)
			make_pair(p, description, peer);
		return 0;
	}
	if (sock->connection) {
		plan_inet_reset(p, description);
		return 0;
	}
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_socket,
	                     .flags = ROP_TO_SLOT,
	                     .expect = SLOT_TMP2,
	                     .args = {(uint64_t)sock->family,
	                              (uint64_t)sock->type | SOCK_CLOEXEC | (d->flags & O_NONBLOCK ? SOCK_NONBLOCK : 0),
	                              (uint64_t)sock->protocol}},
	        "socket");
	plan_raise(p, SLOT_TMP);
	plan_socket_options(p, sock, SLOT_TMP);
	plan_place(p, SLOT_TMP, description);
	return 0;
}

/* ---- at GO ------------------------------------------------------------------------------------------------------ */

/*
 * The file of a unix socket outlives it. One that nobody listens at any more is removed, as servers do when they start;
 * one with somebody behind it is an address that is taken. Clones take turns (a lock on the directory), so that none
 * removes another's.
 */
static void bind_file(struct plan *p, const sock_t *sock, uint64_t fd, uint64_t addr)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)sock->address.data;
	char path[sizeof(un->sun_path) + 1] = "", dir[sizeof(path)] = ".";
	size_t len = sock->address.len - offsetof(struct sockaddr_un, sun_path);
	uint64_t path_at;
	char *slash;

	memcpy(path, un->sun_path, len < sizeof(path) ? len : sizeof(path) - 1);
	slash = strrchr(path, '/');
	if (slash)
		snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	path_at = plan_string(p, path);
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_openat,
	                     .flags = ROP_TO_SLOT,
	                     .expect = SLOT_TMP2,
	                     .args = {(uint64_t)AT_FDCWD, plan_string(p, dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC}},
	        "open %s", dir);
	plan_raise(p, SLOT_ONE);
	/* open(2) of a socket is ENXIO; connect(2) to any other file is ECONNREFUSED, as to a socket that nobody has */
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .want = WANT_NOBODY,
	                     .nr = SYS_openat,
	                     .args = {(uint64_t)AT_FDCWD, path_at,
	                              O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC}},
	        "is %s a socket, or nothing?", path);
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL, .nr = SYS_flock, .flags = ROP_SLOT(0), .args = {SLOT_ONE, LOCK_EX}},
	        "lock %s", dir);
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_socket,
	                     .flags = ROP_TO_SLOT,
	                     .expect = SLOT_TMP2,
	                     .args = {AF_UNIX, (uint64_t)sock->type | SOCK_CLOEXEC, 0}},
	        "socket to ask with");
	plan_raise(p, SLOT_TMP);
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .want = WANT_NOBODY,
	                     .nr = SYS_connect,
	                     .flags = ROP_SLOT(0),
	                     .args = {SLOT_TMP, addr, sock->address.len}},
	        "is anybody at %s?", path);
	plan_op(p, (struct rop){.kind = ROP_SYSCALL, .nr = SYS_close, .flags = ROP_SLOT(0), .args = {SLOT_TMP}},
	        "nobody");
	plan_op(p, (struct rop){.kind = ROP_SYSCALL, .want = WANT_ANY, .nr = SYS_unlink, .args = {path_at}},
	        "remove %s", path);
	plan_op(p, (struct rop){.kind = ROP_SYSCALL, .nr = SYS_bind, .args = {fd, addr, sock->address.len}},
	        "bind to %s", path);
	plan_op(p, (struct rop){.kind = ROP_SYSCALL, .nr = SYS_chmod, .args = {path_at, sock->file_mode}},
	        "its permissions");
}

static void bind_unix(struct plan *p, const sock_t *sock, uint64_t fd, uint64_t addr)
{
	bool file = address_is_path(sock->address.data, sock->address.len);
	char words[ADDRESS_WORDS_MAX];

	if (file)
		bind_file(p, sock, fd, addr);
	else
		plan_op(p, (struct rop){.kind = ROP_SYSCALL, .nr = SYS_bind, .args = {fd, addr, sock->address.len}},
		        "bind %s", address_words(sock->address.data, sock->address.len, words));
	if (sock->listening)
		PLAN_SYS(p, SYS_listen, "listen", fd, (uint64_t)sock->backlog);
	if (file)
		plan_op(p, (struct rop){.kind = ROP_SYSCALL, .nr = SYS_close, .flags = ROP_SLOT(0), .args = {SLOT_ONE}},
		        "unlock the directory");
}

void plan_socket_bind(struct plan *p, size_t description)
{
	const sock_t *sock = p->image->description[description]->socket;
	uint64_t fd = (uint64_t)plan_number_of(p, description), addr;
	uint32_t held;

	if (!sock->address.len)
		return;
	held = plan_held_begin(p, p->image->description[description]->held);
	addr = plan_data(p, sock->address.data, sock->address.len, 8);
	if (sock->family == AF_UNIX)
		bind_unix(p, sock, fd, addr);
	else
		plan_inet_bind(p, description, fd, addr);
	plan_held_end(p, held);
	if (sock->remote.len)
		plan_inet_connect(p, sock, fd);
}
