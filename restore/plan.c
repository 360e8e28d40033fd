/* SPDX-License-Identifier: MIT */
#include "restore/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* ---- the table of contents -------------------------------------------------------------------------------------- */

int plan_compile(struct plan *p, struct err *err)
{
	int r;

	if ((r = plan_plugins(p, err)) < 0 || (r = plan_memory(p, err)) < 0 || (r = plan_template(p, err)) < 0 ||
	    (r = plan_task(p, err)) < 0 || (r = plan_locks(p, err)) < 0 || (r = plan_signals(p, err)) < 0 ||
	    (r = plan_timers_make(p, err)) < 0 || (r = plan_files_make(p, err)) < 0 || (r = plan_threads(p, err)) < 0 ||
	    (r = plan_go(p, err)) < 0)
		return r;
	return p->failed ? err_sys(err, ENOMEM, "plan") : 0;
}

/* ---- the builder ------------------------------------------------------------------------------------------------ */

int plan_init(struct plan *p, const Warm__Image__Image *image, const struct place *place)
{
	*p = (struct plan){.image = image, .place = place, .base = place->arena};
	return plan_data(p, NULL, sizeof(struct arena), 64) == place->arena ? 0 : -ENOMEM;
}

void plan_fini(struct plan *p)
{
	plan_plugins_fini(p);
	for (size_t i = 0; i < p->n_words; i++)
		free(p->words[i]);
	free(p->words);
	free(p->op);
	free(p->data);
	*p = (struct plan){0};
}

uint64_t plan_data(struct plan *p, const void *data, size_t len, size_t align)
{
	size_t at = (p->n_data + align - 1) & ~(align - 1);

	if (at + len > p->data_room) {
		size_t room = (at + len) * 2;
		uint8_t *more = room <= ARENA_VDSO ? realloc(p->data, room) : NULL;

		if (!more) {
			p->failed = true;
			return p->base;
		}
		memset(more + p->data_room, 0, room - p->data_room);
		p->data = more;
		p->data_room = room;
	}
	if (data && len)
		memcpy(p->data + at, data, len);
	p->n_data = at + len;
	return p->base + at;
}

uint64_t plan_string(struct plan *p, const char *text)
{
	return plan_data(p, text, strlen(text) + 1, 1);
}

void *plan_at(struct plan *p, uint64_t address)
{
	return p->data + (address - p->base);
}

static bool room_for(void *array_place, size_t n, size_t element)
{
	void **place = array_place;
	void *more;

	if (n & (n - 1))
		return true;
	more = reallocarray(*place, n ? n * 2 : 1, element);
	if (more)
		*place = more;
	return more;
}

uint32_t plan_op(struct plan *p, struct rop op, const char *fmt, ...)
{
	char *words = NULL;
	va_list args;
	int n = 0;

	va_start(args, fmt);
	if (!p->silent)
		n = vasprintf(&words, fmt, args);
	va_end(args);
	if (n < 0 || !room_for(&p->op, p->n_ops, sizeof(*p->op)) ||
	    !room_for(&p->words, p->n_words, sizeof(*p->words))) {
		if (n >= 0)
			free(words);
		p->failed = true;
		return 0;
	}
	p->op[p->n_ops] = op;
	p->words[p->n_words++] = words;
	return (uint32_t)p->n_ops++;
}

#define NOT_HELD UINT32_MAX

uint32_t plan_held_begin(struct plan *p, uint32_t held)
{
	if (!held)
		return NOT_HELD;
	return plan_op(p, (struct rop){.kind = ROP_SKIP, .args = {held - 1}}, "unless the clone need not take it");
}

void plan_held_end(struct plan *p, uint32_t begin)
{
	if (begin != NOT_HELD && !p->failed)
		p->op[begin].args[1] = p->n_ops - begin - 1;
}
