/* SPDX-License-Identifier: MIT */
/*
 * Inet sockets: unconnected, listening, connected. A TCP connection belongs to its peer, too: of it only that it was
 * there is recorded, and nothing of it is touched. Connections that wait in a listener's backlog stay the original's.
 */
#include "snapshot/files_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/address.h"
#include "base/err.h"
#include "proto/launch.h"
#include "snapshot/remedies.h"

/* What a clone has in its place is this, as it would be seen here: both are recorded alike. */
static Warm__Image__Connection dead_connection(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};

	if (poll(&poll_fd, 1, 0) < 0 || !(poll_fd.revents & POLLRDHUP))
		return WARM__IMAGE__CONNECTION__NO_CONNECTION; /* a new socket */
	return poll_fd.revents & POLLERR ? WARM__IMAGE__CONNECTION__RESET : WARM__IMAGE__CONNECTION__ENDED;
}

static int collect_tcp(struct subject *s, struct open_file *f, Warm__Image__Socket *sock, struct err *err)
{
	struct sockaddr_storage peer = {0};
	struct tcp_info info = {0};
	socklen_t len = sizeof(info), peer_len = sizeof(peer);
	char words[ADDRESS_WORDS_MAX];

	if (sock->protocol != IPPROTO_TCP && sock->protocol != IPPROTO_MPTCP)
		return err_refuse(err, CLOSE_IT, "fd %d: stream socket of protocol %d", f->fd, sock->protocol);
	if (getsockopt(f->local, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return err_sys(err, errno, "fd %d: state of the TCP socket", f->fd);
	if (info.tcpi_state == TCP_LISTEN) {
		sock->listening = true;
		sock->backlog = (int32_t)info.tcpi_sacked;
		if (summary_descriptor(s, "%d: listening TCP socket", f->fd) < 0)
			return err_sys(err, ENOMEM, "descriptors");
		return collect_address(s, f, sock, err);
	}
	sock->connection = info.tcpi_state == TCP_CLOSE ? dead_connection(f->local) : WARM__IMAGE__CONNECTION__RESET;
	if (!sock->connection)
		return collect_address(s, f, sock, err);
	if (sock->protocol != IPPROTO_TCP)
		return err_refuse(err, CLOSE_IT, "fd %d: connection of multipath TCP", f->fd);
	if (getpeername(f->local, (struct sockaddr *)&peer, &peer_len) == 0)
		address_words(&peer, peer_len, words);
	else
		strcpy(words, "nobody any more");
	return summary_descriptor(s, "%d: TCP connection to %s, reset in a clone", f->fd, words) < 0
	               ? err_sys(err, ENOMEM, "descriptors")
	               : 0;
}

static int collect_udp(struct subject *s, struct open_file *f, Warm__Image__Socket *sock, struct err *err)
{
	struct sockaddr_storage peer = {0};
	socklen_t len = sizeof(peer);
	struct pollfd waits = {.fd = f->local, .events = POLLIN | POLLRDHUP};
	char words[ADDRESS_WORDS_MAX];
	uint32_t bound;
	int r;

	if (poll(&waits, 1, 0) > 0 && waits.revents & POLLRDHUP)
		return err_refuse(err, CLOSE_IT, "fd %d: a UDP socket that is shut down for reading", f->fd);
	if (waits.revents & POLLIN) /* recv(2) would take an error that waits, too */
		return err_refuse(err, READ_IT, "fd %d: datagrams wait in a UDP socket", f->fd);
	r = collect_groups(s, f, sock, err);
	if (r == 0)
		r = collect_address(s, f, sock, err);
	if (r < 0 || getpeername(f->local, (struct sockaddr *)&peer, &len) < 0)
		return r;
	sock->remote = bytes_copy(&peer, len);
	if (!sock->remote.data)
		return err_sys(err, ENOMEM, "descriptors");
	bound = f->desc->held;
	r = collect_held(s, f, HELD_REMOTE, sock->remote, address_words(&peer, len, words), err);
	sock->remote_held = f->desc->held;
	f->desc->held = bound;
	return r;
}

int collect_inet(struct subject *s, struct open_file *f, Warm__Image__Socket *sock, struct err *err)
{
	if (sock->type == SOCK_STREAM)
		return collect_tcp(s, f, sock, err);
	if (sock->type == SOCK_DGRAM)
		return collect_udp(s, f, sock, err);
	return err_refuse(err, CLOSE_IT, "fd %d: raw inet socket", f->fd);
}
