/* SPDX-License-Identifier: MIT */
#include "base/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define PATH_OFFSET offsetof(struct sockaddr_un, sun_path)

static void unix_words(const struct sockaddr_un *un, size_t len, char words[ADDRESS_WORDS_MAX])
{
	size_t n = len > PATH_OFFSET ? len - PATH_OFFSET : 0;
	bool abstract = n && !un->sun_path[0];

	if (!abstract)
		n = strnlen(un->sun_path, n);
	for (size_t i = 0; i < n; i++)
		words[i] = isprint((unsigned char)un->sun_path[i]) ? un->sun_path[i] : '?';
	if (abstract)
		words[0] = '@';
	words[n] = '\0';
}

const char *address_words(const void *addr, size_t len, char words[ADDRESS_WORDS_MAX])
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} a;
	char ip[INET6_ADDRSTRLEN] = "?";

	memset(&a, 0, sizeof(a));
	if (len)
		memcpy(&a, addr, len < sizeof(a) ? len : sizeof(a));
	words[0] = '\0';
	if (a.any.sa_family == AF_INET && len >= sizeof(a.in)) {
		inet_ntop(AF_INET, &a.in.sin_addr, ip, sizeof(ip));
		snprintf(words, ADDRESS_WORDS_MAX, "%s:%u", ip, ntohs(a.in.sin_port));
	} else if (a.any.sa_family == AF_INET6 && len >= sizeof(a.in6)) {
		inet_ntop(AF_INET6, &a.in6.sin6_addr, ip, sizeof(ip));
		snprintf(words, ADDRESS_WORDS_MAX, "[%s]:%u", ip, ntohs(a.in6.sin6_port));
	} else if (a.any.sa_family == AF_UNIX) {
		unix_words(&a.un, len < sizeof(a.un) ? len : sizeof(a.un), words);
	}
	return words;
}

bool address_is_path(const void *addr, size_t len)
{
	struct sockaddr_un un;

	if (len <= PATH_OFFSET)
		return false;
	memcpy(&un, addr, len < sizeof(un) ? len : sizeof(un));
	return un.sun_family == AF_UNIX && un.sun_path[0];
}
