/* SPDX-License-Identifier: MIT */
/* The random generators inside node, in a copy: OpenSSL's, and V8's behind Math.random(). */
#ifndef WARM_SDK_NODE_RANDOM_H
#define WARM_SDK_NODE_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

/* Remembers the JavaScript world (isolate) of this thread: random_reseed() reaches it too. Returns what
 * random_forget_world() takes, NULL where memory is out. */
struct world *random_add_world(void);
void random_forget_world(struct world *world);

/* Whether random_reseed() reaches Math.random(): this build of node has the functions for it. */
bool random_reaches_v8(void);

/* A word that is 1, and 0 in a copy, for ever: nobody has to be told. NULL where memory is out. */
uint32_t *random_watch(void);

/* Counts the copies' random_reseed(): JavaScript of any thread reads it without a call. */
extern uint32_t random_copies;

/* In the main thread, inside a call from JavaScript: gives the generators new seeds from the kernel. What they are in
 * other threads happens before those run JavaScript again. Returns 0 or -errno: no random bytes, no copy. */
int random_reseed(void);

#endif
