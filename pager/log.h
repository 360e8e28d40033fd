/* SPDX-License-Identifier: MIT */
/*
 * What a clone has asked for, told to who wants to know (PAGER_RECORD, proto/pager.h): from these lists images are
 * stored anew, with the pages of a launch in front. A list that is cut short, or lost, makes later launches slower,
 * nothing else.
 */
#ifndef WARM_PAGER_LOG_H
#define WARM_PAGER_LOG_H

#include <stdbool.h>
#include <stdint.h>

struct log {
	int fd; /* -1: nothing is told, or no more */
	uint64_t until_ns;
	uint32_t left;
};

void log_init(struct log *log, int fd); /* fd is the log's, or -1 */
void log_fini(struct log *log);

/* True: this page is told, and only what is asked for is to be served. */
bool log_page(struct log *log, uint64_t addr);

#endif
