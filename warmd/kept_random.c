/* SPDX-License-Identifier: MIT */
#include "warmd/kept_random.h"

#include <stdbool.h>
#include <string.h>

#include "policy/interp.h"

#define REMEDY ": a program that `warm exec --ready` has started gets new ones"

static const struct runtime {
	enum interp_kind kind;
	const char *library; /* or that, in another program */
	const char *renews;  /* a file of ours that is inside where somebody sees to them */
	const char *words;
} runtimes[] = {
        {INTERP_PYTHON, "libpython3", "warm-python-renew.so",
         "its copies draw equal numbers from what Python's random and numpy.random have kept" REMEDY},
        {INTERP_NODE, "libnode.so", "warm-stop.node",
         "its copies draw equal numbers from Math.random, crypto.randomUUID and crypto.randomInt" REMEDY},
        {INTERP_JAVA, "libjvm.so", "warm-java-collect.so",
         "its copies draw equal numbers from Math.random, ThreadLocalRandom and the secure generators that there "
         "are" REMEDY},
};

static bool has_file(const Warm__Rpc__Conditions *conditions, const char *name)
{
	for (size_t i = 0; i < conditions->n_file; i++) {
		const char *slash = strrchr(conditions->file[i]->path, '/');

		if (slash && strncmp(slash + 1, name, strlen(name)) == 0)
			return true;
	}
	return false;
}

const char *kept_random(const Warm__Rpc__Conditions *conditions)
{
	const struct interp *interp = interp_of(conditions->cmd);

	for (size_t i = 0; i < sizeof(runtimes) / sizeof(runtimes[0]); i++) {
		const struct runtime *runtime = &runtimes[i];

		if (((interp && interp->kind == runtime->kind) || has_file(conditions, runtime->library)) &&
		    !has_file(conditions, runtime->renews))
			return runtime->words;
	}
	return NULL;
}
