/* SPDX-License-Identifier: MIT */
/*
 * The performance data of a HotSpot virtual machine, a file that it has mapped shared:
 *
 *     /tmp/hsperfdata_USER/PID    32 KiB, locked (flock) through the mapping; its descriptor is closed
 *
 * Any other JVM's start may delete it: what PID names is looked up in that JVM's pid namespace. And all clones of one
 * snapshot have the same PID and share /tmp, so none of them may have that name. Each clone gets a file in the same
 * folder that never had a name (O_TMPFILE): nobody deletes it, no two share it, and it goes with the clone. jps(1)
 * finds JVMs by these names and so does not list clones; jcmd(1) and jstack(1) reach them by their number all the same.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "plugins/jvm/jvm.h"

#define DATA_MAX (16u << 20) /* -XX:PerfDataMemorySize may be more than the usual 32 KiB */

int performance_offer(struct warm_snapshot *s, const struct warm_object *object)
{
	size_t len = object->end - object->start;
	char *data;
	int r;

	if (object->kind != WARM_MAPPING || !object->shared || object->offset)
		return WARM_LEAVE; /* a descriptor there is a program that reads it, jps(1) for one */
	if (!(object->prot & PROT_WRITE))
		return WARM_LEAVE;
	if (len > DATA_MAX)
		return s->refuse(s, "%zu MiB of performance data", len >> 20);
	data = malloc(len);
	r = data ? s->read(s, object->start, data, len) : -1;
	if (r == 0)
		r = s->save(s, data, len);
	free(data);
	return r < 0 ? s->refuse(s, "the performance data cannot be read") : WARM_TAKE;
}

/* The folder of /tmp/hsperfdata_USER/... */
static int folder_of(const char *path, char *folder, size_t size)
{
	const char *slash = strncmp(path, FOLDER, strlen(FOLDER)) == 0 ? strchr(path + strlen(FOLDER), '/') : NULL;

	return slash && snprintf(folder, size, "%.*s", (int)(slash - path), path) < (int)size;
}

/* Not every file system has files without a name. The folder may be missing: what holds for /tmp holds for it. */
static int has_nameless_files(const char *folder)
{
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void make_file(struct warm_plan *p, const char *folder)
{
	struct warm_call make = {.phase = WARM_STANDBY, .nr = SYS_openat, .keep = 1};
	uint64_t name;

	if (folder) {
		/* As HotSpot makes it; others that it finds it checks, and so need not we. */
		name = p->data(p, folder, strlen(folder) + 1);
		p->call(p, &(struct warm_call){.phase = WARM_STANDBY,
		                               .want = WARM_WANT_ANY,
		                               .nr = SYS_mkdir,
		                               .args = {name, 0755},
		                               .words = "the folder of performance data"});
		make.args[0] = (uint64_t)AT_FDCWD;
		make.args[1] = name;
		make.args[2] = O_TMPFILE | O_RDWR | O_CLOEXEC | O_NOFOLLOW;
		make.args[3] = 0600;
	} else {
		make.nr = SYS_memfd_create;
		make.args[0] = p->data(p, "hsperfdata", sizeof("hsperfdata"));
		make.args[1] = MFD_CLOEXEC;
	}
	make.words = "performance data of its own";
	p->call(p, &make);
}

int performance_plan(struct warm_plan *p, const struct warm_object *object)
{
	size_t len = object->end - object->start;
	char folder[256];
	int named = folder_of(object->path, folder, sizeof(folder)) && has_nameless_files(folder);

	if (object->kind != WARM_MAPPING || p->saved_len != len)
		return p->refuse(p, "performance data of %zu bytes for %zu", p->saved_len, len);
	make_file(p, named ? folder : NULL);
	/* Written, not only made this long: a full disk is found here, and not by a signal later. */
	p->call(p, &(struct warm_call){.phase = WARM_STANDBY,
	                               .want = WARM_WANT_EXACT,
	                               .nr = SYS_pwrite64,
	                               .kept = 1,
	                               .args = {0, p->data(p, p->saved, len), len, 0},
	                               .expect = len,
	                               .words = "as it was"});
	p->call(p, &(struct warm_call){.phase = WARM_STANDBY,
	                               .want = WARM_WANT_ANY,
	                               .nr = SYS_flock,
	                               .kept = 1,
	                               .args = {0, LOCK_EX | LOCK_NB},
	                               .words = "locked, as HotSpot has it"});
	p->call(p, &(struct warm_call){.phase = WARM_STANDBY,
	                               .want = WARM_WANT_EXACT,
	                               .nr = SYS_mmap,
	                               .kept = 1 << 4,
	                               .args = {object->start, len, object->prot, MAP_SHARED | MAP_FIXED_NOREPLACE},
	                               .expect = object->start,
	                               .words = "map it"});
	p->call(p, &(struct warm_call){
	                   .phase = WARM_STANDBY, .nr = SYS_close, .kept = 1, .words = "its descriptor is not kept"});
	return 0;
}
