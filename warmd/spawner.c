/* SPDX-License-Identifier: MIT */
#include "warmd/spawner.h"

#include "base/err.h"
#include "base/fd.h"
#include "warmd/daemon.h"
#include "warmd/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SPAWNER_REQUEST_MAX 8192

struct pending {
	STAILQ_ENTRY(pending) link;
	spawner_cb *cb; /* NULL: whoever asked has gone */
	void *arg;
};

struct spawner {
	struct daemon *daemon;
	int sock;
	ev_io io;
	STAILQ_HEAD(, pending) pending;
};

static void spawner_read(struct ev_loop *loop, ev_io *io, int revents)
{
	struct spawner *spawner = io->data;
	struct spawn_answer answer;
	struct pending *pending;
	int pidfd = -1;
	size_t n_fds = 1;
	ssize_t len = fd_recv(spawner->sock, &answer, sizeof(answer), &pidfd, &n_fds, MSG_DONTWAIT);

	(void)revents;
	if (len == -EAGAIN)
		return;
	if (len != sizeof(answer) || answer.magic != SPAWN_MAGIC) {
		log_line("warm-spawn is gone: warmd ends with it");
		ev_io_stop(loop, io);
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	if (!n_fds)
		pidfd = -1;
	pending = STAILQ_FIRST(&spawner->pending);
	if (!pending || !pending->cb) {
		fd_close_all(&pidfd, pidfd >= 0);
	} else {
		pending->cb(pending->arg, answer.pid, pidfd);
	}
	if (pending) {
		STAILQ_REMOVE_HEAD(&spawner->pending, link);
		free(pending);
	}
}

int spawner_new(struct daemon *daemon, int sock, struct spawner **ret, struct err *err)
{
	struct spawner *spawner = calloc(1, sizeof(*spawner));

	if (!spawner)
		return err_set(err, ENOMEM, "out of memory");
	spawner->daemon = daemon;
	spawner->sock = sock;
	STAILQ_INIT(&spawner->pending);
	ev_io_init(&spawner->io, spawner_read, sock, EV_READ);
	spawner->io.data = spawner;
	ev_io_start(daemon->loop, &spawner->io);
	*ret = spawner;
	return 0;
}

void spawner_free(struct spawner *spawner)
{
	struct pending *pending;

	if (!spawner)
		return;
	ev_io_stop(spawner->daemon->loop, &spawner->io);
	while ((pending = STAILQ_FIRST(&spawner->pending))) {
		STAILQ_REMOVE_HEAD(&spawner->pending, link);
		free(pending);
	}
	close(spawner->sock);
	free(spawner);
}

int spawner_start(struct spawner *spawner, enum spawn_program program, const char *const *argv, const int *fds,
                  size_t n_fds, uint32_t stdout_index, spawner_cb *cb, void *arg, struct err *err)
{
	struct spawn_request request = {.magic = SPAWN_MAGIC, .program = program, .stdout_fd = stdout_index};
	char buf[SPAWNER_REQUEST_MAX];
	size_t len = sizeof(request);
	struct pending *pending;
	int r;

	for (; argv[request.n_args]; request.n_args++) {
		size_t n = strlen(argv[request.n_args]) + 1;

		if (request.n_args == SPAWN_ARGS_MAX || n > sizeof(buf) - len)
			return err_set(err, E2BIG, "start %s: too many arguments", argv[0]);
		memcpy(buf + len, argv[request.n_args], n);
		len += n;
	}
	memcpy(buf, &request, sizeof(request));

	pending = calloc(1, sizeof(*pending));
	if (!pending)
		return err_set(err, ENOMEM, "out of memory");
	/* The answer is waited for in the loop, the request itself is a datagram that fits: MSG_DONTWAIT never waits.
	 */
	r = fd_send(spawner->sock, buf, len, fds, n_fds);
	if (r) {
		free(pending);
		return err_sys(err, -r, "ask warm-spawn for %s", argv[0]);
	}
	pending->cb = cb;
	pending->arg = arg;
	STAILQ_INSERT_TAIL(&spawner->pending, pending, link);
	return 0;
}

void spawner_forget(struct spawner *spawner, const void *arg)
{
	struct pending *pending;

	STAILQ_FOREACH(pending, &spawner->pending, link)
	{
		if (pending->arg == arg)
			pending->cb = NULL;
	}
}
