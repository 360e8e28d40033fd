/* SPDX-License-Identifier: MIT */
/*
 * Ownership at birth: CLEAN(kind) in front of a local variable releases it on every way out of its scope;
 * take_fd() and take_ptr() hand it on. Destructors accept -1 and NULL.
 */
#ifndef WARM_BASE_CLEAN_H
#define WARM_BASE_CLEAN_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEAN(kind) __attribute__((cleanup(clean_##kind)))

static inline void clean_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void clean_free(void *ptr)
{
	free(*(void **)ptr);
}

static inline void clean_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void clean_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define take_ptr(ptr)                                                                                                  \
	({                                                                                                             \
		__auto_type take_place = &(ptr);                                                                       \
		__auto_type take_value = *take_place;                                                                  \
		*take_place = NULL;                                                                                    \
		take_value;                                                                                            \
	})

#endif
