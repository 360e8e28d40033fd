/* SPDX-License-Identifier: MIT */
/* pager_case CASE [TIMES]: a real warm-pager serves real clones (stage.h). --list: the cases' names; --cost: cost.c. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"

static const struct {
	const char *name;
	int (*run)(void);
} cases[] = {
        {"sequential", case_sequential},
        {"random", case_random},
        {"writes", case_writes},
        {"changes", case_changes},
        {"changes_and_forks", case_changes_and_forks},
        {"by_hand", case_by_hand},
        {"placed", case_placed},
        {"recorded", case_recorded},
        {"recorded_for_a_while", case_recorded_for_a_while},
        {"small_cache", case_small_cache},
        {"threads", case_threads},
        {"calls", case_calls},
        {"forks", case_forks},
        {"nested_forks", case_nested_forks},
        {"executing_children", case_executing_children},
        {"forks_and_faults", case_forks_and_faults},
        {"forks_and_unmaps", case_forks_and_unmaps},
        {"executed", case_executed},
        {"damaged", case_damaged},
        {"unreadable", case_unreadable},
        {"not_understood", case_not_understood},
        {"too_many", case_too_many},
        {"queue", case_queue},
        {"killed", case_killed},
        {"killed_unread", case_killed_unread},
        {"guardian_killed", case_guardian_killed},
        {"stopped", case_stopped},
        {"confined", case_confined},
        {"nothing_kept", case_nothing_kept},
};

static int run(int (*one)(void), long times)
{
	int r = 0;

	while (r == 0 && times-- > 0)
		r = one();
	return r;
}

int main(int argc, char **argv)
{
	bool list = argc == 2 && strcmp(argv[1], "--list") == 0;

	signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && strcmp(argv[1], "--cost") == 0)
		return pager_cost();
	for (size_t i = 0; argc >= 2 && i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (list)
			puts(cases[i].name);
		else if (strcmp(argv[1], cases[i].name) == 0)
			return run(cases[i].run, argc > 2 ? atol(argv[2]) : 1);
	}
	return list ? 0 : 2;
}
