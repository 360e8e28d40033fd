/* SPDX-License-Identifier: MIT */
/*
 * Which areas of an image may begin without their pages, and get them from the pager when they are touched: private
 * anonymous memory. Files' private pages cannot wait (userfaultfd registers no mapping of a file), nor what is locked,
 * what grows downwards, and what is shared. cache/worker/ stores the pages of all others among the first
 * (cache/pack.h), restore/ places them before the program runs.
 */
#ifndef WARM_PROTO_FIRST_H
#define WARM_PROTO_FIRST_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "proto/image.pb-c.h"

/* Pages of an image that is small (8 MiB): each standby reads all of them, and nothing has to be learnt. */
#define SMALL_IMAGE_PAGES 2048u

static inline bool area_can_wait(const Warm__Image__Vma *vma)
{
	static const char *const never[] = {"gd", "lo"}; /* as in smaps' VmFlags */

	if (vma->kind != WARM__IMAGE__VMA_KIND__ANON || vma->shared)
		return false;
	for (size_t i = 0; i < vma->n_flag; i++)
		for (size_t j = 0; j < sizeof(never) / sizeof(never[0]); j++)
			if (strcmp(vma->flag[i], never[j]) == 0)
				return false;
	return true;
}

#endif
