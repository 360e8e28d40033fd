/* SPDX-License-Identifier: MIT */
/*
 * libwarm: the hook that makes a program start as if it were already running.
 *
 *     int main(void)
 *     {
 *             load_everything();                       // what is slow, and the same for every launch
 *             warm_depends("/etc/shop/catalog.conf");  // what the state came from
 *             warm_launch_env("SHOP_*");               // what belongs to the launch, not to the snapshot
 *             warm_ready(WARM_ARGV | WARM_CWD);
 *             return serve(warm_argc(), warm_argv());
 *     }
 *
 * Started by `warm exec`, the program is frozen inside warm_ready(), stored, and runs on. Every later `warm exec` of it
 * is a copy that continues at that point. warm_ready() returns twice, like fork: WARM_RESUMED in the original,
 * WARM_RESTORED in each copy. Without a daemon, or not started by `warm exec`, it returns WARM_COLD at once.
 *
 * Every function may be called from any thread, none from a signal handler. Link with `pkg-config --libs warm`; the
 * library needs libc only.
 */
#ifndef WARM_H
#define WARM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Flags of warm_ready(): what else is the launch's from the hook on. To set one is the program's word that it has
 * not used the thing before; without it a launch where the thing differs starts cold. */
#define WARM_ARGV 1u /* the arguments after argv[0] */
#define WARM_CWD  2u /* the working directory */

#define WARM_RESUMED  0 /* the original: it was snapshotted and goes on */
#define WARM_RESTORED 1 /* a copy */
#define WARM_COLD     2 /* no snapshot is taken: no daemon, not started by `warm exec`, or refused */

/*
 * The hook. Call it once, when what is the same for every launch is done: it runs the before-hooks, flushes stdio, asks
 * for a snapshot and blocks until it is taken (up to a fraction of a second). In a copy, before it returns: argv
 * (with WARM_ARGV), the environment variables named by warm_launch_env(), the working directory (with WARM_CWD) and
 * descriptors 0 1 2 are the launch's, what stdin had buffered is dropped, and the after-hooks ran.
 *
 * A second call returns what the first did. In a child forked by the program it returns WARM_COLD.
 * Returns one of the above, or -EINVAL for unknown flags, -ENOMEM.
 */
int warm_ready(unsigned flags);

/* Makes an environment variable the launch's from the hook on: `name`, or PREFIX* for all that start so. The
 * string is copied. Call it before warm_ready(). Returns 0, -EINVAL (empty, or with '=') or -ENOMEM. */
int warm_launch_env(const char *name);

/* Declares a file that the program's state came from: when it changes, the snapshot is not used any more. For a
 * directory the names in it count; a path that does not exist must stay so. A relative path is meant from the
 * working directory of this moment. The string is copied. Call it before warm_ready(). Returns 0 or -errno. */
int warm_depends(const char *path);

/* A hook: returns 0, or anything else if it failed. */
typedef int (*warm_fn)(void *arg);

/* `fn` runs in warm_ready(), in its thread, before the snapshot; the latest registered runs first. If one fails no
 * snapshot is taken and warm_ready() returns WARM_COLD. Returns 0 or -ENOMEM. */
int warm_on_snapshot(warm_fn fn, void *arg);

/* `fn` runs in each copy before warm_ready() returns, in the order of registration: the place to reseed random
 * generators and to connect again. If one fails the copy ends with exit status 125 and a line on standard error.
 * Returns 0 or -ENOMEM. */
int warm_on_restore(warm_fn fn, void *arg);

/* The program's arguments: as main() got them, in a copy with WARM_ARGV the launch's. Argument 0 is the program's
 * name; the vector ends with NULL and belongs to the library. */
int warm_argc(void);
char **warm_argv(void);

/* The number of this copy, never 0 and never the same twice; 0 in the original. */
uint64_t warm_generation(void);

#ifdef __cplusplus
}
#endif

#endif
