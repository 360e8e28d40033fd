/* SPDX-License-Identifier: MIT */
#include "warmd/stats.h"

#include "proto/rpc.pb-c.h"
#include "warmd/client.h"
#include "warmd/daemon.h"
#include "warmd/entry.h"
#include "warmd/pool.h"
#include "warmd/loader.h"

#include <stdio.h>
#include <string.h>

void stats_launch(struct stats *stats, enum launch_tier tier, uint64_t us)
{
	stats->launches[tier]++;
	histogram_add(&stats->us[tier], us);
}

/* "argument 2 is \"b\", was \"a\"" and its sisters are one kind: cut where the particular begins. */
static void reason_kind(const char *reason, char kind[STATS_REASON_LEN])
{
	size_t len = strcspn(reason, ":\"/0123456789");

	while (len && reason[len - 1] == ' ')
		len--;
	if (!len)
		len = strlen(reason);
	snprintf(kind, STATS_REASON_LEN, "%.*s", (int)(len < 200 ? len : 200), reason);
}

void stats_fallback(struct stats *stats, const char *reason)
{
	char kind[STATS_REASON_LEN];
	unsigned i;

	reason_kind(reason, kind);
	for (i = 0; i < stats->n_reasons; i++) {
		if (!strcmp(stats->reason[i].text, kind))
			break;
	}
	if (i == STATS_REASONS_MAX) {
		i--;
	} else if (i == stats->n_reasons) {
		stats->n_reasons++;
		snprintf(stats->reason[i].text, STATS_REASON_LEN, "%s", i == STATS_REASONS_MAX - 1 ? "other" : kind);
	}
	stats->reason[i].count++;
}

static void tier_fill(const struct stats *stats, enum launch_tier tier, Warm__Rpc__Figures__Tier *msg)
{
	warm__rpc__figures__tier__init(msg);
	msg->launches = stats->launches[tier];
	msg->p50_us = histogram_quantile(&stats->us[tier], 50);
	msg->p90_us = histogram_quantile(&stats->us[tier], 90);
	msg->p99_us = histogram_quantile(&stats->us[tier], 99);
}

void stats_send(struct daemon *daemon, struct client *client)
{
	Warm__Rpc__Reply reply = WARM__RPC__REPLY__INIT;
	Warm__Rpc__Figures figures = WARM__RPC__FIGURES__INIT;
	Warm__Rpc__Figures__Tier tier[STATS_TIERS];
	Warm__Rpc__Figures__Fallback fallback[STATS_REASONS_MAX], *list[STATS_REASONS_MAX];
	struct stats *stats = &daemon->stats;
	struct entry *entry;

	for (int i = 0; i < STATS_TIERS; i++)
		tier_fill(stats, (enum launch_tier)i, &tier[i]);
	figures.hot = &tier[TIER_HOT];
	figures.template_ = &tier[TIER_TEMPLATE];
	figures.cold_restore = &tier[TIER_COLD_RESTORE];
	figures.cold_start = &tier[TIER_COLD_START];

	for (unsigned i = 0; i < stats->n_reasons; i++) {
		warm__rpc__figures__fallback__init(&fallback[i]);
		fallback[i].reason = stats->reason[i].text;
		fallback[i].count = stats->reason[i].count;
		list[i] = &fallback[i];
	}
	figures.fallback = list;
	figures.n_fallback = stats->n_reasons;

	LIST_FOREACH(entry, &daemon->entries, link)
	{
		struct pool_figures pool = pool_figures(entry);

		figures.snapshots += entry->state == ENTRY_PUBLISHED;
		figures.templates += pool.templates;
		figures.standbys += pool.standbys;
		figures.template_bytes += pool.template_bytes;
		figures.standby_bytes += pool.standby_bytes;
	}
	figures.loaders = loaders_parked(daemon->loaders);
	reply.figures = &figures;
	client_reply_last(client, &reply);
}
