/* SPDX-License-Identifier: MIT */
/* The cases, by the file that they are in. Each returns 0, or what it ended with. */
#ifndef WARM_TESTS_PAGER_CASES_H
#define WARM_TESTS_PAGER_CASES_H

#include "stage.h"

/* memory.c */
int case_sequential(void);
int case_random(void);
int case_writes(void);
int case_changes(void);
int case_changes_and_forks(void);
int case_by_hand(void);
int case_placed(void);
int case_recorded(void);
int case_recorded_for_a_while(void);
int case_small_cache(void);

/* crowd.c */
int case_threads(void);
int case_calls(void);
int case_forks(void);
int case_nested_forks(void);
int case_executing_children(void);
int case_forks_and_faults(void);
int case_forks_and_unmaps(void);
int case_executed(void);

/* ends.c */
int case_damaged(void);
int case_unreadable(void);
int case_not_understood(void);
int case_too_many(void);
int case_queue(void);
int case_killed(void);
int case_killed_unread(void);
int case_guardian_killed(void);
int case_stopped(void);
int case_confined(void);
int case_nothing_kept(void);

/* cost.c: prints what faults cost */
int pager_cost(void);

#endif
