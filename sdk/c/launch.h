/* SPDX-License-Identifier: MIT */
/* Making a copy's libc agree with the launch: the kernel's side (descriptors, working directory) is there already. */
#ifndef WARM_SDK_LAUNCH_H
#define WARM_SDK_LAUNCH_H

#include <stddef.h>

struct hook_answer;

/* Gives every environment variable that one of the patterns (NAME or PREFIX*) names, and those that no key looks at,
 * the launch's value, or removes it; others stay as they were. Returns 0 or -ENOMEM. */
int launch_environment(const struct hook_answer *answer, char *const *pattern, size_t n_pattern);

/* Forgets what stdin read ahead and the states "end of file" and "error" of the three streams. */
void launch_stdio(void);

/* Gives OpenSSL's generators, of all threads, a new seed, where the program was linked with it: they notice a fork by
 * the process id, and a copy has the original's. Called before the freeze as well, it makes the later call cheap.
 * Returns 0, or -errno as getrandom(2). */
int launch_random(void);

#endif
