/* SPDX-License-Identifier: MIT */
/*
 * jvm: a HotSpot virtual machine. Its performance data (performance.c), and its heap: garbage is collected where
 * somebody in the program can do it (ask.c), and memory that holds nothing is no part of the image (heap.c). There,
 * too, somebody knows what its random numbers start from (seeds.c).
 */
#include <stdlib.h>

#include "plugins/jvm/jvm.h"

static const char *const paths[] = {FOLDER "*/*", "/memfd:hsperfdata*", NULL};

/* Every JVM's start looks through the folder, and every start and end changes it. */
static const char *const places[] = {FOLDER "*", NULL};

struct machine {
	struct heap *heap;
	uint64_t seeds; /* 0: nobody has made a list of them */
};

static int offer(struct warm_snapshot *s, const struct warm_object *object)
{
	struct machine *machine;

	if (object->kind != WARM_PROCESS)
		return performance_offer(s, object);
	ask_to_collect(s, object->pid);
	machine = calloc(1, sizeof(*machine)); /* as long as this process */
	if (!machine || !heap_look(s, object->pid, &machine->heap))
		return WARM_LEAVE;
	machine->seeds = seeds_look(s, object->pid);
	s->own = machine;
	return WARM_WATCH;
}

static int stopped(struct warm_snapshot *s)
{
	const struct machine *machine = s->own;
	int r = machine->seeds ? seeds_random(s, machine->heap, machine->seeds) : 0;

	return r ? r : heap_unused(s, machine->heap);
}

const struct warm_plugin warm_plugin = {
        .abi = WARM_PLUGIN_ABI,
        .size = sizeof(warm_plugin),
        .name = "jvm",
        .words = "Java virtual machines: performance data of each clone's own, no free heap in images",
        .version = 1,
        .oldest = 1,
        .paths = paths,
        .places = places,
        .offer = offer,
        .plan = performance_plan,
        .stopped = stopped,
};
