/* SPDX-License-Identifier: MIT */
/* memfile: memory files (memfd_create(2)) named "kept...", as descriptors. Each clone has a copy of its own. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "warm_plugin.h"

#define LIMIT (16 << 20)

static const char *const paths[] = {"/memfd:kept*", NULL};

struct seen {
	ino_t ino;
	struct seen *next;
};

/* A second open file description of a memory file: made like this, it would get a file of its own. */
static int is_second(struct warm_snapshot *s, ino_t ino)
{
	struct seen *seen = s->own, *one;

	for (; seen; seen = seen->next)
		if (seen->ino == ino)
			return 1;
	one = calloc(1, sizeof(*one)); /* as long as this process */
	if (!one)
		return 1;
	*one = (struct seen){ino, s->own};
	s->own = one;
	return 0;
}

static int offer(struct warm_snapshot *s, const struct warm_object *object)
{
	struct stat st;
	off_t position;
	char *bytes;
	int r = -1;

	if (object->kind != WARM_DESCRIPTOR || object->local < 0)
		return WARM_LEAVE;
	position = lseek(object->local, 0, SEEK_CUR); /* of the description, which we share with the program */
	if (position < 0 || fstat(object->local, &st) < 0 || st.st_size > LIMIT)
		return s->refuse(s, "a memory file that is too large, or cannot be read");
	if (fcntl(object->local, F_GET_SEALS) != F_SEAL_SEAL) /* what plan() makes has no others */
		return s->refuse(s, "a memory file that has seals, or can get them");
	if (is_second(s, st.st_ino))
		return s->refuse(s, "a memory file that was opened a second time");
	bytes = malloc((size_t)st.st_size + 1);
	if (bytes && pread(object->local, bytes, (size_t)st.st_size, 0) == st.st_size)
		r = s->save(s, &position, sizeof(position)) < 0 ? -1 : s->save(s, bytes, (size_t)st.st_size);
	free(bytes);
	return r < 0 ? s->refuse(s, "a memory file that cannot be read") : WARM_TAKE;
}

static int plan(struct warm_plan *p, const struct warm_object *object)
{
	size_t len = p->saved_len - sizeof(off_t);
	off_t position;

	if (p->saved_len < sizeof(position))
		return p->refuse(p, "what was saved of %s is not whole", object->path);
	memcpy(&position, p->saved, sizeof(position));
	p->call(p, &(struct warm_call){.phase = WARM_STANDBY,
	                               .nr = SYS_memfd_create,
	                               .keep = 1, /* in the end it gets the numbers that the program knows it by */
	                               .args = {p->data(p, "kept", 5), 0},
	                               .words = "a memory file"});
	p->call(p, &(struct warm_call){.phase = WARM_STANDBY,
	                               .want = WARM_WANT_EXACT,
	                               .nr = SYS_pwrite64,
	                               .kept = 1, /* argument 0 is that descriptor */
	                               .args = {0, p->data(p, (const char *)p->saved + sizeof(position), len), len, 0},
	                               .expect = len,
	                               .words = "its bytes"});
	p->call(p, &(struct warm_call){.phase = WARM_STANDBY,
	                               .want = WARM_WANT_EXACT,
	                               .nr = SYS_lseek,
	                               .kept = 1,
	                               .args = {0, (uint64_t)position, SEEK_SET},
	                               .expect = (uint64_t)position,
	                               .words = "its position"});
	return 0;
}

const struct warm_plugin warm_plugin = {
        .abi = WARM_PLUGIN_ABI,
        .size = sizeof(warm_plugin),
        .name = "memfile",
        .words = "memory files named kept: each clone has a copy of its own",
        .version = 1,
        .oldest = 1,
        .paths = paths,
        .offer = offer,
        .plan = plan,
};
