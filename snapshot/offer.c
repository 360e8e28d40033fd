/* SPDX-License-Identifier: MIT */
/* What is offered to plugins, and how what they take is written down. Before the collector of an object looks at it. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clean.h"
#include "base/err.h"
#include "plugins/plugins.h"
#include "snapshot/remedies.h"
#include "snapshot/subject.h"

#define FEATURE "plugins"
#define PAGE    4096u

static int note_places(struct subject *s, size_t by)
{
	for (const char *place = plugins_place(s->plugins, by, NULL); place;
	     place = plugins_place(s->plugins, by, place)) {
		bool known = false;

		for (size_t i = 0; i < s->summary->n_plugin_place; i++)
			known |= strcmp(s->summary->plugin_place[i], place) == 0;
		if (!known && GROW(s->summary, plugin_place, strdup(place)) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Owns taken->bytes from here on. */
static int write_down(struct subject *s, const struct warm_object *object, uint32_t index, struct taken *taken,
                      struct err *err)
{
	Warm__Image__PluginObject *o = malloc(sizeof(*o));

	if (!o || (s->image->n_plugin_object == 0 && GROW(s->image, feature, strdup(FEATURE)) < 0)) {
		free(taken->bytes);
		free(o);
		return err_sys(err, ENOMEM, "plugins");
	}
	warm__image__plugin_object__init(o);
	o->plugin = strdup(taken->name);
	o->version = taken->version;
	o->kind = object->kind;
	o->index = index;
	o->path = strdup(object->path);
	o->data = (ProtobufCBinaryData){taken->len, taken->bytes};
	if (GROW(s->image, plugin_object, o) < 0 || note_places(s, taken->by) < 0 || !o->plugin || !o->path)
		return err_sys(err, ENOMEM, "plugins");
	return 0;
}

/* ---- in a trial ------------------------------------------------------------------------------------------------- */

static bool took_memory(const Warm__Image__Image *original, const Warm__Image__Vma *vma)
{
	for (size_t i = 0; original && i < original->n_vma; i++)
		if (original->vma[i]->kind == WARM__IMAGE__VMA_KIND__TAKEN_MEMORY &&
		    original->vma[i]->start == vma->start && original->vma[i]->end == vma->end)
			return true;
	return false;
}

static bool took_descriptor(const Warm__Image__Image *original, int fd)
{
	for (size_t i = 0; original && i < original->n_descriptor; i++)
		if (original->descriptor[i]->fd == fd)
			return original->description[original->descriptor[i]->description]->kind ==
			       WARM__IMAGE__DESCRIPTION_KIND__TAKEN;
	return false;
}

/* ---- offers ----------------------------------------------------------------------------------------------------- */

/* Offered while it runs; each plugin may have taken something of it. */
int offer_process(struct subject *s, const struct plugins_place *place, struct err *err)
{
	char exe[PATH_MAX];
	struct warm_object object = {.kind = WARM_PROCESS, .pid = s->pid, .path = exe, .fd = -1, .local = s->pidfd};
	struct taken taken = {0};
	struct stat st = {0};
	int r = plugins_load(&s->plugins, place, err);

	if (r < 0)
		return r;
	r = proc_link(s->proc_fd, "exe", exe, sizeof(exe));
	if (r == 0 && fstatat(s->proc_fd, "exe", &st, 0) < 0)
		r = -errno;
	if (r == -ENOENT) {
		s->vanishes = true;
		return err_refuse(err, TRY_AGAIN,
		                  "process %d has no executable: its main thread has ended or is executing a program, "
		                  "or it is the kernel's",
		                  s->pid);
	}
	if (r < 0)
		return err_sys(err, -r, "executable of process %d", s->pid);
	object.dev = s->exe_dev = st.st_dev;
	object.ino = s->exe_ino = st.st_ino;
	for (size_t from = 0;; from = taken.by + 1) {
		r = plugins_offer(s->plugins, &object, false, from, &taken, err);
		if (r <= 0)
			return r;
		r = write_down(s, &object, 0, &taken, err);
		if (r < 0)
			return r;
	}
}

static int ascending(const void *a, const void *b)
{
	const struct unused *first = a, *second = b;

	return first->start < second->start ? -1 : first->start > second->start;
}

/* Whole pages, in order, none twice. */
static void tidy(struct subject *s)
{
	size_t n = 0;

	qsort(s->unused, s->n_unused, sizeof(*s->unused), ascending);
	for (size_t i = 0; i < s->n_unused; i++) {
		uint64_t start = (s->unused[i].start + PAGE - 1) & -(uint64_t)PAGE,
		         end = s->unused[i].end & -(uint64_t)PAGE;

		if (n && start < s->unused[n - 1].end)
			start = s->unused[n - 1].end;
		if (start < end && start >= s->unused[i].start)
			s->unused[n++] = (struct unused){start, end};
	}
	s->n_unused = n;
}

static int add_random(struct subject *s, const struct told *told)
{
	Warm__Image__RandomBytes *bytes = malloc(sizeof(*bytes));

	if (!bytes || (s->image->n_random == 0 && GROW(s->image, feature, strdup("random")) < 0)) {
		free(bytes);
		return -ENOMEM;
	}
	warm__image__random_bytes__init(bytes);
	bytes->address = told->start;
	bytes->length = told->end - told->start;
	return GROW(s->image, random, bytes);
}

int offer_stopped(struct subject *s, struct err *err)
{
	CLEAN(free) struct told *told = NULL;
	size_t n = 0;
	int r = plugins_stopped(s->plugins, &told, &n, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct unused unused = {told[i].start, told[i].end};

		if (told[i].what == TOLD_UNUSED)
			r = grow(&s->unused, &s->n_unused, sizeof(unused), &unused);
		else if (s->renewal && told[i].start < told[i].end)
			r = add_random(s, &told[i]);
	}
	if (r < 0)
		return err_sys(err, ENOMEM, "plugins");
	if (s->n_unused)
		tidy(s);
	return 0;
}

int offer_memory(struct subject *s, Warm__Image__Vma *vma, const char *path, uint64_t dev, uint64_t ino,
                 struct err *err)
{
	struct warm_object object = {.kind = WARM_MAPPING,
	                             .pid = s->pid,
	                             .path = path,
	                             .dev = dev,
	                             .ino = ino,
	                             .start = vma->start,
	                             .end = vma->end,
	                             .offset = vma->offset,
	                             .prot = vma->prot,
	                             .shared = vma->shared,
	                             .fd = -1,
	                             .local = -1};
	struct taken taken = {0};
	int r;

	if (took_memory(s->original, vma)) {
		vma->kind = WARM__IMAGE__VMA_KIND__TAKEN_MEMORY;
		return 1;
	}
	r = plugins_offer(s->plugins, &object, true, 0, &taken, err);
	if (r <= 0)
		return r;
	vma->kind = WARM__IMAGE__VMA_KIND__TAKEN_MEMORY;
	r = write_down(s, &object, (uint32_t)s->image->n_vma - 1, &taken, err);
	if (r == 0 &&
	    summary_descriptor(s, "memory at %#lx: %s (plugin %s)", (unsigned long)vma->start, path, taken.name) < 0)
		r = err_sys(err, ENOMEM, "plugins");
	return r < 0 ? r : 1;
}

int offer_description(struct subject *s, Warm__Image__Description *desc, uint32_t index, struct warm_object *object,
                      struct err *err)
{
	struct taken taken = {0};
	int r;

	if (took_descriptor(s->original, object->fd)) {
		desc->kind = WARM__IMAGE__DESCRIPTION_KIND__TAKEN;
		return 1;
	}
	object->pid = s->pid;
	r = plugins_offer(s->plugins, object, true, 0, &taken, err);
	if (r <= 0)
		return r;
	desc->kind = WARM__IMAGE__DESCRIPTION_KIND__TAKEN;
	r = write_down(s, object, index, &taken, err);
	if (r == 0 && summary_descriptor(s, "%d: %s (plugin %s)", object->fd, object->path, taken.name) < 0)
		r = err_sys(err, ENOMEM, "plugins");
	return r < 0 ? r : 1;
}

int offer_resumed(struct subject *s, bool captured, struct err *err)
{
	return plugins_resumed(s->plugins, captured, err);
}
