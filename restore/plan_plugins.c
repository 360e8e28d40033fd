/* SPDX-License-Identifier: MIT */
/*
 * What plugins have taken. Each plugin is asked once for each of its objects, ahead of everything else; what it
 * answers becomes operations in three places of the plan, one for each phase. Nothing of a plugin runs in a clone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "plugins/plugins.h"
#include "restore/files_internal.h"
#include "restore/plan.h"

#define DATA_ALIGN 16
#define SYS_LIMIT  1024 /* system call numbers of this machine, and room */

typedef Warm__Image__PluginObject object_t;

struct plugin_part {
	struct plugin_plan plan;
};

/* ---- asking ----------------------------------------------------------------------------------------------------- */

static struct warm_object describe(const struct plan *p, const object_t *o)
{
	struct warm_object object = {.kind = o->kind, .path = o->path, .fd = -1, .local = -1};

	if (o->kind == WARM_MAPPING) {
		const Warm__Image__Vma *vma = p->image->vma[o->index];

		object.start = vma->start;
		object.end = vma->end;
		object.offset = vma->offset;
		object.prot = vma->prot;
		object.shared = vma->shared;
	} else if (o->kind != WARM_PROCESS) {
		object.fd = plan_number_of(p, o->index);
		object.flags = p->image->description[o->index]->flags;
	}
	return object;
}

static int check_calls(const object_t *o, const struct plugin_plan *plan, struct err *err)
{
	for (size_t i = 0; i < plan->n_calls; i++) {
		const struct warm_call *c = &plan->call[i].call;

		if (c->phase > WARM_GO || c->want > WARM_WANT_ANY || c->nr >= SYS_LIMIT || c->kept >> 6)
			return err_set(err, EPROTO, "plugin %s: call %zu of its plan for %.80s makes no sense",
			               o->plugin, i, o->path);
	}
	return 0;
}

static int ask(struct plan *p, const object_t *o, struct plugin_plan *ret, struct err *err)
{
	const struct warm_object object = describe(p, o);
	uint64_t base = plan_data(p, NULL, 0, DATA_ALIGN);
	int r = plugins_plan(p->plugins, o->plugin, o->version, &object, o->data.data, o->data.len, base, ret, err);

	if (r == 0)
		r = check_calls(o, ret, err);
	if (r == 0)
		plan_data(p, ret->data, ret->n_data, DATA_ALIGN);
	return r;
}

int plan_plugins(struct plan *p, struct err *err)
{
	int r = 0;

	p->plugin_part = calloc(p->image->n_plugin_object + 1, sizeof(*p->plugin_part));
	if (!p->plugin_part)
		return err_sys(err, ENOMEM, "plan");
	for (size_t i = 0; r == 0 && i < p->image->n_plugin_object; i++)
		r = ask(p, p->image->plugin_object[i], &p->plugin_part[i].plan, err);
	return r;
}

void plan_plugins_fini(struct plan *p)
{
	for (size_t i = 0; p->plugin_part && i < p->image->n_plugin_object; i++)
		plugin_plan_fini(&p->plugin_part[i].plan);
	free(p->plugin_part);
	p->plugin_part = NULL;
}

/* ---- operations ------------------------------------------------------------------------------------------------- */

static void add_call(struct plan *p, const object_t *o, const struct planned_call *planned)
{
	static const uint8_t want[] = {
	        [WARM_WANT_OK] = WANT_OK, [WARM_WANT_EXACT] = WANT_EXACT, [WARM_WANT_ANY] = WANT_ANY};
	const struct warm_call *c = &planned->call;
	struct rop rop = {.kind = planned->copy ? ROP_COPY : ROP_SYSCALL,
	                  .want = want[c->want],
	                  .nr = c->nr,
	                  .flags = c->keep ? ROP_TO_SLOT : 0,
	                  .expect = c->keep ? SLOT_PLUGIN : c->expect};

	for (int i = 0; i < 6; i++) {
		rop.args[i] = c->args[i];
		if (c->kept >> i & 1) {
			rop.args[i] = SLOT_PLUGIN;
			rop.flags |= ROP_SLOT(i);
		}
	}
	plan_op(p, rop, "plugin %s: %s", o->plugin, planned->words);
}

/* The descriptor that was kept goes to the numbers of its description. */
static void put_in_place(struct plan *p, const object_t *o)
{
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_fcntl,
	                     .flags = ROP_SLOT(0) | ROP_TO_SLOT,
	                     .expect = SLOT_TMP2,
	                     .args = {SLOT_PLUGIN, F_DUPFD_CLOEXEC, (uint64_t)p->place->fd_base}},
	        "plugin %s: its descriptor", o->plugin);
	plan_op(p, (struct rop){.kind = ROP_SYSCALL, .nr = SYS_close, .flags = ROP_SLOT(0), .args = {SLOT_PLUGIN}},
	        "out of the way");
	plan_place(p, SLOT_TMP2, o->index);
}

void plan_plugin_ops(struct plan *p, unsigned phase)
{
	for (size_t i = 0; i < p->image->n_plugin_object; i++) {
		const object_t *o = p->image->plugin_object[i];
		const struct plugin_plan *plan = &p->plugin_part[i].plan;
		bool kept = false;

		for (size_t c = 0; c < plan->n_calls; c++)
			if (plan->call[c].call.phase == phase) {
				add_call(p, o, &plan->call[c]);
				kept |= plan->call[c].call.keep;
			}
		if (kept && (o->kind == WARM_DESCRIPTOR || o->kind == WARM_DEVICE))
			put_in_place(p, o);
	}
}
