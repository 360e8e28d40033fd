/* SPDX-License-Identifier: MIT */
/* Listening unix sockets, by path and abstract: bound, listening, accepting; unbound ones beside. victim: alone */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "victim.h"

static struct sockaddr_un path = {AF_UNIX, "listen.sock"}, hidden = {AF_UNIX, "\0warm-victim-xxxxxxxxxxxxxxxx"};
#define HIDDEN_LEN (offsetof(struct sockaddr_un, sun_path) + 29)

static void talk(int listener, int type, const struct sockaddr_un *to, socklen_t len)
{
	int client = socket(AF_UNIX, type | SOCK_CLOEXEC, 0), server;
	char text[8] = "";

	CHECK_EQ(connect(client, (const struct sockaddr *)to, len), 0);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK(server >= 0);
	CHECK(send(client, "hello", 5, 0) == 5 && recv(server, text, sizeof text, 0) == 5);
	CHECK(memcmp(text, "hello", 5) == 0);
	close(client);
	close(server);
}

int main(void)
{
	int by_path = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), abstract = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	int unbound = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), value;
	struct sockaddr_un seen;
	socklen_t len;

	snprintf(hidden.sun_path + 13, 17, "%016llx", (unsigned long long)nonce());
	unlink(path.sun_path);
	CHECK_EQ(bind(by_path, (struct sockaddr *)&path, sizeof path), 0);
	CHECK_EQ(chmod(path.sun_path, 0620), 0);
	CHECK_EQ(listen(by_path, 17), 0);
	CHECK_EQ(bind(abstract, (struct sockaddr *)&hidden, HIDDEN_LEN), 0);
	CHECK_EQ(listen(abstract, 5), 0);
	hook();

	len = sizeof seen;
	CHECK_EQ(getsockname(by_path, (struct sockaddr *)&seen, &len), 0);
	CHECK_STR(seen.sun_path, path.sun_path);
	len = sizeof seen;
	CHECK_EQ(getsockname(abstract, (struct sockaddr *)&seen, &len), 0);
	CHECK(len == HIDDEN_LEN && memcmp(seen.sun_path, hidden.sun_path, 29) == 0);
	len = sizeof value;
	CHECK(getsockopt(by_path, SOL_SOCKET, SO_ACCEPTCONN, &value, &len) == 0 && value == 1);
	CHECK_EQ(fcntl(by_path, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(abstract, F_GETFD), 0);
	CHECK_EQ(fcntl(unbound, F_GETFL), O_RDWR | O_NONBLOCK);
	talk(by_path, SOCK_STREAM, &path, sizeof path);
	talk(abstract, SOCK_SEQPACKET, &hidden, HIDDEN_LEN);
	CHECK(send(unbound, "x", 1, 0) == -1 && errno == ENOTCONN);
	return pass();
}
