/* SPDX-License-Identifier: MIT */
#include "warmd/dispatch.h"

#include "base/clean.h"
#include "base/fd.h"
#include "proto/launch.h"
#include "proto/rpc.pb-c.h"
#include "warmd/client.h"
#include "warmd/daemon.h"
#include "warmd/exec_job.h"
#include "warmd/process.h"
#include "warmd/relayed.h"
#include "warmd/snap_job.h"
#include "warmd/stats.h"
#include "warmd/doctor.h"
#include "warmd/verbs.h"

#include <errno.h>
#include <string.h>

#define DEPENDS_MESSAGES_MAX 4096
#define DEPENDS_ITEMS_MAX    65536

static void depends(struct client *client, Warm__Rpc__Request *request)
{
	Warm__Rpc__Depends **list;

	if (client->n_depends == DEPENDS_MESSAGES_MAX ||
	    client->n_items + request->depends->n_item > DEPENDS_ITEMS_MAX) {
		client_fail(client, E2BIG, "more than %d files declared", DEPENDS_ITEMS_MAX);
		return;
	}
	list = realloc(client->depends, (client->n_depends + 1) * sizeof(*list));
	if (!list) {
		client_fail(client, ENOMEM, "out of memory");
		return;
	}
	client->depends = list;
	client->n_items += request->depends->n_item;
	list[client->n_depends++] = request->depends;
	request->depends = NULL; /* the client's now */
	request->op_case = WARM__RPC__REQUEST__OP__NOT_SET;
}

static void request_serve(struct client *client, Warm__Rpc__Request *request)
{
	struct daemon *daemon = client->daemon;

	switch (request->op_case) {
	case WARM__RPC__REQUEST__OP_HELLO:
		snap_job_hello(client, request->hello);
		break;
	case WARM__RPC__REQUEST__OP_DEPENDS:
		depends(client, request);
		break;
	case WARM__RPC__REQUEST__OP_READY:
		snap_job_start(client, take_ptr(request->ready));
		request->op_case = WARM__RPC__REQUEST__OP__NOT_SET;
		break;
	case WARM__RPC__REQUEST__OP_LIST:
		verb_list(client);
		break;
	case WARM__RPC__REQUEST__OP_SHOW:
		verb_show(client, request->show->snapshot);
		break;
	case WARM__RPC__REQUEST__OP_REMOVE:
		verb_remove(client, request->remove->snapshot, request->remove->n_snapshot);
		break;
	case WARM__RPC__REQUEST__OP_PLAN:
		verb_plan(client, request->plan->snapshot);
		break;
	case WARM__RPC__REQUEST__OP_STATS:
		stats_send(daemon, client);
		break;
	case WARM__RPC__REQUEST__OP_DOCTOR:
		doctor_send(daemon, client);
		break;
	case WARM__RPC__REQUEST__OP_GC:
		verb_gc(client);
		break;
	case WARM__RPC__REQUEST__OP_VERIFY:
		verb_verify(client, request->verify->snapshot, request->verify->n_snapshot);
		break;
	case WARM__RPC__REQUEST__OP_TAKE:
		process_snapshot(client, request->take);
		break;
	case WARM__RPC__REQUEST__OP_POOL:
		verb_pool(client, request->pool->snapshot, request->pool->standbys);
		break;
	default:
		client_fail(client, EINVAL, "a request that this version of warmd does not know");
	}
}

void dispatch(struct client *client, const void *msg, size_t len, const int *fds, size_t n_fds)
{
	Warm__Rpc__Request *request;
	uint32_t magic = 0;

	if (len >= sizeof(magic))
		memcpy(&magic, msg, sizeof(magic));
	if (client->exec_job || client->snap_job || client->verb_job || client->closing) {
		fd_close_all(fds, n_fds);
		client_free(client); /* it was told to wait for its answer */
		return;
	}
	client->daemon->last_used_ms = daemon_now_ms();
	if (magic == RELAY_MAGIC) {
		relayed_heard(client, msg, len, fds, n_fds);
		return;
	}
	if (magic == LAUNCH_MAGIC) {
		exec_job_start(client, msg, len, fds, n_fds);
		return;
	}
	client_look(client);
	fd_close_all(fds, n_fds); /* no other request brings any */
	if (magic != RPC_MAGIC) {
		client_fail(client, EINVAL, "not a message of Warm");
		return;
	}
	request = warm__rpc__request__unpack(NULL, len - sizeof(magic), (const uint8_t *)msg + sizeof(magic));
	if (!request) {
		client_fail(client, EINVAL, "malformed request");
		return;
	}
	request_serve(client, request);
	warm__rpc__request__free_unpacked(request, NULL);
}
