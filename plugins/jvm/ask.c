/* SPDX-License-Identifier: MIT */
/*
 * Asks for the garbage to be collected, where somebody is there to do it: a program that `warm exec` has started to be
 * snapshotted without the hook has sdk/java/stop/collect.c inside, whose first thread waits for a signal that no other
 * program can wait for. Whatever comes of it, the program goes on, and so does the snapshot.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "plugins/jvm/jvm.h"

#define ASK_SIGNAL 32 /* as there */
#define ASK_SET    (UINT64_C(1) << (ASK_SIGNAL - 1))
#define LIMIT_MS   25000 /* of WARM_PLUGIN_MORE_MS */
#define LOOK_MS    2     /* nothing tells of the end of a collection, so it is looked for */
#define MORE_MS    1000  /* time for an answer, behind each part of the wait */

/* What its first thread waits in, and two of the arguments. false: in nothing. */
static bool waits_in(pid_t pid, unsigned long *ret_nr, unsigned long *ret_first, unsigned long *ret_third)
{
	unsigned long second;
	char path[40];
	FILE *file;
	bool ret;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	file = fopen(path, "re");
	ret = file && fscanf(file, "%lu %lx %lx %lx", ret_nr, ret_first, &second, ret_third) == 4;
	if (file)
		fclose(file);
	return ret;
}

/* For this signal, and without a limit. */
static bool waits_for_us(struct warm_snapshot *s, pid_t pid)
{
	unsigned long nr, set, limit;

	return waits_in(pid, &nr, &set, &limit) && nr == SYS_rt_sigtimedwait && !limit && read_word(s, set) == ASK_SET;
}

/* It has the signal blocked until the collection is done, and waits for "main" then. (In sigtimedwait(2) it shows the
 * signal as not blocked.) */
static bool is_done(pid_t pid)
{
	unsigned long long blocked = 0;
	unsigned long nr, unused;
	char path[40], line[256];
	FILE *file;

	if (kill(pid, 0) == 0 && (!waits_in(pid, &nr, &unused, &unused) || nr != SYS_futex))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "SigBlk: %llx", &blocked) == 1)
			break;
	if (file)
		fclose(file);
	return !(blocked & ASK_SET);
}

void ask_to_collect(struct warm_snapshot *s, pid_t pid)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};

	if (!waits_for_us(s, pid) || syscall(SYS_tgkill, pid, pid, ASK_SIGNAL))
		return;
	for (int ms = 0; ms < LIMIT_MS && !is_done(pid); ms += LOOK_MS) {
		if (ms % MORE_MS == 0)
			s->more_time(s, 2 * MORE_MS);
		nanosleep(&pause, NULL);
	}
}
