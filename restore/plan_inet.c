/* SPDX-License-Identifier: MIT */
/*
 * Inet sockets: bound alone, connected again (datagrams), or a connection that was reset. A TCP connection belongs to
 * the original and its peer. What a clone has in its place is one whose peer has reset it: the program finds that out
 * as it would find a failing network, and connects anew.
 */
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/address.h"
#include "restore/files_internal.h"
#include "restore/plan.h"

#define RESET_MAX_MS 5000 /* over loopback: it is there at once */

typedef Warm__Image__Socket sock_t;

/* ---- an address ------------------------------------------------------------------------------------------------- */

static bool has_option(const sock_t *sock, int name)
{
	int value;

	for (size_t i = 0; i < sock->n_option; i++)
		if (sock->option[i]->level == SOL_SOCKET && sock->option[i]->name == name &&
		    sock->option[i]->value.len == sizeof(value)) {
			memcpy(&value, sock->option[i]->value.data, sizeof(value));
			return value;
		}
	return false;
}

/* Address and port of an inet socket; NULL address: all of them. */
static uint16_t inet_port(const sock_t *sock, const void **ret_address, size_t *ret_len)
{
	static const struct in6_addr any6 = IN6ADDR_ANY_INIT;
	static const struct in_addr any4 = {INADDR_ANY};
	const struct sockaddr_in *in = (const struct sockaddr_in *)sock->address.data;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sock->address.data;
	bool six = sock->family == AF_INET6;

	*ret_len = six ? sizeof(any6) : sizeof(any4);
	*ret_address = six ? (const void *)&in6->sin6_addr : (const void *)&in->sin_addr;
	if (memcmp(*ret_address, six ? (const void *)&any6 : (const void *)&any4, *ret_len) == 0)
		*ret_address = NULL;
	return six ? in6->sin6_port : in->sin_port;
}

/* Does a socket of the image that is bound before this one share its port? Then they must be let share it again. */
static bool shares_port(const struct plan *p, size_t description)
{
	const sock_t *sock = p->image->description[description]->socket, *other;
	const void *address, *theirs;
	size_t len, their_len;

	for (size_t i = 0; i < description; i++) {
		other = p->image->description[i]->socket;
		if (!other || other->type != sock->type || (other->family != AF_INET && other->family != AF_INET6) ||
		    !other->address.len || inet_port(other, &theirs, &their_len) != inet_port(sock, &address, &len))
			continue;
		if (!address || !theirs || len != their_len || memcmp(address, theirs, len) == 0)
			return true;
	}
	return false;
}

static void set_switch(struct plan *p, uint64_t fd, int name, int on)
{
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_setsockopt,
	                     .args = {fd, SOL_SOCKET, (uint64_t)name, plan_data(p, &on, sizeof(on), 4), sizeof(on)}},
	        "%s others at its address", on ? "let in" : "no");
}

/*
 * SO_REUSEPORT, and SO_REUSEADDR of datagrams, would let two clones have one port, each a part of what comes. They are
 * off until the port is this clone's; TCP asks again in listen(2), so until behind that. What is only bound the program
 * may let listen later, and SO_REUSEADDR alone lets two be bound until then.
 */
void plan_inet_bind(struct plan *p, size_t description, uint64_t fd, uint64_t addr)
{
	const sock_t *sock = p->image->description[description]->socket;
	bool alone = !shares_port(p, description);
	bool port = alone && has_option(sock, SO_REUSEPORT);
	bool address = alone && (sock->type == SOCK_DGRAM || (port && !sock->listening)) &&
	               has_option(sock, SO_REUSEADDR);
	char words[ADDRESS_WORDS_MAX];

	if (port)
		set_switch(p, fd, SO_REUSEPORT, 0);
	if (address)
		set_switch(p, fd, SO_REUSEADDR, 0);
	plan_op(p, (struct rop){.kind = ROP_SYSCALL, .nr = SYS_bind, .args = {fd, addr, sock->address.len}}, "bind %s",
	        address_words(sock->address.data, sock->address.len, words));
	if (sock->listening)
		PLAN_SYS(p, SYS_listen, "listen", fd, (uint64_t)sock->backlog);
	if (port)
		set_switch(p, fd, SO_REUSEPORT, 1);
	if (address)
		set_switch(p, fd, SO_REUSEADDR, 1);
}

void plan_inet_connect(struct plan *p, const sock_t *sock, uint64_t fd)
{
	char words[ADDRESS_WORDS_MAX];
	uint32_t held = plan_held_begin(p, sock->remote_held);

	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_connect,
	                     .args = {fd, plan_data(p, sock->remote.data, sock->remote.len, 8), sock->remote.len}},
	        "connect to %s", address_words(sock->remote.data, sock->remote.len, words));
	plan_held_end(p, held);
}

/* ---- a connection that was reset -------------------------------------------------------------------------------- */

#define SLOT_LISTENER SLOT_PIPES
#define SLOT_PEER     (SLOT_PIPES + 1)

static void on_slot(struct plan *p, const char *words, uint16_t nr, uint32_t slot, uint64_t b, uint64_t c)
{
	plan_op(p, (struct rop){.kind = ROP_SYSCALL, .nr = nr, .flags = ROP_SLOT(0), .args = {slot, b, c}}, "%s",
	        words);
}

static void make_socket(struct plan *p, int family, uint32_t slot, const char *words)
{
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_socket,
	                     .flags = ROP_TO_SLOT,
	                     .expect = SLOT_TMP2,
	                     .args = {(uint64_t)family, SOCK_STREAM | SOCK_CLOEXEC, 0}},
	        "%s", words);
	plan_raise(p, slot);
}

/* Somebody to connect to. The port is whatever is free; its number is found in memory when the plan runs: there. */
static uint64_t make_listener(struct plan *p)
{
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(local);
	uint64_t at = plan_data(p, &local, sizeof(local), 8), len_at = plan_data(p, &len, sizeof(len), 4);

	make_socket(p, AF_INET, SLOT_LISTENER, "a peer for a connection that was reset");
	on_slot(p, "on loopback", SYS_bind, SLOT_LISTENER, at, sizeof(local));
	on_slot(p, "listen", SYS_listen, SLOT_LISTENER, 1, 0);
	on_slot(p, "its port", SYS_getsockname, SLOT_LISTENER, at, len_at);
	return at;
}

/* IPv6 sockets reach it, too: ::ffff:127.0.0.1 needs no IPv6 address. */
static void connect_to(struct plan *p, int family, uint64_t listener_at)
{
	struct sockaddr_in6 mapped = {.sin6_family = AF_INET6};
	uint64_t at;

	make_socket(p, family, SLOT_TMP, "a connection that was reset");
	if (family == AF_INET) {
		on_slot(p, "connect", SYS_connect, SLOT_TMP, listener_at, sizeof(struct sockaddr_in));
		return;
	}
	mapped.sin6_addr.s6_addr32[2] = htonl(0xffff);
	mapped.sin6_addr.s6_addr32[3] = htonl(INADDR_LOOPBACK);
	at = plan_data(p, &mapped, sizeof(mapped), 8);
	plan_op(p,
	        (struct rop){.kind = ROP_COPY,
	                     .args = {at + offsetof(struct sockaddr_in6, sin6_port),
	                              listener_at + offsetof(struct sockaddr_in, sin_port), sizeof(in_port_t)}},
	        "to the same port");
	on_slot(p, "connect", SYS_connect, SLOT_TMP, at, sizeof(mapped));
}

static void await_reset(struct plan *p)
{
	struct pollfd fd = {.fd = -1};
	uint64_t at = plan_data(p, &fd, sizeof(fd), 8);

	plan_op(p,
	        (struct rop){.kind = ROP_COPY,
	                     .args = {at + offsetof(struct pollfd, fd),
	                              p->place->arena + offsetof(struct arena, slot) + SLOT_TMP * sizeof(int32_t),
	                              sizeof(int32_t)}},
	        "await the reset");
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .want = WANT_EXACT,
	                     .nr = SYS_poll,
	                     .expect = 1,
	                     .args = {at, 1, RESET_MAX_MS}},
	        "await the reset");
}

/* In the standby. No address is held behind it: a connection that was reset gives its port back. */
void plan_inet_reset(struct plan *p, size_t description)
{
	const Warm__Image__Description *d = p->image->description[description];
	const struct linger at_once = {1, 0};
	int error = 0;
	socklen_t len = sizeof(error);

	connect_to(p, d->socket->family, make_listener(p));
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_accept4,
	                     .flags = ROP_SLOT(0) | ROP_TO_SLOT,
	                     .expect = SLOT_TMP2,
	                     .args = {SLOT_LISTENER, 0, 0, SOCK_CLOEXEC}},
	        "its peer");
	plan_raise(p, SLOT_PEER);
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_setsockopt,
	                     .flags = ROP_SLOT(0),
	                     .args = {SLOT_PEER, SOL_SOCKET, SO_LINGER, plan_data(p, &at_once, sizeof(at_once), 4),
	                              sizeof(at_once)}},
	        "its peer: close(2) is a reset");
	on_slot(p, "reset the connection", SYS_close, SLOT_PEER, 0, 0);
	on_slot(p, "nobody is needed any more", SYS_close, SLOT_LISTENER, 0, 0);
	await_reset(p);
	plan_socket_options(p, d->socket, SLOT_TMP);
	plan_socket_flags(p, d, SLOT_TMP);
	if (d->socket->connection == WARM__IMAGE__CONNECTION__ENDED)
		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL,
		                     .nr = SYS_getsockopt,
		                     .flags = ROP_SLOT(0),
		                     .args = {SLOT_TMP, SOL_SOCKET, SO_ERROR, plan_data(p, &error, sizeof(error), 4),
		                              plan_data(p, &len, sizeof(len), 4)}},
		        "which the program knows");
	plan_place(p, SLOT_TMP, description);
}
