/* SPDX-License-Identifier: MIT */
/* For programs in languages without datagrams: says READY=1 to $NOTIFY_SOCKET (sd_notify(3)) when it is loaded, as the
 * process that loads it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

__attribute__((constructor)) static void say_ready(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path ? path : "");
	if (sock < 0 || sendto(sock, "READY=1", 7, 0, (struct sockaddr *)&to, sizeof(to)) != 7)
		perror("say READY=1");
	close(sock);
}
