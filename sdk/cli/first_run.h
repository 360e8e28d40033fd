/* SPDX-License-Identifier: MIT */
#ifndef WARM_CLI_FIRST_RUN_H
#define WARM_CLI_FIRST_RUN_H

struct launch;

/* A cold start that this process stands behind, because warmd wants to hear when the program is ready. Ends as the
 * program ends. Where it cannot be done the program starts cold as usual, and only its snapshot is missed. */
void first_run(struct launch *l) __attribute__((noreturn));

#endif
