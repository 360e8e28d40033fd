/* SPDX-License-Identifier: MIT */
/*
 * Whether a snapshot serves a launch: what must be equal, and the words for what was not. Pure functions.
 * Files are not looked at here (policy/file.h): it takes I/O to know what they are now.
 */
#ifndef WARM_POLICY_KEY_H
#define WARM_POLICY_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include "proto/rpc.pb-c.h"

struct stat;

enum stdio_kind {
	STDIO_CLOSED = 0,
	STDIO_NULL = 1, /* /dev/null */
	STDIO_FILE = 2,
	STDIO_PIPE = 3,
	STDIO_SOCKET = 4,
	STDIO_TTY = 5,
	STDIO_OTHER = 6,
};

/* st: as fstat(2) gave it, or NULL where the descriptor is closed. */
enum stdio_kind key_stdio_kind(const struct stat *st);
const char *key_stdio_name(enum stdio_kind kind);

/* Environment variables that are never looked at unless configured otherwise; NULL at the end. */
extern const char *const key_ignored_env[];

/* name: NAME, or NAME=VALUE. pattern: NAME or PREFIX*. (A pattern of Conditions.env_from_launch may have a `!` in
 * front, which is no part of it.) */
bool key_env_matches(const char *name, size_t len, const char *pattern);

/* Whether a variable (NAME=VALUE) must be the same in a launch of `snap`. ignored_env: as in key_compare(). */
bool key_env_counts(const Warm__Rpc__Conditions *snap, const ProtobufCBinaryData *entry,
                    const char *const *ignored_env);

/* Variables that are never looked at and that a launch with the environment now[] has otherwise than `snap`:
 * NAME=VALUE, or NAME where they are gone. Points into both; room for n_now + snap->n_env. Returns how many. */
size_t key_ignored_changes(const Warm__Rpc__Conditions *snap, const ProtobufCBinaryData *now, size_t n_now,
                           const char *const *ignored_env, ProtobufCBinaryData *ret);

/*
 * 0: the snapshot made under `snap` serves a launch under `now`. Otherwise *reason names the first thing that differs,
 * and the result is the larger the further the comparison came: of several snapshots that do not serve, the one with
 * the largest result has the reason worth telling. What the application declared to be the launch's is taken from
 * `snap`. ignored_env: as key_ignored_env (NULL: that).
 */
int key_compare(const Warm__Rpc__Conditions *snap, const Warm__Rpc__Conditions *now, const char *const *ignored_env,
                char *reason, size_t reason_size);

/* Variants of each other: snapshots of one program by one user under different conditions. Two scripts of an
 * interpreter are two programs. */
#define KEY_VARIANTS_MAX 8
bool key_is_variant(const Warm__Rpc__Conditions *a, const Warm__Rpc__Conditions *b);

/* One command and user, and not two programs of an interpreter that is known (two archives of a pre-warmed one): what
 * differs is worth telling. */
bool key_is_comparable(const Warm__Rpc__Conditions *a, const Warm__Rpc__Conditions *b);

/* "no snapshot of NAME yet": of the interpreter's program, where that is known, else of the command. */
void key_none_yet(const Warm__Rpc__Conditions *now, char *reason, size_t reason_size);

#endif
