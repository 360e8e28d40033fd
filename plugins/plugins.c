/* SPDX-License-Identifier: MIT */
/* Finds what is installed, and asks each plugin in the process that hosts it. */
#include "plugins/plugins.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clean.h"
#include "base/err.h"
#include "plugins/guest.h"
#include "plugins/place.h"

struct plugins {
	struct guest **guest;
	size_t n;
};

/* ---- loading ---------------------------------------------------------------------------------------------------- */

static int add(struct plugins *plugins, int dir_fd, const char *name, struct err *err)
{
	struct guest **more = reallocarray(plugins->guest, plugins->n + 1, sizeof(*more));
	int r;

	if (!more)
		return err_sys(err, ENOMEM, "plugins");
	plugins->guest = more;
	r = guest_start(&plugins->guest[plugins->n], dir_fd, name, err);
	plugins->n += r == 0;
	return r;
}

static int plugins_new(struct plugins **plugins, struct err *err)
{
	if (!*plugins)
		*plugins = calloc(1, sizeof(**plugins));
	return *plugins ? 0 : err_sys(err, ENOMEM, "plugins");
}

int plugins_load(struct plugins **ret, const struct plugins_place *place, struct err *err)
{
	CLEAN(fd) int dir_fd = -1;
	struct plugin_names names = {0};
	int r = plugins_new(ret, err);

	if (r == 0)
		r = place_open(place, &dir_fd, err);
	if (r == 0 && dir_fd >= 0)
		r = place_list(place, dir_fd, &names, err);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = add(*ret, dir_fd, names.name[i], err);
	plugin_names_fini(&names);
	return r;
}

static struct guest *find(const struct plugins *plugins, const char *name)
{
	for (size_t i = 0; plugins && i < plugins->n; i++)
		if (strcmp(guest_name(plugins->guest[i]), name) == 0)
			return plugins->guest[i];
	return NULL;
}

int plugins_need(struct plugins **ret, const struct plugins_place *place, const char *name, struct err *err)
{
	CLEAN(fd) int dir_fd = -1;
	int r = plugins_new(ret, err);

	if (r < 0 || find(*ret, name))
		return r;
	if (place_is_off(place, name))
		return err_set(err, ENOENT, "it needs the plugin %s, which is switched off ([plugins] disable)", name);
	r = place_open(place, &dir_fd, err);
	if (r < 0)
		return r;
	if (dir_fd < 0 || !place_has(dir_fd, name))
		return err_set(err, ENOENT, "it needs the plugin %s, which is not installed", name);
	return add(*ret, dir_fd, name, err);
}

static void check_one(const struct plugins_place *place, int dir_fd, const char *name, plugins_told *tell, void *arg)
{
	char path[PATH_MAX + PLUGIN_NAME_MAX];
	struct plugin_told told = {.name = name, .path = path, .words = "switched off ([plugins] disable)"};
	struct guest *guest = NULL;
	struct err wrong;

	place_path(dir_fd, name, path, sizeof(path));
	if (place_is_off(place, name)) {
		tell(arg, &told);
		return;
	}
	if (guest_start(&guest, dir_fd, name, &wrong) < 0) {
		told.wrong = &wrong;
		tell(arg, &told);
		return;
	}
	told.words = guest_words(guest);
	told.abi = WARM_PLUGIN_ABI; /* no other one is accepted */
	tell(arg, &told);
	guest_free(guest);
}

static bool is_listed(const struct plugin_names *names, const char *name, size_t len)
{
	for (size_t i = 0; i < names->n; i++)
		if (!strncmp(names->name[i], name, len) && !names->name[i][len])
			return true;
	return false;
}

/* Whoever has mistyped one believes that it is off. */
static void check_off(const struct plugins_place *place, const struct plugin_names *names, plugins_told *tell,
                      void *arg)
{
	for (const char *at = place->off; at && *at; at += strcspn(at, ","), at += *at == ',') {
		struct plugin_told told = {.path = "", .words = "[plugins] disable names it, and it is not installed"};
		size_t len = strcspn(at, ",");
		char name[PLUGIN_NAME_MAX];

		snprintf(name, sizeof(name), "%.*s", (int)len, at);
		told.name = name;
		if (!is_listed(names, at, len))
			tell(arg, &told);
	}
}

int plugins_check(const struct plugins_place *place, plugins_told *tell, void *arg, struct err *err)
{
	const struct plugins_place all = {.dir = place->dir};
	CLEAN(fd) int dir_fd = -1;
	struct plugin_names names = {0};
	int r = place_open(place, &dir_fd, err);

	if (r == 0 && dir_fd >= 0)
		r = place_list(&all, dir_fd, &names, err);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		check_one(place, dir_fd, names.name[i], tell, arg);
	if (r == 0)
		check_off(place, &names, tell, arg);
	plugin_names_fini(&names);
	return r;
}

void plugins_free(struct plugins *plugins)
{
	if (!plugins)
		return;
	for (size_t i = 0; i < plugins->n; i++)
		guest_free(plugins->guest[i]);
	free(plugins->guest);
	free(plugins);
}

/* ---- asking ----------------------------------------------------------------------------------------------------- */

static bool wants(const struct guest *guest, const struct warm_object *object)
{
	if (object->kind == WARM_PROCESS)
		return true;
	for (const char *pattern = guest_first_path(guest); pattern; pattern = guest_next(guest, pattern))
		if (fnmatch(pattern, object->path, 0) == 0)
			return true;
	return false;
}

int plugins_offer(struct plugins *plugins, const struct warm_object *object, bool frozen, size_t from,
                  struct taken *ret, struct err *err)
{
	for (size_t i = from; plugins && i < plugins->n; i++) {
		struct guest *guest = plugins->guest[i];
		int r = wants(guest, object) ? guest_offer(guest, object, frozen, &ret->bytes, &ret->len, err)
		                             : WARM_LEAVE;

		if (r == WARM_LEAVE)
			continue;
		ret->by = i;
		ret->name = guest_name(guest);
		ret->version = guest_version(guest);
		return r == WARM_TAKE ? 1 : r;
	}
	return 0;
}

static int add_told(struct told **list, size_t *n, const uint8_t *bytes, size_t len, struct err *err)
{
	size_t more = len / sizeof(**list);
	struct told *all = reallocarray(*list, *n + more + 1, sizeof(*all));

	if (!all)
		return err_sys(err, ENOMEM, "plugins");
	memcpy(all + *n, bytes, more * sizeof(*all));
	*list = all;
	*n += more;
	return 0;
}

int plugins_stopped(struct plugins *plugins, struct told **ret, size_t *ret_n, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && plugins && i < plugins->n; i++) {
		CLEAN(free) uint8_t *bytes = NULL;
		size_t len = 0;

		r = guest_stopped(plugins->guest[i], &bytes, &len, err);
		if (r == 0 && len)
			r = add_told(ret, ret_n, bytes, len, err);
	}
	return r;
}

const char *plugins_place(const struct plugins *plugins, size_t by, const char *last)
{
	const struct guest *guest = plugins->guest[by];

	return last ? guest_next(guest, last) : guest_first_place(guest);
}

int plugins_resumed(struct plugins *plugins, bool captured, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; plugins && i < plugins->n; i++) { /* each is told, whatever another one says */
		int r = guest_resumed(plugins->guest[i], captured, ret ? NULL : err);

		ret = ret ? ret : r;
	}
	return ret;
}

int plugins_plan(struct plugins *plugins, const char *name, uint32_t version, const struct warm_object *object,
                 const uint8_t *bytes, size_t len, uint64_t base, struct plugin_plan *ret, struct err *err)
{
	struct guest *guest = find(plugins, name);

	if (!guest)
		return err_set(err, ENOENT, "the plugin %s is not loaded", name);
	return guest_plan(guest, version, object, bytes, len, base, ret, err);
}

void plugin_plan_fini(struct plugin_plan *plan)
{
	free(plan->call);
	free(plan->data);
	*plan = (struct plugin_plan){0};
}
