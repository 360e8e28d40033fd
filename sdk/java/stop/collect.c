/* SPDX-License-Identifier: MIT */
/*
 * Loaded into a Java launcher whose program does not call the hook and is to be snapshotted when it is ready
 * (LD_PRELOAD): collects the garbage when the plugin `jvm` asks for it (plugins/jvm/ask.c), just before the freeze, and
 * makes a list of the seeds of random numbers.
 *
 *     launcher's first thread     makes the thread "main", would wait for its end, and waits here for a signal instead
 *     thread "main"               makes the Java machine, runs the program
 *     asked                       a thread for the time of it: attach, collect, detach; then the first thread waits for
 *                                 "main", as it always does
 *
 * So nothing is left behind; and before that nothing is there but a signal that is blocked in a thread which has
 * nothing to do. That thread waits for signals alone: a collection that begins when the program ends may never come
 * back.
 */
#include <errno.h>
#include <jvmti.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sdk/java/stop/launcher.h"
#include "sdk/java/stop/seeds.h"
#include "sdk/prewarm/process.h"
#include "sdk/prewarm/symbols.h"

/* glibc's own for pthread_cancel(3), which it sends to single threads only. No program can block it or wait for it, so
 * who does is us. */
#define ASK_SIGNAL 32
#define ASK_SET    (UINT64_C(1) << (ASK_SIGNAL - 1))
#define SETXID_SET (UINT64_C(1) << 32) /* another one of glibc's: every thread hears it */
#define STACK_SIZE (1u << 20)

typedef int join_fn(pthread_t thread, void **ret);

/* Of the first thread. Who leaves WAITING: that one, because it is done, or "main", because it ends and must wake it.
 */
enum state { STARTING, WAITING, DONE, ENDED };

static struct {
	join_fn *join;
	pthread_key_t ends; /* of the thread "main" */
	_Atomic(JavaVM *) machine;
	atomic_int state;
	atomic_bool collected;
	pthread_t thread; /* that collects */
	void *stack;      /* its; NULL: it has not been asked for */
	bool watched;
} collect;

static jint create_machine(JavaVM **machine, void **env, void *args);
static void wait_to_be_asked(void);
static bool start_to_collect(JavaVM *machine);

/* ---- in the launcher ----------------------------------------------------------------------------------------------
 */

static void wake_first_thread(void)
{
	syscall(SYS_tgkill, getpid(), getpid(), ASK_SIGNAL);
}

static void main_ends(void *unused)
{
	(void)unused;
	if (atomic_exchange(&collect.state, ENDED) == WAITING)
		wake_first_thread();
}

/* Before the launcher's main(). */
__attribute__((constructor)) static void look(void)
{
	char library[PATH_MAX];

	collect.join = (join_fn *)next_symbol("pthread_join");
	if (!launcher_is_here(library) || process_leave_preload(library))
		return; /* `#!/usr/bin/env java`: in env, this waits for the next program */
	if (pthread_key_create(&collect.ends, main_ends))
		return;
	collect.watched = true;
	launcher_watch(create_machine);
}

/* In the thread "main". */
static jint create_machine(JavaVM **machine, void **env, void *args)
{
	jint r;

	if (pthread_setspecific(collect.ends, &collect))
		main_ends(NULL); /* nobody would wake the first thread later */
	r = launcher_create_machine(machine, env, args);
	if (r == JNI_OK)
		atomic_store(&collect.machine, *machine);
	return r;
}

EXPORT int pthread_join(pthread_t thread, void **ret)
{
	if (collect.watched && launcher_args()->create && getpid() == syscall(SYS_gettid)) {
		collect.watched = false;
		wait_to_be_asked();
	}
	return collect.join(thread, ret);
}

/* ---- the first thread ---------------------------------------------------------------------------------------------
 */

/* libc's would take our signal out of every set, and so unblock it. */
static int mask(int how, uint64_t set, uint64_t *ret_before)
{
	return (int)syscall(SYS_rt_sigprocmask, how, &set, ret_before, sizeof(set));
}

static long wait_for_signal(const struct timespec *limit)
{
	const uint64_t set = ASK_SET;
	long r;

	do
		r = syscall(SYS_rt_sigtimedwait, &set, NULL, limit, sizeof(set));
	while (r < 0 && errno == EINTR);
	return r;
}

/* Where "main" ends meanwhile the signal stays blocked: whoever asks then must not end the process. */
static void wait_to_be_asked(void)
{
	const struct timespec now = {0};
	int state = STARTING;

	if (mask(SIG_BLOCK, ASK_SET, NULL) < 0 || !atomic_compare_exchange_strong(&collect.state, &state, WAITING))
		return;
	do {
		wait_for_signal(NULL);
		if (atomic_load(&collect.state) == ENDED)
			return;
	} while (!atomic_load(&collect.collected) &&
	         (collect.stack || start_to_collect(atomic_load(&collect.machine))));
	state = WAITING;
	if (!atomic_compare_exchange_strong(&collect.state, &state, DONE))
		return;
	if (collect.stack) {
		collect.join(collect.thread, NULL);
		munmap(collect.stack, STACK_SIZE);
	}
	malloc_trim(0);
	while (wait_for_signal(&now) > 0) /* asked twice */
		;
	mask(SIG_UNBLOCK, ASK_SET, NULL);
}

/* ---- the collection -----------------------------------------------------------------------------------------------
 */

static void *collect_garbage(void *arg)
{
	JavaVMAttachArgs args = {.version = JNI_VERSION_10, .name = (char *)"warm"};
	JavaVM *machine = arg;
	jvmtiEnv *jvmti = NULL;
	JNIEnv *env;

	if ((*machine)->AttachCurrentThreadAsDaemon(machine, (void **)&env, &args) == JNI_OK) {
		if ((*machine)->GetEnv(machine, (void **)&jvmti, JVMTI_VERSION_11) == JNI_OK) {
			(*jvmti)->ForceGarbageCollection(jvmti);
			seeds_find(env, jvmti);
			(*jvmti)->DisposeEnvironment(jvmti);
		}
		(*machine)->DetachCurrentThread(machine);
	}
	atomic_store(&collect.collected, true);
	wake_first_thread();
	return NULL;
}

/* In a thread that hears no signals, on a stack that goes with it: libc would keep its own for the next thread.
 * machine: NULL where it is not complete. */
static bool start_to_collect(JavaVM *machine)
{
	void *stack = machine ? mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK,
	                             -1, 0)
	                      : MAP_FAILED;
	pthread_attr_t attr;
	uint64_t before = 0;
	int r;

	if (stack == MAP_FAILED)
		return false;
	pthread_attr_init(&attr);
	mask(SIG_BLOCK, ~SETXID_SET, &before);
	r = pthread_attr_setstack(&attr, stack, STACK_SIZE);
	if (r == 0)
		r = pthread_create(&collect.thread, &attr, collect_garbage, machine);
	mask(SIG_SETMASK, before, NULL);
	pthread_attr_destroy(&attr);
	if (r)
		munmap(stack, STACK_SIZE);
	else
		collect.stack = stack;
	return r == 0;
}
