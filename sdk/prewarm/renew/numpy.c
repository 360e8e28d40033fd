/* SPDX-License-Identifier: MIT */
/*
 * numpy.random's global generator, which its functions (random, normal, seed, ...) are methods of. Whoever draws from
 * it holds its lock; in the place of that lock it has ours, which is the same one, but looks first whether this is a
 * copy.
 *
 *     RandomState     ... words and functions of its bit generator | ... | lock | where those words are, has_gauss ...
 *     MT19937         624 words | position
 *
 * What was seeded, or set to a state, by the program keeps its numbers: then they are not those that its last draw has
 * left behind.
 */
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

#include "sdk/prewarm/renew/renew.h"

#define WORDS        624
#define BODY_MAX     64 /* words of a RandomState */
#define N_BITGEN     5  /* the state, four functions */
#define SLOT_END     0
#define SLOT_METHODS 64 /* Py_tp_methods */

struct state {
	uint32_t word[WORDS];
	int position;
};

struct gauss { /* aug_bitgen_t */
	void *generator;
	int has;
};

static struct {
	struct state *state;
	struct gauss *gauss;
	void *take, *release; /* methods of numpy's lock */
	uint32_t number;
	bool chosen;
	struct {
		int position;
		uint32_t word[3];
	} left;
} twister;

/* ---- draws ------------------------------------------------------------------------------------------------------- */

static void note_left(void)
{
	const struct state *s = twister.state;

	twister.left.position = s->position;
	twister.left.word[0] = s->word[0];
	twister.left.word[1] = s->word[1];
	twister.left.word[2] = s->word[WORDS - 1];
}

static bool is_as_left(void)
{
	const struct state *s = twister.state;

	return twister.left.position == s->position && twister.left.word[0] == s->word[0] &&
	       twister.left.word[1] == s->word[1] && twister.left.word[2] == s->word[WORDS - 1];
}

/* The lock is held. What the kernel does not fill keeps its numbers. */
static void look(void)
{
	uint32_t number = renew_number();
	size_t len = 0;
	ssize_t n;

	twister.chosen |= !is_as_left();
	if (twister.number == number)
		return;
	twister.number = number;
	if (twister.chosen)
		return;
	do {
		n = getrandom((char *)twister.state->word + len, sizeof(twister.state->word) - len, 0);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0 && len < sizeof(twister.state->word));
	twister.state->position = WORDS;
	twister.gauss->has = 0;
}

static void *enter(void *self, void *unused)
{
	void *done = renew_api->PyObject_CallObject(twister.take, NULL);

	(void)self;
	(void)unused;
	if (done)
		look();
	return done;
}

static void *leave(void *self, void *const *args, ssize_t n)
{
	(void)self;
	(void)args;
	(void)n;
	note_left();
	return renew_api->PyObject_CallObject(twister.release, NULL);
}

/* ---- when the module is loaded ----------------------------------------------------------------------------------- */

struct slot { /* PyType_Slot */
	int slot;
	void *what;
};

struct spec { /* PyType_Spec */
	const char *name;
	int size, item_size;
	unsigned flags;
	struct slot *slots;
};

static void *make_lock(void)
{
	static struct py_method methods[] = {
	        {"__enter__", {.call = enter}, PY_NOARGS, NULL}, {"__exit__", {.fast = leave}, PY_FASTCALL, NULL}, {0}};
	static struct slot slots[] = {{SLOT_METHODS, methods}, {SLOT_END, NULL}};
	static struct spec spec = {"warm.Lock", sizeof(struct py_object), 0, 0, slots};
	void *(*make)(struct spec *) = (void *(*)(struct spec *))any_symbol("PyType_FromSpec");
	void *type = make ? make(&spec) : NULL, *lock = type ? renew_api->PyObject_CallFunction(type, NULL) : NULL;

	if (type)
		renew_api->Py_DecRef(type);
	return lock;
}

/* The one place in the object's words that has these. NULL: there is none, or several. */
static void **find(void **body, size_t n_body, void *const *words, size_t n)
{
	void **found = NULL;

	for (size_t i = 0; i + n <= n_body; i++) {
		if (memcmp(body + i, words, n * sizeof(*words)) != 0)
			continue;
		if (found)
			return NULL;
		found = body + i;
	}
	return found;
}

static bool is_twister(const struct py_object *bits)
{
	const char *dot = strrchr(bits->type->name, '.');

	return strcmp(dot ? dot + 1 : bits->type->name, "MT19937") == 0;
}

static bool exchange_lock(struct py_object *global, struct py_object *bits, void *capsule, void *lock)
{
	void *(*pointer)(void *, const char *) = (void *(*)(void *, const char *))any_symbol("PyCapsule_GetPointer");
	void **body = (void **)(void *)global, **at, **gauss, *ours;
	size_t n = (size_t)global->type->size / sizeof(*body);
	void *const *functions = pointer ? pointer(capsule, "BitGenerator") : NULL;

	if (!functions || n > BODY_MAX || !is_twister(bits))
		return false;
	at = find(body, n, functions, N_BITGEN);
	gauss = at ? find(body, n, (void *const[]){at}, 1) : NULL;
	at = find(body, n, &lock, 1);
	if (!at || !gauss || (char *)gauss + sizeof(struct gauss) > (char *)(body + n))
		return false;
	twister.take = renew_api->PyObject_GetAttrString(lock, "acquire");
	twister.release = renew_api->PyObject_GetAttrString(lock, "release");
	ours = twister.take && twister.release ? make_lock() : NULL;
	if (!ours)
		return false;
	twister.state = functions[0];
	twister.gauss = (struct gauss *)(void *)gauss;
	twister.number = renew_number();
	note_left();
	renew_api->Py_IncRef(global); /* it stays where it is */
	*at = ours;
	return true;
}

/* NULL: the module is not there, or not complete. */
static void *find_global(void)
{
	void *modules = renew_api->PySys_GetObject("modules");
	void *module = modules ? renew_api->PyDict_GetItemString(modules, "numpy.random.mtrand") : NULL;

	return module ? renew_api->PyObject_GetAttrString(module, "_rand") : NULL;
}

bool renew_numpy(void)
{
	void *global = find_global(), *bits, *capsule, *lock;

	if (!global) {
		renew_api->PyErr_Clear();
		return false;
	}
	bits = renew_api->PyObject_GetAttrString(global, "_bit_generator");
	capsule = bits ? renew_api->PyObject_GetAttrString(bits, "capsule") : NULL;
	lock = capsule ? renew_api->PyObject_GetAttrString(bits, "lock")
	               : NULL; /* its reference is ours from here on */
	if (!lock || !exchange_lock(global, bits, capsule, lock))
		renew_api->PyErr_Clear(); /* it stays as it is */
	if (capsule)
		renew_api->Py_DecRef(capsule);
	if (bits)
		renew_api->Py_DecRef(bits);
	renew_api->Py_DecRef(global);
	return true;
}
