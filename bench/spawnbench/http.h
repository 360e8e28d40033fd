/* SPDX-License-Identifier: MIT */
/* One request to an HTTP server on this machine, on a connection of its own. */
#ifndef BENCH_SPAWNBENCH_HTTP_H
#define BENCH_SPAWNBENCH_HTTP_H

#include <stddef.h>
#include <stdint.h>

/* The whole answer, head and all, in buf; returns its length or -errno: -EPROTO if it is not "200". */
ptrdiff_t http_get(uint16_t port, const char *path, char *buf, size_t size);

#endif
