/* SPDX-License-Identifier: MIT */
/* Everything that makes up a process's rights, as one comparable text. */
#ifndef WARM_VICTIM_CREDS_H
#define WARM_VICTIM_CREDS_H

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>

#include "victim.h"

struct rights {
	char text[4096];
};

static inline void rights_of_self(struct rights *rights)
{
	static const char *const line[] = {"Uid:",    "Gid:",    "Groups:", "NoNewPrivs:", "Seccomp:", "CapInh:",
	                                   "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:",     "Umask:"};
	static char status[8192];
	size_t used = 0;

	slurp("/proc/self/status", status, sizeof status);
	for (unsigned i = 0; i < sizeof line / sizeof line[0]; i++) {
		char *at = strstr(status, line[i]);

		if (at)
			used += (size_t)snprintf(rights->text + used, sizeof rights->text - used, "%.*s; ",
			                         (int)strcspn(at, "\n"), at);
	}
	snprintf(rights->text + used, sizeof rights->text - used, "securebits %d keepcaps %d dumpable %d",
	         prctl(PR_GET_SECUREBITS), prctl(PR_GET_KEEPCAPS), prctl(PR_GET_DUMPABLE));
}

#endif
