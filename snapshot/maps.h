/* SPDX-License-Identifier: MIT */
/* The lines of /proc/PID/maps, read where they are: a process may have thousands. */
#ifndef WARM_SNAPSHOT_MAPS_H
#define WARM_SNAPSHOT_MAPS_H

#include <stdint.h>

struct map { /* one line */
	uint64_t start, end, offset;
	char perms[8];
	const char *name; /* ends at the end of the line */
};

/* Reads the line at `at`. Returns the next one, or NULL behind the last. */
const char *next_map(const char *at, struct map *m);

#define EACH_MAP(maps, m) for (const char *at_ = next_map((maps), &(m)); at_; at_ = next_map(at_, &(m)))

#endif
