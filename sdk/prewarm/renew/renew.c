/* SPDX-License-Identifier: MIT */
/*
 * Loaded into a Python whose program does not call the hook and is to be snapshotted when it is ready (LD_PRELOAD).
 * Modules are prepared when they are loaded (audit events); nothing is there in a program that loads none of them.
 */
#include "sdk/prewarm/renew/renew.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "sdk/prewarm/process.h"

#define PAGE 4096

static struct {
	struct python_api api;
	uint32_t *number; /* in a page that arrives as zeroes in each copy */
	uint32_t mine;    /* the same, where it stays */
	bool has_random, has_numpy;
} renew;

const struct python_api *renew_api = &renew.api;

uint32_t renew_number(void)
{
	while (*renew.number == 0) {
		if (getrandom(&renew.mine, sizeof(renew.mine), 0) != sizeof(renew.mine))
			renew.mine++;
		*renew.number = renew.mine;
	}
	return *renew.number;
}

/* A child goes on with its parent's numbers, as ever. */
static void before_fork(void)
{
	renew_number();
}

static void in_child(void)
{
	*renew.number = renew.mine;
}

static int see(const char *event, void *args, void *data)
{
	static const char numpy[] = "numpy.random.";
	const char *name;

	(void)data;
	if (strcmp(event, "import") != 0)
		return 0;
	name = renew.api.PyUnicode_AsUTF8(renew.api.PyTuple_GetItem(args, 0));
	if (!name)
		renew.api.PyErr_Clear();
	else if (!renew.has_random && (strcmp(name, "random") == 0 || strcmp(name, "_random") == 0)) {
		renew.has_random = true; /* what follows imports, too */
		renew_random();
	} else if (!renew.has_numpy && strncmp(name, numpy, sizeof(numpy) - 1) == 0)
		renew.has_numpy = renew_numpy(); /* not the last module of that package */
	return 0;
}

/* Before the interpreter's main(). */
__attribute__((constructor)) static void look(void)
{
	char library[PATH_MAX];
	void *page;

	if (!python_api_load(&renew.api) || !own_library(library) || process_leave_preload(library))
		return; /* `#!/usr/bin/env python3`: in env, this waits for the next program */
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return;
	renew.number = page;
	if (madvise(page, PAGE, MADV_WIPEONFORK) || pthread_atfork(before_fork, NULL, in_child)) {
		munmap(page, PAGE);
		return;
	}
	renew_number();
	renew.api.PySys_AddAuditHook(see, NULL);
}
