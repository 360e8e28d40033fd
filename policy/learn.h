/* SPDX-License-Identifier: MIT */
/* When an image is stored anew, with what launches ask for in front. */
#ifndef WARM_POLICY_LEARN_H
#define WARM_POLICY_LEARN_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/first.h"

/* Programs with several threads touch other pages each time: so many launches are learnt from, then no more. */
#define LEARN_LAUNCHES 4u

/* Whether to listen to another launch. */
static inline bool learn_more(unsigned launches)
{
	return launches < LEARN_LAUNCHES;
}

/* Whether a launch is made from disk only to be learnt from: the first one, of an image that is worth it. */
static inline bool learn_first(unsigned launches, uint64_t pages)
{
	return launches == 0 && pages > SMALL_IMAGE_PAGES;
}

/* Whether it is worth writing the image again for these pages, of which it has so many in front already. */
static inline bool learn_is_worth(uint64_t asked_pages, uint64_t first_pages)
{
	return asked_pages > 0 && asked_pages >= first_pages / 64;
}

#endif
