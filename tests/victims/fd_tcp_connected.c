/* SPDX-License-Identifier: MIT */
/* TCP connections in every state, with a peer that talks all along: untouched in the original, reset in a clone.
 * victim: alone */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "victim.h"

enum { PLAIN, ACCEPTED, SIX, HALF_CLOSED, PEER_CLOSED, SYN_SENT, ENDED, WAS_RESET, N };

static int fd[N], original_outcome;
static atomic_int said, go_on = 1;
static int talker_fd;

/* Sends numbers to `talker_fd` until it is told to stop. */
static void *talk(void *arg)
{
	for (int n = 0; atomic_load(&go_on); n++) {
		if (send(talker_fd, &n, sizeof n, MSG_NOSIGNAL) == sizeof n)
			atomic_store(&said, n + 1);
		sleep_ms(1);
	}
	return arg;
}

static int listener(int family, struct sockaddr_storage *name, socklen_t *len)
{
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 local6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int s = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	*len = sizeof *name;
	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(s, family == AF_INET ? (void *)&local : (void *)&local6,
	         family == AF_INET ? sizeof local : sizeof local6) < 0)
		return -1;
	CHECK(listen(s, 1) == 0 && getsockname(s, (struct sockaddr *)name, len) == 0);
	return s;
}

/* Both ends; -1: no such family here. */
static int join(int family, int *ret_server)
{
	struct sockaddr_storage name;
	socklen_t len;
	int l = listener(family, &name, &len), client = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (l < 0)
		return -1;
	if (family == AF_INET6)
		CHECK_EQ(setsockopt(client, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on), 0);
	CHECK_EQ(connect(client, (struct sockaddr *)&name, len), 0);
	*ret_server = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	CHECK(*ret_server >= 0 && close(l) == 0);
	return client;
}

/* A full backlog answers no SYN. */
static int connecting(void)
{
	struct sockaddr_storage name;
	socklen_t len;
	int l = listener(AF_INET, &name, &len), s = -1;
	struct tcp_info info = {.tcpi_state = 0};

	CHECK_EQ(listen(l, 0), 0);
	for (int i = 0; i < 8 && info.tcpi_state != TCP_SYN_SENT; i++) {
		s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		CHECK(connect(s, (struct sockaddr *)&name, len) == 0 || errno == EINPROGRESS);
		sleep_ms(2);
		len = sizeof info;
		CHECK_EQ(getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
		len = sizeof(struct sockaddr_in);
	}
	CHECK_EQ(info.tcpi_state, TCP_SYN_SENT);
	return s;
}

static int events_of(int s)
{
	struct pollfd p = {.fd = s, .events = POLLIN | POLLOUT | POLLRDHUP};

	CHECK_EQ(poll(&p, 1, 0), 1);
	return p.revents;
}

/* As a connection whose peer has reset it. */
static void is_reset(int s, const char *which)
{
	const int all = POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP;
	struct sockaddr_storage name;
	socklen_t len = sizeof name;
	char byte;

	if (events_of(s) != all)
		FAIL("%s: poll says %#x", which, events_of(s));
	if (getpeername(s, (struct sockaddr *)&name, &len) != -1 || errno != ENOTCONN)
		FAIL("%s has a peer", which);
	if (recv(s, &byte, 1, MSG_DONTWAIT) != -1 || errno != ECONNRESET)
		FAIL("%s: the first read: %s", which, strerror(errno));
	if (recv(s, &byte, 1, MSG_DONTWAIT) != 0)
		FAIL("%s: the second read: %s", which, strerror(errno));
	if (send(s, "x", 1, MSG_NOSIGNAL) != -1 || errno != EPIPE)
		FAIL("%s: write: %s", which, strerror(errno));
	if (events_of(s) != (all & ~POLLERR))
		FAIL("%s: poll says %#x in the end", which, events_of(s));
}

static void in_a_clone(int epoll)
{
	struct epoll_event event;
	struct linger linger = {0};
	int value = 0;
	socklen_t len = sizeof value;

	CHECK(epoll_wait(epoll, &event, 1, 1000) == 1 && event.data.u32 == 7);
	CHECK(event.events & EPOLLERR && event.events & EPOLLHUP && event.events & EPOLLIN);
	CHECK(getsockopt(fd[PLAIN], IPPROTO_TCP, TCP_NODELAY, &value, &len) == 0 && value == 1);
	len = sizeof linger;
	CHECK(getsockopt(fd[PLAIN], SOL_SOCKET, SO_LINGER, &linger, &len) == 0 && linger.l_linger == 9);
	CHECK_EQ(fcntl(fd[PLAIN], F_GETFL), O_RDWR | O_NONBLOCK);
	CHECK_EQ(fcntl(fd[ACCEPTED], F_GETFL), O_RDWR);
	CHECK_EQ(fcntl(fd[PLAIN], F_GETFD), FD_CLOEXEC);
	is_reset(fd[PLAIN], "a connection");
	is_reset(fd[ACCEPTED], "an accepted one");
	is_reset(fd[HALF_CLOSED], "a half-closed one");
	is_reset(fd[PEER_CLOSED], "one that the peer has closed");
	is_reset(fd[SYN_SENT], "one that was being made");
	is_reset(fd[WAS_RESET], "one that was reset");
	if (fd[SIX] >= 0) {
		is_reset(fd[SIX], "one of IPv6");
		len = sizeof value;
		CHECK(getsockopt(fd[SIX], SOL_SOCKET, SO_DOMAIN, &value, &len) == 0 && value == AF_INET6);
		len = sizeof value;
		CHECK(getsockopt(fd[SIX], IPPROTO_IPV6, IPV6_V6ONLY, &value, &len) == 0 && value == 1);
	}
}

/* No byte is missing, none came twice. */
static void in_the_original(int listens, int first)
{
	char text[4];

	for (int n = first, got; n < first + 30; n++) {
		CHECK_EQ(recv(listens, &got, sizeof got, MSG_WAITALL), sizeof got);
		CHECK_EQ(got, n);
	}
	CHECK(send(listens, "back", 4, 0) == 4 && recv(talker_fd, text, 4, MSG_WAITALL) == 4);
	CHECK_EQ(events_of(fd[WAS_RESET]), POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP);
}

int main(void)
{
	int plain_peer, accepted_peer, six_peer, half_peer, closed_peer, ended_peer, reset_peer, listens, on = 1, epoll,
	                                                                                                  got, flags;
	struct linger linger = {1, 9}, at_once = {1, 0};
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = 7};
	pthread_t talker;
	char byte;

	fd[PLAIN] = join(AF_INET, &plain_peer);
	accepted_peer = join(AF_INET, &fd[ACCEPTED]);
	fd[SIX] = join(AF_INET6, &six_peer);
	fd[HALF_CLOSED] = join(AF_INET, &half_peer);
	fd[PEER_CLOSED] = join(AF_INET, &closed_peer);
	fd[ENDED] = join(AF_INET, &ended_peer);
	fd[WAS_RESET] = join(AF_INET, &reset_peer);
	fd[SYN_SENT] = connecting();
	CHECK(accepted_peer >= 0 && shutdown(fd[HALF_CLOSED], SHUT_WR) == 0 && shutdown(closed_peer, SHUT_WR) == 0);
	for (int i = 0; i < 2; i++) {
		int peer = i ? reset_peer : ended_peer;

		CHECK(setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0 && close(peer) == 0);
	}
	CHECK(recv(fd[ENDED], &byte, 1, 0) == -1 && errno == ECONNRESET);
	CHECK_EQ(setsockopt(fd[PLAIN], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
	CHECK_EQ(setsockopt(fd[PLAIN], SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
	flags = fcntl(fd[PLAIN], F_GETFL);
	CHECK_EQ(fcntl(fd[PLAIN], F_SETFL, flags | O_NONBLOCK), 0);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, fd[PLAIN], &event), 0);
	talker_fd = join(AF_INET, &listens);
	CHECK_EQ(pthread_create(&talker, NULL, talk, NULL), 0);
	CHECK(reached(&said, 3));
	CHECK(recv(listens, &got, sizeof got, MSG_WAITALL) == sizeof got && got == 0);
	original_outcome = hook();

	if (original_outcome == WARM_RESTORED) {
		atomic_store(&go_on, 0);
		CHECK_EQ(pthread_join(talker, NULL), 0);
		CHECK_EQ(events_of(talker_fd) & ~POLLERR, POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
		in_a_clone(epoll);
	} else {
		in_the_original(listens, 1);
		atomic_store(&go_on, 0);
		CHECK_EQ(pthread_join(talker, NULL), 0);
	}
	CHECK_EQ(events_of(fd[ENDED]), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
	CHECK_EQ(recv(fd[ENDED], &byte, 1, 0), 0);
	return pass();
}
