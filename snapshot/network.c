/* SPDX-License-Identifier: MIT */
/* The network namespace of the process (network_namespaces(7)): the daemon's, or one of its own (--net private). */
#include "snapshot/subject.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clean.h"
#include "base/err.h"
#include "base/proc.h"
#include "snapshot/remedies.h"

/* From here on sockets are asked for where they are: sock_diag(7) tells of its own namespace. */
int enter_network(struct subject *s, struct err *err)
{
	CLEAN(fd) int self = proc_open(getpid());
	CLEAN(fd) int network = openat(s->proc_fd, "ns/net", O_RDONLY | O_CLOEXEC);
	uint64_t theirs = 0, ours = 0;

	if (network < 0 || proc_ns(s->proc_fd, "net", &theirs) < 0 || proc_ns(self, "net", &ours) < 0)
		return err_sys(err, errno, "net namespace of process %d", s->pid);
	if (theirs != ours && setns(network, CLONE_NEWNET) < 0)
		return err_sys(err, errno, "enter the net namespace of process %d", s->pid);
	return 0;
}

static bool is_loopback(const struct sockaddr *addr)
{
	if (!addr || (addr->sa_family != AF_INET && addr->sa_family != AF_INET6))
		return true; /* no address, or that of the hardware */
	if (addr->sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)addr)->sin6_addr);
	return ((const struct sockaddr_in *)addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
}

/* A clone's has loopback as the kernel makes it, and nothing else. */
int survey_network(struct subject *s, struct err *err)
{
	struct ifaddrs *list, *at;
	char words[ADDRESS_WORDS_MAX];
	int r = enter_network(s, err);

	if (r < 0)
		return r;
	if (getifaddrs(&list) < 0)
		return err_sys(err, errno, "network interfaces of process %d", s->pid);
	for (at = list; r == 0 && at; at = at->ifa_next) {
		if (!(at->ifa_flags & IFF_UP))
			continue;
		if (!(at->ifa_flags & IFF_LOOPBACK))
			r = err_refuse(err, DO_IT_AFTER, "process %d has the interface %s in its network namespace",
			               s->pid, at->ifa_name);
		else if (!is_loopback(at->ifa_addr))
			r = err_refuse(err, DO_IT_AFTER, "process %d has given its interface %s the address %s", s->pid,
			               at->ifa_name,
			               address_words(at->ifa_addr,
			                             at->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
			                                                                : sizeof(struct sockaddr_in6),
			                             words));
	}
	freeifaddrs(list);
	s->image->process->net_private = true;
	return r;
}
