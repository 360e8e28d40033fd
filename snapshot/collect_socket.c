/* SPDX-License-Identifier: MIT */
/*
 * Sockets and their addresses; unix ones that listen or are not connected, and unix pairs whose two ends are
 * both in the process, with the bytes in them (MSG_PEEK: nothing is taken out).
 */
#include "snapshot/files_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "proto/launch.h"
#include "snapshot/remedies.h"
#include "snapshot/unix_diag.h"

#define DATAGRAM_MAX (1u << 20)

int collect_address(struct subject *s, struct open_file *f, Warm__Image__Socket *sock, struct err *err)
{
	char words[ADDRESS_WORDS_MAX];
	struct sockaddr_storage addr = {0};
	socklen_t len = sizeof(addr);
	bool bound;

	if (getsockname(f->local, (struct sockaddr *)&addr, &len) < 0)
		return err_sys(err, errno, "fd %d: address of the socket", f->fd);
	if (addr.ss_family == AF_INET)
		bound = ((struct sockaddr_in *)&addr)->sin_port != 0;
	else if (addr.ss_family == AF_INET6)
		bound = ((struct sockaddr_in6 *)&addr)->sin6_port != 0;
	else
		bound = len > offsetof(struct sockaddr_un, sun_path);
	if (!bound)
		return 0;
	sock->address = bytes_copy(&addr, len);
	if (!sock->address.data)
		return err_sys(err, ENOMEM, "descriptors");
	return collect_held(s, f, HELD_SOCKET, sock->address, address_words(&addr, len, words), err);
}

/* ---- unix ------------------------------------------------------------------------------------------------------- */

/* It is shown to who asks for it, and to nobody else. */
static int check_urgent(const struct open_file *f, struct err *err)
{
	char byte;

	if (recv(f->local, &byte, 1, MSG_OOB | MSG_PEEK | MSG_DONTWAIT) == 1)
		return err_refuse(err, READ_IT, "fd %d: an urgent byte (MSG_OOB) waits in the socket", f->fd);
	return 0;
}

static int take_queue(struct open_file *f, Warm__Image__Socket *sock, struct err *err)
{
	CLEAN(free) char *buf = malloc(DATAGRAM_MAX);
	int before = fd_socket_option(f->local, SO_PEEK_OFF), from_start = 0;
	int r = 0;

	if (!buf || setsockopt(f->local, SOL_SOCKET, SO_PEEK_OFF, &from_start, sizeof(from_start)) < 0)
		return err_sys(err, buf ? errno : ENOMEM, "fd %d: bytes in the socket", f->fd);
	while (r == 0) {
		char control[CMSG_SPACE(sizeof(int) * 253)];
		struct iovec iov = {buf, DATAGRAM_MAX};
		struct msghdr msg = {
		        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(f->local, &msg, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

		if (n < 0 && (errno == EAGAIN || errno == EINVAL)) /* EINVAL: a stream that was never connected */
			break;
		if (n < 0)
			r = err_sys(err, errno, "fd %d: bytes in the socket", f->fd);
		else if (n == 0 && sock->type != SOCK_STREAM && !sock->shut_read)
			r = err_refuse(err, READ_IT, "fd %d: an empty datagram waits in the socket", f->fd);
		else if (n == 0)
			break; /* shut down */
		else if (msg.msg_flags & MSG_TRUNC)
			r = err_refuse(err, READ_IT, "fd %d: a waiting datagram longer than 1 MiB", f->fd);
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); r == 0 && c; c = CMSG_NXTHDR(&msg, c))
			if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
				for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++)
					close(((int *)CMSG_DATA(c))[i]);
				r = err_refuse(err, READ_IT, "fd %d: descriptors waiting in the socket", f->fd);
			}
		if (r == 0 && GROW(sock, queue, bytes_copy(buf, (size_t)n)) < 0)
			r = err_sys(err, ENOMEM, "descriptors");
	}
	setsockopt(f->local, SOL_SOCKET, SO_PEEK_OFF, &before, sizeof(before));
	return r;
}

/* The file of a bound socket, as the process would find it now; a relative path counts from its working directory. */
static int take_file(struct subject *s, struct open_file *f, Warm__Image__Socket *sock, uint64_t ino, struct err *err)
{
	const struct sockaddr_un *addr = (const struct sockaddr_un *)sock->address.data;
	size_t len = sock->address.len - offsetof(struct sockaddr_un, sun_path);
	char path[sizeof(addr->sun_path) + 1] = "";
	CLEAN(fd) int cwd = openat(s->proc_fd, "cwd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (sock->address.len == 0 || !addr->sun_path[0])
		return 0; /* unbound, or an abstract name */
	memcpy(path, addr->sun_path, len < sizeof(path) ? len : sizeof(path) - 1);
	if (cwd < 0 || fstatat(cwd, path, &st, 0) < 0 || !S_ISSOCK(st.st_mode) || (uint32_t)st.st_ino != (uint32_t)ino)
		return err_refuse(err, CLOSE_IT, "fd %d: a unix socket whose file %s is not there any more", f->fd,
		                  path);
	sock->file_mode = st.st_mode & 07777;
	return 0;
}

static int collect_unix(struct subject *s, struct open_file *f, Warm__Image__Socket *sock, struct err *err)
{
	struct unix_diag_answer diag;
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);
	int r = unix_diag_ask(f->st.st_ino, &diag);

	if (r < 0)
		return err_sys(err, -r, "fd %d: state of the unix socket", f->fd);
	sock->id = f->st.st_ino;
	sock->peer = diag.peer;
	sock->shut_read = (diag.shutdown & 1) != 0;
	sock->shut_write = (diag.shutdown & 2) != 0;
	sock->listening = diag.state == TCP_LISTEN;
	sock->backlog = (int32_t)diag.write_queue;
	if (diag.peer && getsockopt(f->local, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0) {
		sock->peer_uid = peer.uid;
		sock->peer_gid = peer.gid;
	}
	r = collect_address(s, f, sock, err);
	if (r == 0)
		r = take_file(s, f, sock, diag.file_ino, err);
	if (r < 0)
		return r;
	if (summary_descriptor(s, "%d: unix socket%s", f->fd,
	                       sock->listening ? ", listening"
	                       : diag.peer     ? ", connected"
	                                       : "") < 0)
		return err_sys(err, ENOMEM, "descriptors");
	if (sock->listening)
		return diag.read_queue ? err_refuse(err, "accept them before the snapshot",
		                                    "fd %d: connections wait to be accepted", f->fd)
		                       : 0;
	if (sock->address.len && (diag.peer || diag.state == TCP_ESTABLISHED))
		return err_refuse(err, CLOSE_IT, "fd %d: a connected unix socket with a name", f->fd);
	r = check_urgent(f, err);
	if (r == 0)
		r = take_queue(f, sock, err);
	if (r == 0 && sock->n_queue && sock->address.len)
		r = err_refuse(err, READ_IT, "fd %d: datagrams wait in a unix socket with a name", f->fd);
	return r;
}

/* The bytes of a filter can be had, but for those of an eBPF one; what its helpers and maps are, nobody tells. */
static int check_filter(struct open_file *f, struct err *err)
{
	socklen_t n_insns = 0;

	if (getsockopt(f->local, SOL_SOCKET, SO_GET_FILTER, NULL, &n_insns) < 0 ? errno == EACCES : n_insns > 0)
		return err_refuse(err, CLOSE_IT, "fd %d: a socket with a filter (BPF)", f->fd);
	return 0;
}

static const char *family_words(int family)
{
	switch (family) {
	case AF_NETLINK:
		return REFUSED("netlink");
	case AF_PACKET:
		return REFUSED("packet");
	case AF_VSOCK:
		return REFUSED("vsock");
	case AF_ALG:
		return REFUSED("cryptography");
	default:
		return REFUSED("unusual");
	}
}

int collect_socket(struct subject *s, struct open_file *f, struct err *err)
{
	Warm__Image__Socket *sock = malloc(sizeof(*sock));
	int r;

	if (!sock)
		return err_sys(err, ENOMEM, "descriptors");
	warm__image__socket__init(sock);
	f->desc->socket = sock;
	if (f->local < 0)
		return err_sys(err, EBADF, "fd %d: socket", f->fd);
	sock->family = fd_socket_option(f->local, SO_DOMAIN);
	sock->type = fd_socket_option(f->local, SO_TYPE);
	sock->protocol = fd_socket_option(f->local, SO_PROTOCOL);
	if (sock->family == AF_INET || sock->family == AF_INET6)
		r = collect_inet(s, f, sock, err);
	else if (sock->family == AF_UNIX)
		r = collect_unix(s, f, sock, err);
	else
		r = err_refuse(err, CLOSE_IT, "fd %d: %s socket (address family %d)", f->fd, family_words(sock->family),
		               sock->family);
	if (r == 0)
		r = check_filter(f, err);
	return r < 0 ? r : collect_options(f, sock, err);
}

int check_sockets(struct subject *s, struct err *err)
{
	for (size_t i = 0; i < s->image->n_description; i++) {
		const Warm__Image__Socket *sock = s->image->description[i]->socket, *peer = NULL;

		if (!sock || !sock->peer)
			continue;
		for (size_t j = 0; j < s->image->n_description; j++)
			if (s->image->description[j]->socket && s->image->description[j]->socket->id == sock->peer)
				peer = s->image->description[j]->socket;
		if (!peer)
			return err_refuse(err, CLOSE_IT, "fd %d: unix socket connected to another process",
			                  descriptor_of(s, i));
		if (peer->peer != sock->id)
			return err_refuse(err, CLOSE_IT,
			                  "fd %d: unix socket connected to one that is not connected to it",
			                  descriptor_of(s, i));
	}
	return 0;
}
