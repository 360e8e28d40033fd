/* SPDX-License-Identifier: MIT */
/* What verbs.c and verb_job.c share. */
#ifndef WARM_WARMD_VERBS_INTERNAL_H
#define WARM_WARMD_VERBS_INTERNAL_H

#include <stdarg.h>
#include <stddef.h>

struct catalog_row;
struct client;
struct daemon;
struct entry;
struct err;

/* The snapshot that the client means, if it may see it. 0 or -errno with the words. */
int verb_find(struct client *client, const char *key, struct catalog_row *row, struct err *err);
struct entry *verb_entry(struct daemon *daemon, const char *id);

int verb_lines(struct client *client, char **line, size_t n);
void verb_line(struct client *client, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void verb_end(struct client *client);

#endif
