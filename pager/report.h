/* SPDX-License-Identifier: MIT */
/* What the pager says to warmd (struct report, proto/launch.h); without a socket, on standard error. Never waits. */
#ifndef WARM_PAGER_REPORT_H
#define WARM_PAGER_REPORT_H

/* kind: enum report_kind. label: the clone's, or "". */
void report(int report_fd, unsigned kind, int code, const char *label, const char *text);

#endif
