/* SPDX-License-Identifier: MIT */
#include "sdk/c/connect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clean.h"

#define HIGH_FD          100
#define CONNECT_LIMIT_MS 100 /* where the daemon does not accept */
#define SEND_LIMIT_MS    1000
#define ANSWER_LIMIT_MS  20000 /* running time: it starts anew when the freeze interrupts recv(2) */

static int socket_address(struct sockaddr_un *address);
static void limit(int fd, int option, long ms);

int connect_daemon(void)
{
	CLEAN(fd) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int high_fd;
	int r = socket_address(&address);

	if (r < 0)
		return r;
	if (fd < 0)
		return -errno;
	limit(fd, SO_SNDTIMEO, CONNECT_LIMIT_MS); /* it holds for connect(2) as well */
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	limit(fd, SO_SNDTIMEO, SEND_LIMIT_MS);
	limit(fd, SO_RCVTIMEO, ANSWER_LIMIT_MS);
	/* /tmp/warm-UID can be made by anybody: only root and we ourselves may tell us what our arguments are. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	if (peer.uid != 0 && peer.uid != geteuid())
		return -EPERM;

	high_fd = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
	return high_fd >= 0 ? high_fd : take_fd(&fd);
}

static int socket_address(struct sockaddr_un *address)
{
	const char *given = getenv("WARM_SOCKET");
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	size_t size = sizeof(address->sun_path);
	int len;

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (given && *given)
		len = snprintf(address->sun_path, size, "%s", given);
	else if (geteuid() == 0)
		len = snprintf(address->sun_path, size, "/run/warm/warmd.sock");
	else if (runtime && *runtime)
		len = snprintf(address->sun_path, size, "%s/warm/warmd.sock", runtime);
	else
		len = snprintf(address->sun_path, size, "/tmp/warm-%u/warmd.sock", (unsigned)geteuid());
	return len > 0 && (size_t)len < size ? 0 : -ENAMETOOLONG;
}

static void limit(int fd, int option, long ms)
{
	const struct timeval time = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	setsockopt(fd, SOL_SOCKET, option, &time, sizeof(time));
}
