/* SPDX-License-Identifier: MIT */
#include "warmd/client.h"

#include "base/clean.h"
#include "base/fd.h"
#include "proto/launch.h"
#include "warmd/daemon.h"
#include "warmd/dispatch.h"
#include "warmd/exec_job.h"
#include "warmd/notify.h"
#include "warmd/relayed.h"
#include "warmd/snap_job.h"
#include "warmd/verbs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CLIENT_PATIENCE_S 10.0       /* for the first message */
#define CLIENT_QUEUE_MAX  (8u << 20) /* bytes that a client does not read */

struct client_message {
	STAILQ_ENTRY(client_message) link;
	size_t len;
	uint8_t data[];
};

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void client_late(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	client_free(timer->data);
}

static void client_event(struct ev_loop *loop, ev_io *io, int revents);
static void client_read(struct client *client);

void client_look(struct client *client)
{
	if (client->seen)
		return;
	client->seen = true;
	client->looked = caller_look(&client->caller, &client->peer, &client->daemon->machine);
	client->itself = !client->looked && caller_is_itself(&client->caller, &client->peer, client->sock);
}

void client_new(struct daemon *daemon, int sock, bool crowd)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client || peer_init(&client->peer, sock)) {
		free(client);
		close(sock);
		return;
	}
	client->daemon = daemon;
	client->sock = sock;
	client->notify_sock = -1;
	client->accepted_ns = daemon_now_ns();
	if (!crowd)
		client_look(client);
	STAILQ_INIT(&client->queue);
	LIST_INSERT_HEAD(&daemon->clients, client, link);
	daemon->n_clients++;

	ev_io_init(&client->io, client_event, sock, EV_READ);
	client->io.data = client;
	ev_timer_init(&client->timer, client_late, CLIENT_PATIENCE_S, 0);
	client->timer.data = client;
	ev_io_start(daemon->loop, &client->io);
	ev_timer_start(daemon->loop, &client->timer);
	client_read(client);
}

void client_free(struct client *client)
{
	struct client_message *message;

	if (client->exec_job)
		exec_job_client_gone(client->exec_job);
	if (client->snap_job)
		snap_job_client_gone(client->snap_job);
	if (client->verb_job)
		verb_client_gone(client->verb_job);
	if (client->first_run)
		relayed_client_gone(client);
	clean_fd(&client->notify_sock);
	notify_remove(client->notify_path);

	ev_io_stop(client->daemon->loop, &client->io);
	ev_timer_stop(client->daemon->loop, &client->timer);
	while ((message = STAILQ_FIRST(&client->queue))) {
		STAILQ_REMOVE_HEAD(&client->queue, link);
		free(message);
	}
	for (size_t i = 0; i < client->n_depends; i++)
		warm__rpc__depends__free_unpacked(client->depends[i], NULL);
	free(client->depends);
	caller_fini(&client->caller);
	peer_fini(&client->peer);
	close(client->sock);
	LIST_REMOVE(client, link);
	client->daemon->n_clients--;
	free(client);
}

/* ---- hearing ----------------------------------------------------------------------------------------------------- */

static void client_read(struct client *client)
{
	static uint8_t buf[MESSAGE_MAX];
	int fds[FD_PASS_MAX];
	size_t n_fds = FD_PASS_MAX;
	ssize_t len = fd_recv(client->sock, buf, sizeof(buf), fds, &n_fds, MSG_DONTWAIT);

	if (len == -EAGAIN)
		return;
	if (len == -EMSGSIZE) {
		client_fail(client, EMSGSIZE, "a message of more than %d bytes or %d descriptors", MESSAGE_MAX,
		            FD_PASS_MAX);
		return;
	}
	if (len <= 0) {
		client_free(client);
		return;
	}
	ev_timer_stop(client->daemon->loop, &client->timer);
	dispatch(client, buf, (size_t)len, fds, n_fds);
}

/* ---- speaking ---------------------------------------------------------------------------------------------------- */

/* Returns false where the client is gone. */
static bool client_flush(struct client *client)
{
	struct client_message *message;

	while ((message = STAILQ_FIRST(&client->queue))) {
		int r = fd_send(client->sock, message->data, message->len, NULL, 0);

		if (r == -EAGAIN)
			return true;
		STAILQ_REMOVE_HEAD(&client->queue, link);
		client->queued_bytes -= message->len;
		free(message);
	}
	ev_io_stop(client->daemon->loop, &client->io);
	if (client->closing) {
		client_free(client);
		return false;
	}
	ev_io_set(&client->io, client->sock, EV_READ);
	ev_io_start(client->daemon->loop, &client->io);
	return true;
}

static void client_event(struct ev_loop *loop, ev_io *io, int revents)
{
	struct client *client = io->data;

	(void)loop;
	if (revents & EV_WRITE && !client_flush(client))
		return;
	if (revents & EV_READ)
		client_read(client);
}

void client_send(struct client *client, const void *buf, size_t len)
{
	struct client_message *message;

	/* An error other than EAGAIN is the client's end: the loop will read it from the socket. */
	if (STAILQ_EMPTY(&client->queue) && fd_send(client->sock, buf, len, NULL, 0) != -EAGAIN)
		return;
	if (client->queued_bytes + len > CLIENT_QUEUE_MAX)
		return; /* it does not read: it will miss the end, and be closed */
	message = malloc(sizeof(*message) + len);
	if (!message)
		return;
	message->len = len;
	memcpy(message->data, buf, len);
	client->queued_bytes += len;
	STAILQ_INSERT_TAIL(&client->queue, message, link);
	ev_io_stop(client->daemon->loop, &client->io);
	ev_io_set(&client->io, client->sock, client->closing ? EV_WRITE : EV_READ | EV_WRITE);
	ev_io_start(client->daemon->loop, &client->io);
}

void client_reply(struct client *client, const Warm__Rpc__Reply *reply)
{
	size_t len = warm__rpc__reply__get_packed_size(reply);
	CLEAN(free) uint8_t *buf = malloc(len + 4);
	uint32_t magic = RPC_MAGIC;

	if (!buf || len + 4 > MESSAGE_MAX)
		return;
	memcpy(buf, &magic, 4);
	warm__rpc__reply__pack(reply, buf + 4);
	client_send(client, buf, len + 4);
}

void client_close(struct client *client)
{
	client->closing = true;
	if (STAILQ_EMPTY(&client->queue)) {
		client_free(client);
		return;
	}
	ev_io_stop(client->daemon->loop, &client->io);
	ev_io_set(&client->io, client->sock, EV_WRITE);
	ev_io_start(client->daemon->loop, &client->io);
	ev_timer_set(&client->timer, CLIENT_PATIENCE_S, 0); /* for one that never reads */
	ev_timer_start(client->daemon->loop, &client->timer);
}

void client_reply_last(struct client *client, Warm__Rpc__Reply *reply)
{
	reply->last = true;
	client_reply(client, reply);
	client_close(client);
}

void client_fail(struct client *client, int code, const char *fmt, ...)
{
	Warm__Rpc__Reply reply = WARM__RPC__REPLY__INIT;
	Warm__Rpc__Failure failure = WARM__RPC__FAILURE__INIT;
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	failure.code = code;
	failure.text = text;
	reply.failure = &failure;
	client_reply_last(client, &reply);
}
