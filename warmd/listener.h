/* SPDX-License-Identifier: MIT */
/*
 * The socket that warmd listens on. A stale one is replaced; one that another warmd serves is an error.
 */
#ifndef WARM_WARMD_LISTENER_H
#define WARM_WARMD_LISTENER_H

#include <stdbool.h>

struct daemon;
struct err;
struct listener;

/* open_to_all: mode 0666 (the system's daemon), else 0600. */
int listener_new(struct daemon *daemon, const char *path, bool open_to_all, struct listener **ret, struct err *err);
void listener_free(struct listener *listener); /* also removes the socket */

#endif
