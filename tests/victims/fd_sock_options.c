/* SPDX-License-Identifier: MIT */
/* Every option that a socket of each kind can be given and asked for: as set, after the hook. */
#include <arpa/inet.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "victim.h"

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif
#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44
#endif
#ifndef SO_RCVPRIORITY
#define SO_RCVPRIORITY 82
#endif
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif
#define OPTION(level, name, value)                                                                                     \
	{                                                                                                              \
		level, name, value, #name                                                                              \
	}
#define END                                                                                                            \
	{                                                                                                              \
		0, 0, 0, NULL                                                                                          \
	}

struct option {
	int level, name, value;
	const char *words;
};

static const struct option any[] = {OPTION(SOL_SOCKET, SO_KEEPALIVE, 1),
                                    OPTION(SOL_SOCKET, SO_OOBINLINE, 1),
                                    OPTION(SOL_SOCKET, SO_PRIORITY, 4),
                                    OPTION(SOL_SOCKET, SO_DONTROUTE, 1),
                                    OPTION(SOL_SOCKET, SO_TIMESTAMPNS, 1),
                                    OPTION(SOL_SOCKET, SO_RXQ_OVFL, 1),
                                    OPTION(SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1),
                                    OPTION(SOL_SOCKET, SO_MAX_PACING_RATE, 1000000),
                                    OPTION(SOL_SOCKET, SO_LOCK_FILTER, 1),
                                    OPTION(SOL_SOCKET, SO_RCVLOWAT, 7),
                                    OPTION(SOL_SOCKET, SO_MARK, 99),
                                    OPTION(SOL_SOCKET, SO_NO_CHECK, 1),
                                    OPTION(SOL_SOCKET, SO_BUSY_POLL, 50),
                                    OPTION(SOL_SOCKET, SO_RCVPRIORITY, 1),
                                    OPTION(SOL_SOCKET, SO_BROADCAST, 1),
                                    OPTION(SOL_SOCKET, SO_REUSEADDR, 1),
                                    OPTION(SOL_SOCKET, SO_ZEROCOPY, 1),
                                    OPTION(SOL_SOCKET, SO_PREFER_BUSY_POLL, 1),
                                    OPTION(SOL_SOCKET, SO_BUF_LOCK, 3),
                                    END};
static const struct option of_ip[] = {OPTION(IPPROTO_IP, IP_TOS, 16),
                                      OPTION(IPPROTO_IP, IP_TTL, 33),
                                      OPTION(IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT),
                                      OPTION(IPPROTO_IP, IP_RECVERR, 1),
                                      OPTION(IPPROTO_IP, IP_RECVTTL, 1),
                                      OPTION(IPPROTO_IP, IP_RECVTOS, 1),
                                      OPTION(IPPROTO_IP, IP_RECVOPTS, 1),
                                      OPTION(IPPROTO_IP, IP_RETOPTS, 1),
                                      OPTION(IPPROTO_IP, IP_PASSSEC, 1),
                                      OPTION(IPPROTO_IP, IP_PKTINFO, 1),
                                      OPTION(IPPROTO_IP, IP_MINTTL, 5),
                                      OPTION(IPPROTO_IP, IP_FREEBIND, 1),
                                      OPTION(IPPROTO_IP, IP_TRANSPARENT, 1),
                                      OPTION(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1),
                                      OPTION(IPPROTO_IP, IP_ORIGDSTADDR, 1),
                                      OPTION(IPPROTO_IP, IP_CHECKSUM, 1),
                                      OPTION(IPPROTO_IP, IP_RECVFRAGSIZE, 1),
                                      OPTION(IPPROTO_IP, IP_LOCAL_PORT_RANGE, (50000 << 16) | 40000),
                                      OPTION(IPPROTO_IP, IP_MULTICAST_TTL, 9),
                                      OPTION(IPPROTO_IP, IP_MULTICAST_LOOP, 0),
                                      OPTION(IPPROTO_IP, IP_MULTICAST_ALL, 0),
                                      OPTION(IPPROTO_IP, IP_UNICAST_IF, 0x01000000),
                                      END};
static const struct option of_ipv6[] = {OPTION(IPPROTO_IPV6, IPV6_V6ONLY, 1),
                                        OPTION(IPPROTO_IPV6, IPV6_UNICAST_HOPS, 44),
                                        OPTION(IPPROTO_IPV6, IPV6_TCLASS, 32),
                                        OPTION(IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT),
                                        OPTION(IPPROTO_IPV6, IPV6_RECVERR, 1),
                                        OPTION(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1),
                                        OPTION(IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1),
                                        OPTION(IPPROTO_IPV6, IPV6_RECVTCLASS, 1),
                                        OPTION(IPPROTO_IPV6, IPV6_RECVRTHDR, 1),
                                        OPTION(IPPROTO_IPV6, IPV6_RECVHOPOPTS, 1),
                                        OPTION(IPPROTO_IPV6, IPV6_RECVDSTOPTS, 1),
                                        OPTION(IPPROTO_IPV6, IPV6_RECVPATHMTU, 1),
                                        OPTION(IPPROTO_IPV6, IPV6_RECVFRAGSIZE, 1),
                                        OPTION(IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, 1),
                                        OPTION(IPPROTO_IPV6, IPV6_DONTFRAG, 1),
                                        OPTION(IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0),
                                        OPTION(IPPROTO_IPV6, IPV6_FREEBIND, 1),
                                        OPTION(IPPROTO_IPV6, IPV6_TRANSPARENT, 1),
                                        OPTION(IPPROTO_IPV6, IPV6_MINHOPCOUNT, 6),
                                        OPTION(IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, 2),
                                        OPTION(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 8),
                                        OPTION(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0),
                                        OPTION(IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0),
                                        OPTION(IPPROTO_IPV6, IPV6_MULTICAST_IF, 1),
                                        OPTION(IPPROTO_IPV6, IPV6_UNICAST_IF, 0x01000000),
                                        END};
static const struct option of_tcp[] = {OPTION(IPPROTO_TCP, TCP_NODELAY, 1),
                                       OPTION(IPPROTO_TCP, TCP_CORK, 1),
                                       OPTION(IPPROTO_TCP, TCP_MAXSEG, 700),
                                       OPTION(IPPROTO_TCP, TCP_KEEPIDLE, 123),
                                       OPTION(IPPROTO_TCP, TCP_KEEPINTVL, 12),
                                       OPTION(IPPROTO_TCP, TCP_KEEPCNT, 4),
                                       OPTION(IPPROTO_TCP, TCP_SYNCNT, 3),
                                       OPTION(IPPROTO_TCP, TCP_LINGER2, 17),
                                       OPTION(IPPROTO_TCP, TCP_DEFER_ACCEPT, 7),
                                       OPTION(IPPROTO_TCP, TCP_WINDOW_CLAMP, 50000),
                                       OPTION(IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1),
                                       OPTION(IPPROTO_TCP, TCP_USER_TIMEOUT, 4321),
                                       OPTION(IPPROTO_TCP, TCP_NOTSENT_LOWAT, 16384),
                                       OPTION(IPPROTO_TCP, TCP_SAVE_SYN, 1),
                                       OPTION(IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1),
                                       OPTION(IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1),
                                       OPTION(IPPROTO_TCP, TCP_INQ, 1),
                                       OPTION(IPPROTO_TCP, TCP_TX_DELAY, 1000),
                                       OPTION(IPPROTO_TCP, TCP_RTO_MAX_MS, 5000),
                                       END};
static const struct option of_udp[] = {
        OPTION(IPPROTO_UDP, UDP_CORK, 1),         OPTION(IPPROTO_UDP, UDP_SEGMENT, 1200),
        OPTION(IPPROTO_UDP, UDP_GRO, 1),          OPTION(IPPROTO_UDP, UDP_NO_CHECK6_TX, 1),
        OPTION(IPPROTO_UDP, UDP_NO_CHECK6_RX, 1), END};
static const struct option of_unix[] = {OPTION(SOL_SOCKET, SO_PASSCRED, 1),  OPTION(SOL_SOCKET, SO_PASSSEC, 1),
                                        OPTION(SOL_SOCKET, SO_PASSPIDFD, 1), OPTION(SOL_SOCKET, SO_PASSRIGHTS, 0),
                                        OPTION(SOL_SOCKET, SO_PEEK_OFF, 5),  END};

static const struct option of_udplite[] = {OPTION(IPPROTO_UDPLITE, 10, 24), OPTION(IPPROTO_UDPLITE, 11, 16), END};

static const struct {
	int family, type, protocol;
	const struct option *list[4];
} kind[] = {{AF_INET, SOCK_STREAM, 0, {any, of_ip, of_tcp}},
            {AF_INET, SOCK_DGRAM, 0, {any, of_ip, of_udp}},
            {AF_INET6, SOCK_STREAM, 0, {any, of_ipv6, of_tcp}},
            {AF_INET6, SOCK_DGRAM, 0, {any, of_ipv6, of_udp}},
            {AF_UNIX, SOCK_DGRAM, 0, {any, of_unix}},
            {AF_UNIX, SOCK_STREAM, 0, {any, of_unix}},
            {AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, {any, of_ip, of_udplite}}};
#define KINDS ((int)(sizeof kind / sizeof kind[0]))

static int ask(int fd, const struct option *o)
{
	int value = 0;
	socklen_t len = sizeof value;

	return getsockopt(fd, o->level, o->name, &value, &len) == 0 ? value : -12345;
}

int main(void)
{
	static int before[KINDS][4][32];
	int fd[KINDS], n_set = 0;

	for (int i = 0; i < KINDS; i++) {
		fd[i] = socket(kind[i].family, kind[i].type | SOCK_CLOEXEC, kind[i].protocol);
		CHECK(fd[i] >= 0 || kind[i].family == AF_INET6 || kind[i].protocol);
		for (int j = 0; fd[i] >= 0 && j < 4 && kind[i].list[j]; j++)
			for (const struct option *o = kind[i].list[j]; o->words; o++)
				n_set += setsockopt(fd[i], o->level, o->name, &o->value, sizeof o->value) == 0;
		for (int j = 0; fd[i] >= 0 && j < 4 && kind[i].list[j]; j++)
			for (int k = 0; kind[i].list[j][k].words; k++)
				before[i][j][k] = ask(fd[i], &kind[i].list[j][k]);
	}
	CHECK(n_set > 60);
	hook();
	for (int i = 0; i < KINDS; i++)
		for (int j = 0; fd[i] >= 0 && j < 4 && kind[i].list[j]; j++)
			for (int k = 0; kind[i].list[j][k].words; k++) {
				int now = ask(fd[i], &kind[i].list[j][k]);

				if (now != before[i][j][k])
					FAIL("%s of a socket of family %d, type %d is %d, was %d",
					     kind[i].list[j][k].words, kind[i].family, kind[i].type, now,
					     before[i][j][k]);
			}
	return pass();
}
