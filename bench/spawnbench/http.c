/* SPDX-License-Identifier: MIT */
#include "bench/spawnbench/http.h"

#include "base/clean.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

ptrdiff_t http_get(uint16_t port, const char *path, char *buf, size_t size)
{
	static const char ok[] = "HTTP/1.1 200 ";
	struct sockaddr_in address = {
	        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	CLEAN(fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char request[1024];
	size_t have = 0;
	ssize_t n;
	int len = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
	                   path);

	if (len >= (int)sizeof(request))
		return -ENAMETOOLONG;
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (send(fd, request, (size_t)len, MSG_NOSIGNAL) != len)
		return -EIO;
	while (have < size && (n = TEMP_FAILURE_RETRY(read(fd, buf + have, size - have))) != 0) {
		if (n < 0)
			return -errno;
		have += (size_t)n;
	}
	return have > sizeof(ok) && !memcmp(buf, ok, sizeof(ok) - 1) ? (ptrdiff_t)have : -EPROTO;
}
