/* SPDX-License-Identifier: MIT */
/*
 * Random numbers of a Python program that does not call the hook: nobody calls it when it has become a copy, so its
 * generators look for themselves. Of CPython's objects only what has been the same since 3.8 is used, and each place is
 * checked before it is written to. All functions are called with Python's lock held.
 */
#ifndef WARM_PREWARM_RENEW_H
#define WARM_PREWARM_RENEW_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "sdk/prewarm/symbols.h"

extern const struct python_api *renew_api;

/* The number of this process: never 0, another one in each copy, the same in its children. */
uint32_t renew_number(void);

/* `random`, and all that is made of it. */
void renew_random(void);

/* numpy.random's global generator. false: it is not there yet. */
bool renew_numpy(void);

/* ---- objects of CPython ------------------------------------------------------------------------------------------ */

typedef void *call_fn(void *self, void *arg);
typedef void *fast_call_fn(void *self, void *const *args, ssize_t n);

struct py_method { /* PyMethodDef */
	const char *name;
	union {
		call_fn *call;
		fast_call_fn *fast;
	};
	int flags;
	const char *doc;
};

#define PY_NOARGS   0x0004
#define PY_O        0x0008
#define PY_FASTCALL 0x0080

struct py_object {
	ssize_t references;
	struct py_type *type;
};

struct py_type { /* PyTypeObject, as far as it is needed */
	struct py_object head;
	ssize_t n;
	const char *name;
	ssize_t size, item_size;
	void *others[12];
	void *(*get)(void *self, void *name);
	void *more[13];
	struct py_type *base;
};

struct py_method_descriptor {
	struct py_object head;
	struct py_type *type;
	void *name, *qualified;
	struct py_method *method;
};

#endif
