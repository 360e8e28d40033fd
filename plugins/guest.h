/* SPDX-License-Identifier: MIT */
/*
 * One plugin that was loaded: the process that runs its code, the socket to it, and how much time it has left. Every
 * way in which it can fail (crash, silence, nonsense) becomes an error with its name. Private to plugins/.
 */
#ifndef WARM_PLUGINS_GUEST_H
#define WARM_PLUGINS_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct guest;
struct plugin_plan;
struct warm_object;

int guest_start(struct guest **ret, int dir_fd, const char *name, struct err *err);
void guest_free(struct guest *guest); /* kills and reaps it */

const char *guest_name(const struct guest *guest);
const char *guest_words(const struct guest *guest); /* what it is good for */
uint32_t guest_version(const struct guest *guest);

/* Its patterns: NULL behind the last. */
const char *guest_first_path(const struct guest *guest);
const char *guest_first_place(const struct guest *guest);
const char *guest_next(const struct guest *guest, const char *pattern);

/* WARM_LEAVE, WARM_TAKE with what it saved (malloc'ed), or a negative errno: it refused, or failed. */
int guest_offer(struct guest *guest, const struct warm_object *object, bool frozen, uint8_t **ret_bytes,
                size_t *ret_len, struct err *err);

/* *ret_bytes: struct told, one after the other; malloc'ed. Nothing is asked of one that has nothing to do with the
 * process. */
int guest_stopped(struct guest *guest, uint8_t **ret_bytes, size_t *ret_len, struct err *err);

/* Nothing is said to one that has taken nothing. */
int guest_resumed(struct guest *guest, bool captured, struct err *err);

int guest_plan(struct guest *guest, uint32_t version, const struct warm_object *object, const uint8_t *bytes,
               size_t len, uint64_t base, struct plugin_plan *ret, struct err *err);

#endif
