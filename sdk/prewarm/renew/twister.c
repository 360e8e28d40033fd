/* SPDX-License-Identifier: MIT */
/*
 * The generators of `random`: its global one, those that its functions are, tempfile's, and each random.Random() of the
 * program. One that has seeded itself seeds itself anew in a copy, before anything is drawn from it; one that was given
 * a seed or a state keeps it, as in a cold start.
 *
 *     Random     head | index | 624 words | mark     four bytes that nobody uses: what the compiler fills up with
 *
 * The mark is the number of the process in which the generator has seeded itself; 0: it was given its seed. The methods
 * of _random.Random, written in C, are the only way to the words. The number that gauss() has drawn ahead is an
 * attribute, so looking for attributes leads here, too.
 */
#include <stdbool.h>
#include <string.h>

#include "sdk/prewarm/renew/renew.h"

#define WORDS     624
#define MARK_AT   (sizeof(struct py_object) + sizeof(int) + WORDS * sizeof(uint32_t))
#define SIZE      (MARK_AT + sizeof(uint32_t))
#define GAUSS     "gauss_next"
#define N_METHODS 5

enum { RANDOM, GETRANDBITS, GETSTATE, SEED, SETSTATE };

static struct {
	struct py_type *type; /* _random.Random */
	struct py_method was[N_METHODS], is[N_METHODS];
	void *none;
	void *(*get)(void *self, void *name);
	int (*set_attribute)(void *self, const char *name, void *value);
	void (*type_modified)(struct py_type *type);
} twister;

static uint32_t *mark_of(void *self)
{
	return (uint32_t *)(void *)((char *)self + MARK_AT);
}

/* ---- in a copy --------------------------------------------------------------------------------------------------- */

static void forget_ahead(void *self)
{
	void *ahead = renew_api->PyObject_GetAttrString(self, GAUSS);

	if (!ahead || twister.set_attribute(self, GAUSS, twister.none))
		renew_api->PyErr_Clear(); /* a class that has none */
	if (ahead)
		renew_api->Py_DecRef(ahead);
}

/* false, with an exception: the kernel gives no random numbers. */
static bool renewed(void *self)
{
	uint32_t *mark = mark_of(self), number = renew_number();
	void *done;

	if (!*mark || *mark == number)
		return true;
	*mark = number;
	done = twister.was[SEED].fast(self, NULL, 0);
	if (!done)
		return false;
	renew_api->Py_DecRef(done);
	forget_ahead(self);
	return true;
}

static void *draw(void *self, void *arg)
{
	return renewed(self) ? twister.was[RANDOM].call(self, arg) : NULL;
}

static void *draw_bits(void *self, void *arg)
{
	return renewed(self) ? twister.was[GETRANDBITS].call(self, arg) : NULL;
}

static void *get_state(void *self, void *arg)
{
	return renewed(self) ? twister.was[GETSTATE].call(self, arg) : NULL;
}

static void *get_attribute(void *self, void *name)
{
	return renewed(self) ? twister.get(self, name) : NULL;
}

/* ---- in every process -------------------------------------------------------------------------------------------- */

/* random.Random is a class of Python's, and so are those that are made of it: they have this from there. */
static void watch_attributes(void *self)
{
	for (struct py_type *type = ((struct py_object *)self)->type; type && type != twister.type; type = type->base) {
		if (type->get != twister.get)
			continue;
		type->get = get_attribute;
		twister.type_modified(type);
	}
}

static void *seed(void *self, void *const *args, ssize_t n)
{
	void *done = twister.was[SEED].fast(self, args, n);

	if (done) {
		*mark_of(self) = n == 0 || args[0] == twister.none ? renew_number() : 0;
		watch_attributes(self);
	}
	return done;
}

static void *set_state(void *self, void *arg)
{
	void *done = twister.was[SETSTATE].call(self, arg);

	if (done)
		*mark_of(self) = 0;
	return done;
}

/* ---- when the module is loaded ----------------------------------------------------------------------------------- */

static bool find_functions(void)
{
	twister.none = any_symbol("_Py_NoneStruct");
	twister.get = (void *(*)(void *, void *))any_symbol("PyObject_GenericGetAttr");
	twister.set_attribute = (int (*)(void *, const char *, void *))any_symbol("PyObject_SetAttrString");
	twister.type_modified = (void (*)(struct py_type *))any_symbol("PyType_Modified");
	return twister.none && twister.get && twister.set_attribute && twister.type_modified;
}

/* Not one of another kind of build, with other places. */
static bool is_known(const struct py_type *type)
{
	struct py_type copy;

	return peek((uintptr_t)type, &copy, sizeof(copy)) && copy.size == SIZE && copy.item_size == 0 &&
	       copy.get == twister.get && copy.base && copy.base == (struct py_type *)any_symbol("PyBaseObject_Type");
}

static struct py_method_descriptor *find_method(const char *name, int flags)
{
	struct py_method_descriptor *found = renew_api->PyObject_GetAttrString(twister.type, name), copy;
	struct py_method method;

	/* The type holds it. */
	if (found)
		renew_api->Py_DecRef(found);
	if (!peek((uintptr_t)found, &copy, sizeof(copy)) || copy.type != twister.type ||
	    !peek((uintptr_t)copy.method, &method, sizeof(method)) || strcmp(method.name, name) != 0 ||
	    method.flags != flags)
		return NULL;
	return found;
}

static bool exchange_methods(void)
{
	static const struct {
		const char *name;
		int flags;
		call_fn *call;
		fast_call_fn *fast;
	} ours[N_METHODS] = {
	        [RANDOM] = {"random", PY_NOARGS, draw, NULL},
	        [GETRANDBITS] = {"getrandbits", PY_O, draw_bits, NULL},
	        [GETSTATE] = {"getstate", PY_NOARGS, get_state, NULL},
	        [SEED] = {"seed", PY_FASTCALL, NULL, seed},
	        [SETSTATE] = {"setstate", PY_O, set_state, NULL},
	};
	struct py_method_descriptor *found[N_METHODS];

	for (size_t i = 0; i < N_METHODS; i++) {
		found[i] = find_method(ours[i].name, ours[i].flags);
		if (!found[i])
			return false;
		twister.was[i] = twister.is[i] = *found[i]->method;
		if (ours[i].fast)
			twister.is[i].fast = ours[i].fast;
		else
			twister.is[i].call = ours[i].call;
	}
	for (size_t i = 0; i < N_METHODS; i++)
		found[i]->method = &twister.is[i];
	return true;
}

void renew_random(void)
{
	void *module = renew_api->PyImport_ImportModule("_random");

	twister.type = module ? renew_api->PyObject_GetAttrString(module, "Random") : NULL;
	if (!twister.type || !find_functions() || !is_known(twister.type) || !exchange_methods())
		renew_api->PyErr_Clear(); /* it stays as it is */
	if (module)
		renew_api->Py_DecRef(module);
}
