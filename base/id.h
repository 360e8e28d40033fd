/* SPDX-License-Identifier: MIT */
/*
 * Names of snapshots: 12 random hexadecimal digits.
 */
#ifndef WARM_BASE_ID_H
#define WARM_BASE_ID_H

#include <stdbool.h>

#define ID_LEN 12

void id_new(char id[ID_LEN + 1]);
bool id_valid(const char *id);

#endif
