/* SPDX-License-Identifier: MIT */
#include "pager/report.h"

#include <stdio.h>

#include "base/fd.h"
#include "proto/launch.h"

void report(int report_fd, unsigned kind, int code, const char *label, const char *text)
{
	struct report msg = {.magic = REPORT_MAGIC, .kind = kind, .op = -1, .err = code};

	snprintf(msg.text, sizeof(msg.text), "%s%s%s", label, label[0] ? ": " : "", text);
	if (report_fd >= 0)
		fd_send(report_fd, &msg, sizeof(msg), NULL, 0); /* not read: then nobody wants to know */
	else if (msg.text[0])
		fprintf(stderr, "warm-pager: %s\n", msg.text);
}
