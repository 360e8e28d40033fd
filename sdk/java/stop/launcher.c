/* SPDX-License-Identifier: MIT */
#include "sdk/java/stop/launcher.h"

#include <pthread.h>

#include "sdk/prewarm/symbols.h"

typedef int create_thread_fn(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg);

static struct {
	create_machine_fn *instead; /* NULL: nothing is exchanged, or it has been */
	create_machine_fn *create;
	create_thread_fn *create_thread;
	struct launcher_args args;
} launcher;

bool launcher_is_here(char library[PATH_MAX])
{
	launcher.create_thread = (create_thread_fn *)next_symbol("pthread_create");
	return any_symbol("JLI_Launch") && own_library(library);
}

void launcher_watch(create_machine_fn *instead)
{
	launcher.instead = instead;
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
	if (launcher.instead) { /* the launcher's first thread */
		struct launcher_args *args = arg;
		create_machine_fn *known = (create_machine_fn *)any_symbol("JNI_CreateJavaVM");

		if (known && args && args->create == known) {
			launcher.args = *args;
			launcher.create = known;
			args->create = launcher.instead;
		}
		launcher.instead = NULL;
	}
	return launcher.create_thread(thread, attr, start, arg);
}

const struct launcher_args *launcher_args(void)
{
	return &launcher.args;
}

jint launcher_create_machine(JavaVM **machine, void **env, void *args)
{
	return launcher.create(machine, env, args);
}
