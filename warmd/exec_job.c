/* SPDX-License-Identifier: MIT */
#include "warmd/exec_internal.h"

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "policy/launch.h"
#include "proto/launch.h"
#include "warmd/admission.h"
#include "warmd/claim.h"
#include "warmd/client.h"
#include "warmd/daemon.h"
#include "warmd/entry.h"
#include "warmd/first_run.h"
#include "warmd/go.h"
#include "warmd/handover.h"
#include "warmd/learning.h"
#include "warmd/log.h"
#include "warmd/peer.h"
#include "warmd/pool.h"
#include "warmd/prewarm.h"
#include "warmd/privileged.h"
#include "warmd/recording.h"
#include "warmd/relayed.h"
#include "warmd/request.h"
#include "warmd/standby.h"
#include "warmd/words.h"
#include "warmd/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MAX_MS 30000 /* for a clone to be made */
#define GO_MAX_MS   3000  /* from GO until it runs */

static void exec_job_move(struct exec_job *job, enum exec_state to)
{
	static const unsigned allowed[] = {
	        [EXEC_ASKED] = 1 << EXEC_FOUND | 1 << EXEC_MISSED | 1 << EXEC_COLD,
	        [EXEC_MISSED] = 1 << EXEC_COLD,
	        [EXEC_FOUND] = 1 << EXEC_STANDING | 1 << EXEC_COLD,
	        [EXEC_STANDING] = 1 << EXEC_RUNNING | 1 << EXEC_COLD,
	        [EXEC_RUNNING] = 1 << EXEC_EXITED,
	        [EXEC_COLD] = 1 << EXEC_EXITED,
	        [EXEC_EXITED] = 0,
	};

	if (!(allowed[job->state] & 1u << to))
		log_line("a launch moves from state %d to %d: this is a bug in warmd", job->state, to);
	exec_queue_leave(job);
	job->state = to;
	job->since_ms = daemon_now_ms();
}

static void exec_job_free(struct exec_job *job)
{
	ev_timer_stop(job->daemon->loop, &job->timer);
	exec_queue_leave(job);
	standby_free(job->standby);
	words_forget(job->words);
	if (job->recording)
		recording_wait(job->recording, NULL, NULL);
	prewarm_fini(&job->prewarm);
	request_fini(&job->request);
	clean_fd(&job->claim_fd);
	cgroups_fini(&job->cgroups);
	LIST_REMOVE(job, link);
	free(job);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static uint32_t since_accept_us(const struct exec_job *job, uint64_t then_ns)
{
	return then_ns > job->client->accepted_ns ? (uint32_t)((then_ns - job->client->accepted_ns) / 1000) : 0;
}

static struct launch_reply reply_of(const struct exec_job *job, enum launch_answer kind, const char *reason)
{
	struct launch_reply reply = {.magic = LAUNCH_MAGIC, .kind = kind, .tier = job->tier, .go_ns = job->go_ns};

	reply.lookup_us = since_accept_us(job, job->found_ns);
	reply.go_us = since_accept_us(job, job->go_ns);
	reply.taken_us = since_accept_us(job, job->taken_ns);
	reply.placed_pages = job->standby ? job->standby->placed_pages : 0;
	snprintf(reply.snapshot, sizeof(reply.snapshot), "%s", job->id);
	snprintf(reply.reason, sizeof(reply.reason), "%s", reason);
	if (kind == LAUNCH_COLD_START || kind == LAUNCH_RELAY)
		memcpy(reply.env, job->env, sizeof(reply.env));
	return reply;
}

static void answer(struct exec_job *job, enum launch_answer kind, const char *reason)
{
	struct launch_reply reply = reply_of(job, kind, reason);

	client_send(job->client, &reply, sizeof(reply));
}

/* The last word to the client, which is gone on return; so is the job. */
static void exec_job_finish(struct exec_job *job)
{
	struct client *client = job->client;

	exec_job_move(job, EXEC_EXITED);
	client->exec_job = NULL;
	exec_job_free(job);
	if (!client->first_run) /* else it has more to say: warmd/relayed.h */
		client_close(client);
}

void exec_job_cold(struct exec_job *job, const char *reason)
{
	struct stats *stats = &job->daemon->stats;

	exec_job_move(job, EXEC_COLD);
	job->tier = TIER_COLD_START;
	stats_launch(stats, TIER_COLD_START, since_accept_us(job, daemon_now_ns()));
	stats_fallback(stats, reason);
	if (job->client->first_run) {
		struct launch_reply reply = reply_of(job, LAUNCH_RELAY, reason);

		relayed_answer(job->client, &reply);
	} else {
		answer(job, LAUNCH_COLD_START, reason);
	}
	exec_job_finish(job);
}

static const char *why_not_hotter(const struct exec_job *job)
{
	switch (job->tier) {
	case TIER_TEMPLATE:
		return job->request.head.flags & LAUNCH_TTY ? "a launch on a terminal takes a standby of its own"
		                                            : "no standby was ready";
	case TIER_COLD_RESTORE:
		return job->teaches ? "what it reads is learnt from this launch" : "no template was ready";
	default:
		return "";
	}
}

static void exec_job_running(struct exec_job *job)
{
	exec_job_move(job, EXEC_RUNNING);
	stats_launch(&job->daemon->stats, job->tier, since_accept_us(job, job->go_ns));
	if (job->tier != TIER_HOT)
		stats_fallback(&job->daemon->stats, why_not_hotter(job));
	answer(job, LAUNCH_RUNNING, why_not_hotter(job));
	if (job->entry) {
		if (job->standby->plan ==
		    PLAN_TEMPLATE) /* its memory says which pages it has, not which it has touched */
			working_set_launched(job->entry, job->standby->pid);
		else
			learning_launched(job->entry, job->standby->pid);
		entry_used(job->entry);
		pool_refill_soon(job->entry);
		if (job->entry->record->conditions->interpreter[0])
			prewarm_running(job->daemon, job->standby->pid, &job->prewarm);
	}
	exec_job_finish(job);
}

/* A clone failed under this launch. If it has the token nevertheless, the launcher will find that out. */
static void exec_job_clone_failed(struct exec_job *job, const char *reason)
{
	struct entry *entry = job->entry;

	job->entry = NULL; /* failing may set it aside, which ends what waits for it: not this job */
	if (entry)
		entry_failed(entry, reason);
	exec_job_cold(job, reason);
}

/* ---- waiting ----------------------------------------------------------------------------------------------------- */

/* In a queue that moves nobody waits too long; to be looked at comes everybody's turn, and a recording has its own
 * limit. */
static bool waits_too_long(const struct exec_job *job)
{
	uint64_t since = job->since_ms;

	if (job->state == EXEC_MISSED || job->state == EXEC_ASKED)
		return false;
	if (job->state != EXEC_FOUND)
		return daemon_now_ms() - since >= GO_MAX_MS;
	if (job->queue && job->entry->pool.served_ms > since)
		since = job->entry->pool.served_ms;
	return daemon_now_ms() - since >= WAIT_MAX_MS;
}

static void exec_job_tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct exec_job *job = timer->data;

	(void)loop;
	(void)revents;
	if (!waits_too_long(job))
		answer(job, LAUNCH_PENDING, "");
	else if (job->failure[0])
		exec_job_clone_failed(job, job->failure); /* in fewer words */
	else
		exec_job_cold(job,
		              job->state == EXEC_FOUND ? "making a clone takes too long" : "the clone does not start");
}

static void exec_job_words(void *arg, const char *text)
{
	struct exec_job *job = arg;

	job->words = NULL;
	exec_job_clone_failed(job, text ? text : job->failure);
}

/* "operation 57 of the plan" helps nobody: the plan is asked what it was, while the launcher hears LAUNCH_PENDING. */
static void exec_job_find_words(struct exec_job *job, const struct report *report)
{
	worker_reason(report, job->failure, sizeof(job->failure));
	if (report->op >= 0 && !report->text[0])
		job->words = words_fetch(job->daemon, job->id, job->standby ? job->standby->plan : PLAN_TEMPLATE,
		                         report->op, report->err, exec_job_words, job);
	if (!job->words) {
		exec_job_clone_failed(job, job->failure);
		return;
	}
	standby_free(job->standby);
	job->standby = NULL;
	ev_timer_again(job->daemon->loop, &job->timer);
}

/* ---- STANDING ---------------------------------------------------------------------------------------------------- */

static int send_application(struct exec_job *job, struct err *err)
{
	const struct go_launch launch = {
	        .request = &job->request,
	        .traits = &job->client->caller.traits,
	        .handover = &job->handover,
	        .prewarm = &job->prewarm,
	        .ignored_env = (const char *const *)job->daemon->config.ignore_env,
	        .launcher = job->client->peer.pid,
	        .generation = ++job->daemon->generation,
	};
	int r = go_application(job->standby, job->entry, &launch, err);

	job->go_ns = daemon_now_ns();
	return r;
}

/* The application has to have its terminal, and to be where its caller is, before it runs. */
static bool supervisor_first(const struct exec_job *job)
{
	return job->request.head.flags & LAUNCH_TTY || job->cgroups.n;
}

void exec_job_stand(struct exec_job *job, struct standby *standby)
{
	struct err err;
	int r;

	exec_job_move(job, EXEC_STANDING);
	standby_take(standby, job);
	job->standby = standby;
	r = go_supervisor(standby, job->entry, &job->request, job->claim_fd, &job->cgroups, &err);
	if (!r && !supervisor_first(job)) /* else behind REPORT_SUP_READY */
		r = send_application(job, &err);
	if (r) {
		exec_job_cold(job, err.msg);
		return;
	}
	ev_timer_again(job->daemon->loop, &job->timer);
}

/* What was made for this launch stands. */
void exec_job_parked(struct exec_job *job)
{
	exec_job_stand(job, job->standby);
}

/* Somebody else has what the clone would take: no fault of the snapshot's, which serves the next launch again. */
static void exec_job_cannot_take(struct exec_job *job, const struct report *report)
{
	const Warm__Rpc__Summary *summary = job->entry ? job->entry->record->summary : NULL;
	uint64_t bit = (uint64_t)report->value;
	char reason[ERR_MSG_MAX];

	if (!summary || bit >= summary->n_held)
		worker_reason(report, reason, sizeof(reason));
	else if (summary->held[bit]->kind == HELD_SOCKET)
		snprintf(reason, sizeof(reason), "bind %s: %s", summary->held[bit]->words, strerror(report->err));
	else if (summary->held[bit]->kind == HELD_REMOTE)
		snprintf(reason, sizeof(reason), "connect to %s: %s", summary->held[bit]->words, strerror(report->err));
	else if (report->err == EAGAIN || report->err == EACCES)
		snprintf(reason, sizeof(reason), "%.180s is locked by another process", summary->held[bit]->words);
	else
		snprintf(reason, sizeof(reason), "lock %.160s: %s", summary->held[bit]->words, strerror(report->err));
	if (job->entry)
		pool_refill_soon(job->entry);
	if (summary && report->err == EADDRINUSE)
		snprintf(reason + strlen(reason), sizeof(reason) - strlen(reason),
		         " (end who has it, hand the socket over as LISTEN_FDS, or launch with --net private)");
	exec_job_cold(job, reason);
}

/* Nor is this: the next launch may bring something else. */
static void exec_job_cannot_set(struct exec_job *job, const char *what, int err)
{
	char reason[ERR_MSG_MAX];

	snprintf(reason, sizeof(reason), "%s of this launch: %s", what, strerror(err));
	if (job->entry)
		pool_refill_soon(job->entry);
	exec_job_cold(job, reason);
}

void exec_job_report(struct exec_job *job, const struct report *report, bool supervisor)
{
	struct err err;

	if (supervisor && report->kind == REPORT_SUP_READY) {
		if (supervisor_first(job) && send_application(job, &err))
			exec_job_cold(job, err.msg);
	} else if (supervisor && report->kind == REPORT_FAILED && report->err == EPIPE && job->go_ns) {
		return; /* it closes its socket once it has what it needs */
	} else if (!supervisor && report->kind == REPORT_RUNNING) {
		exec_job_running(job);
	} else if (!supervisor && report->kind == REPORT_HELD) {
		exec_job_cannot_take(job, report);
	} else if (report->kind == REPORT_BROUGHT) {
		exec_job_cannot_set(job, supervisor ? "the control group" : launch_words(report->value), report->err);
	} else if (!supervisor && report->kind == REPORT_TOKEN_GONE) {
		exec_job_cold(job, "the launcher did not wait");
	} else {
		exec_job_find_words(job, report);
	}
}

/* ---- ASKED ------------------------------------------------------------------------------------------------------- */

/* Whether this launch can have anything to do with snapshots. */
static bool eligible(const struct exec_job *job, const struct caller *caller, char *reason, size_t size)
{
	const struct machine *machine = &job->daemon->machine;
	const struct request *request = &job->request;
	const char *apart = caller_stands_apart(caller, machine);

	if (!machine->hot)
		snprintf(reason, size, "%s", machine->cold_reason);
	else if (!job->client->itself)
		snprintf(reason, size,
		         "the caller has the rights of several users or groups, or others than it had when it "
		         "called");
	else if (apart)
		snprintf(reason, size, "%s", apart);
	else if (request->head.flags & LAUNCH_COLD)
		snprintf(reason, size, "--cold");
	else if (config_never_warm(&job->daemon->config, request->cmd))
		snprintf(reason, size, "%s is on the never-warm list", request->cmd);
	else if (request->argv[0][0] == '-')
		snprintf(reason, size, "a login shell");
	else if (caller->mnt_ns != machine->mnt_ns || caller->msg.root_dev != machine->root_dev ||
	         caller->msg.root_ino != machine->root_ino)
		snprintf(reason, size, "the caller has another mount namespace or root directory than warmd");
	else
		return true;
	return false;
}

/* Its first open(2) will be seen; or it will never be, and there will be no snapshot. */
static void exec_job_recorded(void *arg)
{
	struct exec_job *job = arg;

	job->recording = NULL;
	exec_job_cold(job, job->failure);
}

/* Something else than the hook may say when it is ready. */
static bool has_own_ready(const struct request *request)
{
	return request->ready[0] || request->head.flags & (LAUNCH_NOTIFY | LAUNCH_OFFER);
}

/* Starts cold, and if it may become a snapshot, that is remembered. */
static void exec_job_miss(struct exec_job *job, const struct caller *caller, const char *reason)
{
	struct first_run *run;
	struct err err;

	if (privileged_file(caller->msg.cmd, &err) ||
	    first_run_register(job->client, &job->request, &caller->msg, &run, &err)) {
		exec_job_cold(job, err.msg);
		return;
	}
	if (job->prewarm.interp && !prewarm_has_own(job->daemon, &job->prewarm) &&
	    prewarm_offer(job->daemon, &job->prewarm, job->env, sizeof(job->env)) &&
	    !first_run_prewarms(run, &job->prewarm))
		job->env[0] = '\0';
	if (has_own_ready(&job->request))
		prewarm_accompany(job->daemon, caller, &job->request, job->env, sizeof(job->env));
	if (!run->recording) {
		exec_job_cold(job, reason);
		return;
	}
	exec_job_move(job, EXEC_MISSED);
	snprintf(job->failure, sizeof(job->failure), "%s", reason);
	job->recording = run->recording;
	ev_timer_again(job->daemon->loop, &job->timer);
	recording_wait(job->recording, exec_job_recorded, job); /* the job may be gone on return */
}

/* From now on it hears that it is to wait, until something else is said. */
static void exec_job_pend(struct exec_job *job)
{
	answer(job, LAUNCH_PENDING, "");
	ev_timer_again(job->daemon->loop, &job->timer);
}

static void exec_job_found(struct exec_job *job)
{
	struct entry *entry = job->entry;
	struct standby *standby = NULL;
	struct err err;

	job->found_ns = daemon_now_ns();
	snprintf(job->id, sizeof(job->id), "%s", entry->id);
	if (entry->skip_next) {
		entry->skip_next = false;
		exec_job_cold(job, entry->reason);
		return;
	}
	if (handover_find(entry, &job->request, job->client->peer.pid, &job->handover, &err) ||
	    go_check(entry, &job->request, &job->handover, &err) ||
	    claim_take(job->daemon, entry->record, &job->claim_fd, &err) ||
	    cgroups_find(&job->daemon->machine, &job->client->caller, &job->cgroups, &err)) {
		exec_job_cold(job, err.msg);
		return;
	}
	exec_job_move(job, EXEC_FOUND);
	pool_asked(entry);
	job->tier = pool_template_is_ready(entry) ? TIER_TEMPLATE : TIER_COLD_RESTORE;
	if (!entry_on_terminal(entry) && !exec_jobs_waiting(entry) && learning_wants(entry)) {
		exec_job_pend(job);
		if (exec_job_teach(job))
			return;
	}
	if (!entry_on_terminal(entry) && !exec_jobs_waiting(entry))
		standby = pool_get(entry, &job->tier);
	if (standby) {
		exec_job_stand(job, standby);
		return;
	}
	exec_job_pend(job);
	exec_queue_join(&entry->pool.waiting, job);
	exec_jobs_serve(entry); /* the job may be gone on return */
}

/* Behind the program's own; where both are too long, that one is cut. why: words of ours, far shorter than size. */
static void add_reason(char *reason, size_t size, const char *why)
{
	static const char between[] = "; nothing is pre-warmed: ";
	const size_t room = size - sizeof(between) - strlen(why);
	size_t len = strlen(reason);

	if (len > room)
		len = room;
	snprintf(reason + len, size - len, "%s%s", between, why);
}

/* The program's own snapshot, else its interpreter's: warmd/prewarm.h. */
static struct entry *exec_job_find(struct exec_job *job, const struct caller *caller, char *reason, size_t size)
{
	struct entry *entry = entry_find(job->daemon, &caller->msg, reason, size);

	/* A copy of an interpreter has no NOTIFY_SOCKET of ours. */
	if (entry || has_own_ready(&job->request))
		return entry;
	prewarm_look(job->daemon, caller, &job->request, &job->prewarm);
	if (job->prewarm.why)
		add_reason(reason, size, job->prewarm.why);
	if (!job->prewarm.interp || prewarm_has_own(job->daemon, &job->prewarm))
		return NULL;
	return entry_find(job->daemon, &job->prewarm.conditions, reason, size);
}

void exec_job_run(struct exec_job *job)
{
	struct caller *caller = &job->client->caller;
	char reason[ERR_MSG_MAX];
	int r;

	client_look(job->client);
	r = job->client->looked;
	if (!r)
		r = caller_ask(caller, &job->request);
	if (r) {
		snprintf(reason, sizeof(reason), "cannot see who is calling: %s", strerror(-r));
		exec_job_cold(job, reason);
	} else if (!eligible(job, caller, reason, sizeof(reason))) {
		exec_job_cold(job, reason);
	} else {
		job->entry = exec_job_find(job, caller, reason, sizeof(reason));
		if (job->entry)
			exec_job_found(job);
		else
			exec_job_miss(job, caller, reason);
	}
}

void exec_job_start(struct client *client, const void *msg, size_t len, const int *fds, size_t n_fds)
{
	struct exec_job *job = calloc(1, sizeof(*job));
	struct err err;
	int r;

	if (!job) {
		fd_close_all(fds, n_fds);
		client_free(client);
		return;
	}
	job->daemon = client->daemon;
	job->client = client;
	job->tier = TIER_COLD_START;
	job->claim_fd = -1;
	client->exec_job = job;
	LIST_INSERT_HEAD(&job->daemon->exec_jobs, job, link);
	ev_timer_init(&job->timer, exec_job_tick, 0, LAUNCH_KEEPALIVE_MS / 1000.0);
	job->timer.data = job;
	r = request_parse(&job->request, msg, len, fds, n_fds, &err);
	if (job->request.head.flags & LAUNCH_EXPLAIN)
		job->taken_ns = daemon_now_ns();
	if (r == -ECANCELED)
		client_free(client); /* and the job with it */
	else if (r)
		exec_job_cold(job, err.msg);
	else if (client->seen && !admission_crowded(job->daemon))
		exec_job_run(job);
	else {
		exec_job_pend(job);
		admission_wait(job);
	}
}

void exec_job_client_gone(struct exec_job *job)
{
	job->client->exec_job = NULL;
	exec_job_free(job);
}
