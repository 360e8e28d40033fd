/* SPDX-License-Identifier: MIT */
/* A connected TCP socket. victim: refused connect */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "victim.h"

int main(void)
{
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
	    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof local;
	char text[8];
	int server;

	CHECK(bind(listener, (struct sockaddr *)&local, len) == 0 && listen(listener, 1) == 0);
	CHECK_EQ(getsockname(listener, (struct sockaddr *)&local, &len), 0);
	CHECK_EQ(connect(client, (struct sockaddr *)&local, len), 0);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK(server >= 0 && close(listener) == 0);
	hook();
	CHECK(send(client, "still", 5, 0) == 5 && recv(server, text, sizeof text, 0) == 5);
	return pass();
}
