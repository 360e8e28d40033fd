/* SPDX-License-Identifier: MIT */
/*
 * Multicast groups that a socket is a member of: nothing lists them. What can be asked is whether it is in one of those
 * that an interface has (/proc/net/igmp, igmp6). They are not brought back, so they are refused.
 */
#include "snapshot/files_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/address.h"
#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"

#define TABLE_MAX (1u << 20)

/* EADDRNOTAVAIL: it is not. */
static bool is_member(int fd, int level, unsigned interface, const struct sockaddr_storage *group)
{
	struct group_filter filter = {.gf_interface = interface, .gf_group = *group};
	socklen_t len = sizeof(filter);

	return getsockopt(fd, level, MCAST_MSFILTER, &filter, &len) == 0;
}

static int check_group(struct open_file *f, int level, unsigned interface, const struct sockaddr_storage *group,
                       size_t len, struct err *err)
{
	char words[ADDRESS_WORDS_MAX];

	if (!is_member(f->local, level, interface, group))
		return 0;
	address_words(group, len, words);
	*strrchr(words, ':') = '\0'; /* a group has no port */
	return err_refuse(err, "leave the group before the snapshot", "fd %d: a member of multicast group %s", f->fd,
	                  words);
}

/* "1 lo : 1 V3" and below it "\t\t\t\t010000E0 1 0:00000000 0": the address as the kernel has it, in hexadecimal */
static int check_igmp(struct open_file *f, char *text, struct err *err)
{
	unsigned interface = 0, group, index;
	int r = 0;

	for (char *save, *line = strtok_r(text, "\n", &save); r == 0 && line; line = strtok_r(NULL, "\n", &save)) {
		struct sockaddr_storage name = {0};
		struct sockaddr_in *in = (struct sockaddr_in *)&name;

		if (line[0] != '\t') {
			if (sscanf(line, "%u", &index) == 1)
				interface = index;
		} else if (sscanf(line, " %8x", &group) == 1) {
			in->sin_family = AF_INET;
			in->sin_addr.s_addr = group;
			r = check_group(f, IPPROTO_IP, interface, &name, sizeof(*in), err);
		}
	}
	return r;
}

/* "1    lo              ff020000000000000000000000000001     1 0000000C 0" */
static int check_igmp6(struct open_file *f, char *text, struct err *err)
{
	unsigned interface, byte;
	char group[33];
	int r = 0;

	for (char *save, *line = strtok_r(text, "\n", &save); r == 0 && line; line = strtok_r(NULL, "\n", &save)) {
		struct sockaddr_storage name = {0};
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&name;

		if (sscanf(line, "%u %*s %32[0-9a-f]", &interface, group) != 2 || strlen(group) != 32)
			continue;
		in6->sin6_family = AF_INET6;
		for (int i = 0; i < 16 && sscanf(group + 2 * i, "%2x", &byte) == 1; i++)
			in6->sin6_addr.s6_addr[i] = (uint8_t)byte;
		r = check_group(f, IPPROTO_IPV6, interface, &name, sizeof(*in6), err);
	}
	return r;
}

int collect_groups(struct subject *s, struct open_file *f, const Warm__Image__Socket *sock, struct err *err)
{
	CLEAN(free) char *igmp = NULL, *igmp6 = NULL;
	int r = fd_read_file_at(s->proc_fd, "net/igmp", TABLE_MAX, &igmp, NULL);

	if (r == 0 && sock->family == AF_INET6)
		r = fd_read_file_at(s->proc_fd, "net/igmp6", TABLE_MAX, &igmp6, NULL);
	if (r < 0)
		return r == -ENOENT ? 0 : err_sys(err, -r, "multicast groups of process %d", s->pid);
	r = check_igmp(f, igmp, err); /* an IPv6 socket can be in one, too */
	return r < 0 || !igmp6 ? r : check_igmp6(f, igmp6, err);
}
