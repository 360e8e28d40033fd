/* SPDX-License-Identifier: MIT */
/* Options of a socket that differ from those of a new one of its kind. */
#include <errno.h>
#include <linux/in6.h>
#include <linux/socket.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/uapi.h"
#include "snapshot/files_internal.h"

/* <net/udplite.h> of the kernel: udplite(7) */
#define UDPLITE_SEND_CSCOV 10
#define UDPLITE_RECV_CSCOV 11

enum {
	PLAIN,
	SIZE,  /* of a buffer: the kernel answers twice what was set */
	ALONE, /* a connection has others by itself */
};

/* As they are set in a copy: one that switches another one, or limits it, comes behind it. */
static const struct {
	int level, name, what;
} options[] = {
        {SOL_SOCKET, SO_REUSEADDR, PLAIN},
        {SOL_SOCKET, SO_REUSEPORT, PLAIN},
        {SOL_SOCKET, SO_KEEPALIVE, PLAIN},
        {SOL_SOCKET, SO_BROADCAST, PLAIN},
        {SOL_SOCKET, SO_OOBINLINE, PLAIN},
        {SOL_SOCKET, SO_DONTROUTE, PLAIN},
        {SOL_SOCKET, SO_SNDBUF, SIZE},
        {SOL_SOCKET, SO_RCVBUF, SIZE},
        {SOL_SOCKET, SO_BUF_LOCK, PLAIN},
        {SOL_SOCKET, SO_LINGER, PLAIN},
        {SOL_SOCKET, SO_RCVTIMEO, PLAIN},
        {SOL_SOCKET, SO_SNDTIMEO, PLAIN},
        {SOL_SOCKET, SO_PASSCRED, PLAIN},
        {SOL_SOCKET, SO_PASSSEC, PLAIN},
        {SOL_SOCKET, SO_PASSPIDFD, PLAIN},
        {SOL_SOCKET, SO_PASSRIGHTS, PLAIN},
        {SOL_SOCKET, SO_INQ, PLAIN},
        {SOL_SOCKET, SO_PEEK_OFF, PLAIN},
        {SOL_SOCKET, SO_PRIORITY, PLAIN},
        {SOL_SOCKET, SO_RCVPRIORITY, PLAIN},
        {SOL_SOCKET, SO_RCVLOWAT, PLAIN},
        {SOL_SOCKET, SO_MARK, PLAIN},
        {SOL_SOCKET, SO_RCVMARK, PLAIN},
        {SOL_SOCKET, SO_DEBUG, PLAIN},
        {SOL_SOCKET, SO_NO_CHECK, PLAIN},
        {SOL_SOCKET, SO_RXQ_OVFL, PLAIN},
        {SOL_SOCKET, SO_SELECT_ERR_QUEUE, PLAIN},
        {SOL_SOCKET, SO_WIFI_STATUS, PLAIN},
        {SOL_SOCKET, SO_NOFCS, PLAIN},
        {SOL_SOCKET, SO_MAX_PACING_RATE, ALONE},
        {SOL_SOCKET, SO_BUSY_POLL, PLAIN},
        {SOL_SOCKET, SO_PREFER_BUSY_POLL, PLAIN},
        {SOL_SOCKET, SO_BUSY_POLL_BUDGET, PLAIN},
        {SOL_SOCKET, SO_ZEROCOPY, PLAIN},
        {SOL_SOCKET, SO_TXTIME, PLAIN},
        {SOL_SOCKET, SO_TXREHASH, ALONE},
        {SOL_SOCKET, SO_LOCK_FILTER, PLAIN},
        {SOL_SOCKET, SO_BINDTODEVICE, PLAIN},
        {SOL_SOCKET, SO_TIMESTAMP, PLAIN},
        {SOL_SOCKET, SO_TIMESTAMPNS, PLAIN},
        {SOL_SOCKET, SO_TIMESTAMPING, ALONE},
        {SOL_SOCKET, SO_TIMESTAMP_NEW, PLAIN},
        {SOL_SOCKET, SO_TIMESTAMPNS_NEW, PLAIN},
        {SOL_SOCKET, SO_TIMESTAMPING_NEW, ALONE},
        {IPPROTO_IP, IP_TOS, PLAIN},
        {IPPROTO_IP, IP_TTL, PLAIN},
        {IPPROTO_IP, IP_OPTIONS, ALONE},
        {IPPROTO_IP, IP_FREEBIND, PLAIN},
        {IPPROTO_IP, IP_TRANSPARENT, PLAIN},
        {IPPROTO_IP, IP_PKTINFO, PLAIN},
        {IPPROTO_IP, IP_MTU_DISCOVER, PLAIN},
        {IPPROTO_IP, IP_RECVERR, PLAIN},
        {IPPROTO_IP, IP_RECVERR_RFC4884, PLAIN},
        {IPPROTO_IP, IP_RECVTTL, PLAIN},
        {IPPROTO_IP, IP_RECVTOS, PLAIN},
        {IPPROTO_IP, IP_RECVOPTS, PLAIN},
        {IPPROTO_IP, IP_RETOPTS, PLAIN},
        {IPPROTO_IP, IP_PASSSEC, PLAIN},
        {IPPROTO_IP, IP_MINTTL, PLAIN},
        {IPPROTO_IP, IP_RECVORIGDSTADDR, PLAIN},
        {IPPROTO_IP, IP_CHECKSUM, PLAIN},
        {IPPROTO_IP, IP_RECVFRAGSIZE, PLAIN},
        {IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, PLAIN},
        {IPPROTO_IP, IP_LOCAL_PORT_RANGE, PLAIN},
        {IPPROTO_IP, IP_UNICAST_IF, PLAIN},
        {IPPROTO_IP, IP_MULTICAST_TTL, ALONE},
        {IPPROTO_IP, IP_MULTICAST_LOOP, ALONE},
        {IPPROTO_IP, IP_MULTICAST_ALL, ALONE},
        {IPPROTO_IP, IP_MULTICAST_IF, ALONE},
        {IPPROTO_IPV6, IPV6_V6ONLY, PLAIN},
        {IPPROTO_IPV6, IPV6_UNICAST_HOPS, PLAIN},
        {IPPROTO_IPV6, IPV6_TCLASS, PLAIN},
        {IPPROTO_IPV6, IPV6_MTU_DISCOVER, PLAIN},
        {IPPROTO_IPV6, IPV6_RECVERR, PLAIN},
        {IPPROTO_IPV6, IPV6_RECVERR_RFC4884, PLAIN},
        {IPPROTO_IPV6, IPV6_RECVPKTINFO, PLAIN},
        {IPPROTO_IPV6, IPV6_RECVHOPLIMIT, PLAIN},
        {IPPROTO_IPV6, IPV6_RECVTCLASS, PLAIN},
        {IPPROTO_IPV6, IPV6_RECVRTHDR, PLAIN},
        {IPPROTO_IPV6, IPV6_RECVHOPOPTS, PLAIN},
        {IPPROTO_IPV6, IPV6_RECVDSTOPTS, PLAIN},
        {IPPROTO_IPV6, IPV6_2292PKTINFO, PLAIN},
        {IPPROTO_IPV6, IPV6_2292HOPLIMIT, PLAIN},
        {IPPROTO_IPV6, IPV6_2292RTHDR, PLAIN},
        {IPPROTO_IPV6, IPV6_2292HOPOPTS, PLAIN},
        {IPPROTO_IPV6, IPV6_2292DSTOPTS, PLAIN},
        {IPPROTO_IPV6, IPV6_RECVPATHMTU, PLAIN},
        {IPPROTO_IPV6, IPV6_RECVFRAGSIZE, PLAIN},
        {IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, PLAIN},
        {IPPROTO_IPV6, IPV6_FLOWINFO, ALONE},
        {IPPROTO_IPV6, IPV6_FLOWINFO_SEND, PLAIN},
        {IPPROTO_IPV6, IPV6_DONTFRAG, PLAIN},
        {IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, PLAIN},
        {IPPROTO_IPV6, IPV6_FREEBIND, PLAIN},
        {IPPROTO_IPV6, IPV6_TRANSPARENT, PLAIN},
        {IPPROTO_IPV6, IPV6_MINHOPCOUNT, PLAIN},
        {IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, PLAIN},
        {IPPROTO_IPV6, IPV6_UNICAST_IF, PLAIN},
        {IPPROTO_IPV6, IPV6_MULTICAST_HOPS, ALONE},
        {IPPROTO_IPV6, IPV6_MULTICAST_LOOP, ALONE},
        {IPPROTO_IPV6, IPV6_MULTICAST_ALL, ALONE},
        {IPPROTO_IPV6, IPV6_MULTICAST_IF, ALONE},
        {IPPROTO_IPV6, IPV6_HOPOPTS, ALONE},
        {IPPROTO_IPV6, IPV6_RTHDRDSTOPTS, ALONE},
        {IPPROTO_IPV6, IPV6_RTHDR, ALONE},
        {IPPROTO_IPV6, IPV6_DSTOPTS, ALONE},
        {IPPROTO_TCP, TCP_NODELAY, PLAIN},
        {IPPROTO_TCP, TCP_CORK, PLAIN},
        {IPPROTO_TCP, TCP_MAXSEG, ALONE},
        {IPPROTO_TCP, TCP_SYNCNT, PLAIN},
        {IPPROTO_TCP, TCP_LINGER2, PLAIN},
        {IPPROTO_TCP, TCP_DEFER_ACCEPT, PLAIN},
        {IPPROTO_TCP, TCP_WINDOW_CLAMP, ALONE},
        {IPPROTO_TCP, TCP_KEEPIDLE, PLAIN},
        {IPPROTO_TCP, TCP_KEEPINTVL, PLAIN},
        {IPPROTO_TCP, TCP_KEEPCNT, PLAIN},
        {IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, PLAIN},
        {IPPROTO_TCP, TCP_FASTOPEN, PLAIN},
        {IPPROTO_TCP, TCP_FASTOPEN_CONNECT, ALONE},
        {IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, ALONE},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, PLAIN},
        {IPPROTO_TCP, TCP_NOTSENT_LOWAT, PLAIN},
        {IPPROTO_TCP, TCP_SAVE_SYN, PLAIN},
        {IPPROTO_TCP, TCP_INQ, PLAIN},
        {IPPROTO_TCP, TCP_TX_DELAY, PLAIN},
        {IPPROTO_TCP, TCP_RTO_MAX_MS, PLAIN},
        {IPPROTO_TCP, TCP_CONGESTION, PLAIN},
        {IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV, PLAIN},
        {IPPROTO_UDPLITE, UDPLITE_RECV_CSCOV, PLAIN},
        {IPPROTO_UDP, UDP_CORK, PLAIN},
        {IPPROTO_UDP, UDP_ENCAP, PLAIN},
        {IPPROTO_UDP, UDP_NO_CHECK6_TX, PLAIN},
        {IPPROTO_UDP, UDP_NO_CHECK6_RX, PLAIN},
        {IPPROTO_UDP, UDP_SEGMENT, PLAIN},
        {IPPROTO_UDP, UDP_GRO, PLAIN},
};

#define VALUE_MAX 256

/* Buffers of a connection grow by themselves. An older kernel does not tell the one from the other. */
static bool size_was_set(int fd, int name)
{
	int locked = fd_socket_option(fd, SO_BUF_LOCK);

	return locked < 0 || locked & (name == SO_SNDBUF ? SOCK_SNDBUF_LOCK : SOCK_RCVBUF_LOCK);
}

static int add_option(Warm__Image__Socket *sock, int level, int name, const char *value, size_t len)
{
	Warm__Image__SocketOption *option = malloc(sizeof(*option));

	if (!option)
		return -ENOMEM;
	warm__image__socket_option__init(option);
	option->level = level;
	option->name = name;
	option->value = bytes_copy(value, len);
	return option->value.data ? GROW(sock, option, option) : -ENOMEM;
}

/* Of a datagram that is being put together nothing shows but that something has not been sent. */
static int check_corked(const struct open_file *f, const Warm__Image__Socket *sock, struct err *err)
{
	int corked = 0, waiting = 0;
	socklen_t len = sizeof(corked);

	if (sock->type == SOCK_DGRAM && getsockopt(f->local, IPPROTO_UDP, UDP_CORK, &corked, &len) == 0 && corked &&
	    ioctl(f->local, TIOCOUTQ, &waiting) == 0 && waiting)
		return err_refuse(err, "send it before the snapshot",
		                  "fd %d: a datagram that is not sent yet (UDP_CORK)", f->fd);
	return 0;
}

int collect_options(struct open_file *f, Warm__Image__Socket *sock, struct err *err)
{
	CLEAN(fd) int fresh = socket(sock->family, sock->type | SOCK_CLOEXEC, sock->protocol);

	if (fresh < 0)
		return err_sys(err, errno, "fd %d: a socket like it", f->fd);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		char ours[VALUE_MAX] = {0}, theirs[VALUE_MAX] = {0};
		socklen_t len = sizeof(theirs), fresh_len = sizeof(ours);

		if ((options[i].what == ALONE && sock->connection) ||
		    getsockopt(f->local, options[i].level, options[i].name, theirs, &len) < 0 ||
		    getsockopt(fresh, options[i].level, options[i].name, ours, &fresh_len) < 0)
			continue;
		if (len == fresh_len && memcmp(ours, theirs, len) == 0)
			continue;
		if (options[i].what == SIZE && !size_was_set(f->local, options[i].name))
			continue;
		if (options[i].what == SIZE)
			*(int *)theirs /= 2;
		if (add_option(sock, options[i].level, options[i].name, theirs, len) < 0)
			return err_sys(err, ENOMEM, "descriptors");
	}
	return check_corked(f, sock, err);
}
