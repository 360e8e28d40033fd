/* SPDX-License-Identifier: MIT */
/*
 * One snapshot as warmd knows it: what it needs to be launched, its files, its pool. The catalog's row is its shadow.
 *
 *     (snap_job) ──► TRIAL ──► PUBLISHED ──► entry_retire(): a file changed, too old, removed
 *                      │           │
 *                      └───────────┴──► QUARANTINED: it failed; kept for the reason
 *
 * Invariant: files != NULL and a pool only in TRIAL (pool) and PUBLISHED (both).
 */
#ifndef WARM_WARMD_ENTRY_H
#define WARM_WARMD_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include "base/err.h"
#include "base/id.h"
#include "proto/rpc.pb-c.h"
#include "warmd/learning.h"
#include "warmd/pool.h"

struct daemon;
struct snap_job;
struct watch_set;

enum entry_state { ENTRY_TRIAL, ENTRY_PUBLISHED, ENTRY_QUARANTINED };

struct entry {
	LIST_ENTRY(entry) link;
	struct daemon *daemon;
	char id[ID_LEN + 1];
	enum entry_state state;
	Warm__Rpc__Record *record;
	struct watch_set *files;
	struct entry_pool pool;
	struct learning learning;
	struct snap_job *trial;
	uint64_t stored_bytes;
	uint64_t last_used, hits, new_hits; /* new_hits: not yet in the catalog */
	unsigned failures;                  /* clones that failed on their way up, since one did not */
	bool skip_next;                     /* ... and the next launch is cold */
	char reason[ERR_MSG_MAX];
};

/* Takes the record. NULL: out of memory. */
struct entry *entry_new(struct daemon *daemon, Warm__Rpc__Record *record);
void entry_free(struct entry *entry);

/* Publishes what has stood its trial: watches, row. A file that changed meanwhile, or no room for a row, is an error.
 */
int entry_publish(struct entry *entry, struct err *err);

/* Fails, by name, where a file that it came from has changed; for one that is not published. */
int entry_check_files(const struct entry *entry, struct err *err);

/* What serves the same launches makes room for this one. */
void entry_supersede(struct entry *entry);

/* It failed: kept, with the reason, and not launched again. */
void entry_quarantine(struct entry *entry, const char *reason);

/* A clone failed on its way up. */
void entry_failed(struct entry *entry, const char *reason);

/* It is not served any more: image and row go; the reason is what the next `--explain` says. */
void entry_retire(struct entry *entry, const char *reason);

/* At start: everything that the catalog lists and that can be served here. */
void entry_load_all(struct daemon *daemon);

/*
 * The snapshot that serves a launch under these conditions, its files checked; or NULL and the reason.
 * now: of the caller, without files.
 */
struct entry *entry_find(struct daemon *daemon, const Warm__Rpc__Conditions *now, char *reason, size_t size);

/* Whether its files are looked at in the background, too: for ten minutes behind a launch. Of another one a launch
 * looks at all of them. */
bool entry_is_swept(const struct entry *entry);

/* What the image of a snapshot says of it. */
int entry_read_record(struct daemon *daemon, const char *id, Warm__Rpc__Record **ret, struct err *err);

/* Whether a launch under b is served by a snapshot made under a, but for files. */
bool conditions_same(struct daemon *daemon, const Warm__Rpc__Conditions *a, const Warm__Rpc__Conditions *b);

/* The snapshot for these conditions, in any state. */
struct entry *entry_find_same(struct daemon *daemon, const Warm__Rpc__Conditions *conditions);

/* One of its 0 1 2 is a terminal: each launch needs a standby of its own. */
bool entry_on_terminal(const struct entry *entry);

/* Notes a launch; its row is written later. */
void entry_used(struct entry *entry);
void entry_write_uses(struct daemon *daemon);

#endif
