/* SPDX-License-Identifier: MIT */
/*
 * The NOTIFY_SOCKETs (sd_notify(3)) of first runs: sockets in a directory beside warmd's own. warmd makes them, because
 * their copies need the same path, and hands them to `warm exec`, which listens to them.
 */
#ifndef WARM_WARMD_NOTIFY_H
#define WARM_WARMD_NOTIFY_H

struct daemon;
struct err;

/* Where they will be; what nobody listens to any more, of an earlier daemon, goes. Never fails: without a directory
 * there are none, and notify_new() says so. socket: warmd's, an absolute path. */
void notify_open(struct daemon *daemon, const char *socket);

/* A datagram socket that everybody may write to, which tells who sent what. *ret_path is to be freed. 0 or -errno. */
int notify_new(struct daemon *daemon, int *ret_sock, char **ret_path, struct err *err);

/* Its name goes; frees path (may be NULL). */
void notify_remove(char *path);

#endif
