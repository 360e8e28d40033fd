/* SPDX-License-Identifier: MIT */
#include "snapshot/maps.h"

#include <stdlib.h>
#include <string.h>

const char *next_map(const char *at, struct map *m)
{
	char *to;

	if (!*at)
		return NULL;
	m->start = strtoul(at, &to, 16); /* not sscanf, which measures all that follows */
	m->end = *to == '-' ? strtoul(to + 1, &to, 16) : 0;
	if (!m->end || strnlen(to, 5) < 5)
		return NULL;
	memcpy(m->perms, to + 1, 4);
	m->perms[4] = 0;
	m->offset = strtoul(to + 5, &to, 16);
	m->name = to;
	for (int field = 0; field < 2; field++) { /* device, inode */
		m->name += strspn(m->name, " ");
		m->name += strcspn(m->name, " \n");
	}
	m->name += strspn(m->name, " ");
	to = strchrnul(m->name, '\n');
	return *to ? to + 1 : to;
}
