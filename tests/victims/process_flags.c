/* SPDX-License-Identifier: MIT */
/* What prctl and personality set for a process: personality, dumpable, subreaper, death signal, THP, timer slack, tsc.
 */
#include <sys/personality.h>
#include <sys/prctl.h>

#include "victim.h"

struct flags {
	int personality, dumpable, subreaper, death, thp, slack, keepcaps, tsc;
};

static void ask(struct flags *f)
{
	memset(f, 0, sizeof *f);
	f->personality = personality(0xffffffff);
	f->dumpable = prctl(PR_GET_DUMPABLE);
	prctl(PR_GET_CHILD_SUBREAPER, &f->subreaper);
	prctl(PR_GET_PDEATHSIG, &f->death);
	f->thp = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);
	f->slack = prctl(PR_GET_TIMERSLACK);
	f->keepcaps = prctl(PR_GET_KEEPCAPS);
	prctl(PR_GET_TSC, &f->tsc);
}

int main(void)
{
	struct flags before, after;

	CHECK(personality(ADDR_NO_RANDOMIZE | SHORT_INODE) >= 0);
	CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	CHECK_EQ(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
	CHECK_EQ(prctl(PR_SET_TIMERSLACK, 77777), 0);
	ask(&before);
	hook();
	ask(&after);
	CHECK_EQ(after.personality, before.personality);
	CHECK_EQ(after.dumpable, before.dumpable);
	CHECK_EQ(after.subreaper, before.subreaper);
	CHECK_EQ(after.death, before.death);
	CHECK_EQ(after.thp, before.thp);
	CHECK_EQ(after.slack, before.slack);
	CHECK_EQ(after.keepcaps, before.keepcaps);
	CHECK_EQ(after.tsc, before.tsc);
	return pass();
}
