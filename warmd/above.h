/* SPDX-License-Identifier: MIT */
/*
 * What a path leads through: the directories above it, symbolic links among them as themselves and as what they point
 * to. When one of these is renamed or replaced, the file at the path is another one and its inode hears of nothing.
 */
#ifndef WARM_WARMD_ABOVE_H
#define WARM_WARMD_ABOVE_H

#include <stddef.h>

struct above {
	char **path; /* sorted, each once; absolute, "/" left out */
	size_t n;
};

/* Adds what is above an absolute path. 0 or -ENOMEM. */
int above_add(struct above *above, const char *path);
void above_fini(struct above *above);

#endif
