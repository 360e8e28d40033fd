/* SPDX-License-Identifier: MIT */
#include "warmd/listener.h"

#include "base/clean.h"
#include "base/err.h"
#include "warmd/admission.h"
#include "warmd/client.h"
#include "warmd/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define LISTENER_BACKLOG     4096 /* the kernel has its own limit (net.core.somaxconn) */
#define LISTENER_CLIENTS_MAX 2048
#define LISTENER_AT_ONCE     64 /* then others have their turn */

struct listener {
	struct daemon *daemon;
	int sock, lock_fd;
	struct sockaddr_un addr;
	ev_io io;
};

/* The first one is served before it is known whether there are more. No socket: the last one was there, it is gone
 * again, or no descriptor is left, and it starts cold after its 100 ms. */
static void listener_accept(struct ev_loop *loop, ev_io *io, int revents)
{
	struct listener *listener = io->data;
	struct daemon *daemon = listener->daemon;

	(void)loop;
	(void)revents;
	for (int i = 0; i < LISTENER_AT_ONCE; i++) {
		int sock = accept4(listener->sock, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (sock < 0)
			return;
		if (daemon->n_clients >= LISTENER_CLIENTS_MAX)
			close(sock);
		else
			client_new(daemon, sock, i > 0 || admission_crowded(daemon));
	}
}

/* The directories above the socket, 0755 for everybody's socket, 0700 for one's own. */
static int make_parents(const char *path, mode_t mode, struct err *err)
{
	CLEAN(free) char *dir = strdup(path);

	if (!dir)
		return err_set(err, ENOMEM, "out of memory");
	for (char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(dir, mode) && errno != EEXIST)
			return err_sys(err, errno, "make %s for the socket %s", dir, path);
		*slash = '/';
	}
	return 0;
}

/* One warmd a socket: the lock is held as long as the daemon lives, so a socket without a holder is a stale one. */
static int take_place(struct listener *listener, struct err *err)
{
	const char *path = listener->addr.sun_path;
	char lock[sizeof(listener->addr.sun_path) + 8];
	struct stat st;

	snprintf(lock, sizeof(lock), "%s.lock", path);
	listener->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (listener->lock_fd < 0)
		return err_sys(err, errno, "open %s", lock);
	if (flock(listener->lock_fd, LOCK_EX | LOCK_NB))
		return err_set(err, EADDRINUSE, "another warmd already serves %s: stop it, or choose another --socket",
		               path);
	if (lstat(path, &st))
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, EEXIST, "%s is in the way and no socket: remove it, or choose another --socket",
		               path);
	return unlink(path) ? err_sys(err, errno, "remove the stale socket %s", path) : 0;
}

static int listener_listen(struct listener *listener, bool open_to_all, struct err *err)
{
	const char *path = listener->addr.sun_path;
	mode_t mask;
	int r;

	listener->sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener->sock < 0)
		return err_sys(err, errno, "socket");
	mask = umask(open_to_all ? 0111 : 0177);
	r = bind(listener->sock, (struct sockaddr *)&listener->addr, sizeof(listener->addr)) ? errno : 0;
	umask(mask);
	if (r)
		return err_sys(err, r, "bind %s", path);
	if (listen(listener->sock, LISTENER_BACKLOG))
		return err_sys(err, errno, "listen on %s", path);
	return 0;
}

int listener_new(struct daemon *daemon, const char *path, bool open_to_all, struct listener **ret, struct err *err)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	int r;

	if (!listener)
		return err_set(err, ENOMEM, "out of memory");
	listener->daemon = daemon;
	listener->sock = -1;
	listener->lock_fd = -1;
	listener->addr.sun_family = AF_UNIX;
	r = 0;
	if (strlen(path) >= sizeof(listener->addr.sun_path))
		r = err_set(err, ENAMETOOLONG, "the path of the socket is longer than %zu bytes: %s",
		            sizeof(listener->addr.sun_path) - 1, path);
	else
		memcpy(listener->addr.sun_path, path, strlen(path));
	if (!r)
		r = make_parents(path, open_to_all ? 0755 : 0700, err);
	if (!r)
		r = take_place(listener, err);
	if (!r)
		r = listener_listen(listener, open_to_all, err);
	if (r) {
		clean_fd(&listener->sock);
		clean_fd(&listener->lock_fd);
		free(listener);
		return r;
	}
	ev_io_init(&listener->io, listener_accept, listener->sock, EV_READ);
	listener->io.data = listener;
	ev_set_priority(&listener->io, EV_MAXPRI);
	ev_io_start(daemon->loop, &listener->io);
	*ret = listener;
	return 0;
}

void listener_free(struct listener *listener)
{
	if (!listener)
		return;
	ev_io_stop(listener->daemon->loop, &listener->io);
	unlink(listener->addr.sun_path);
	close(listener->sock);
	close(listener->lock_fd);
	free(listener);
}
