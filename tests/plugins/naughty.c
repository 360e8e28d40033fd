/* SPDX-License-Identifier: MIT */
/*
 * Everything that a plugin can do wrong, one at a time: compiled once for each NAME (tests/tests.mk), which says what.
 * `witness` does nothing wrong: it takes the process, and says on standard error what it is told. Nor does `aged`, of
 * which there are two versions. `alter` alters a byte of each clone. `forget` calls memory unused. `leave` has a table
 * from before stopped().
 */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "plugins/wire.h"

#define IS(name) (strcmp(NAME, name) == 0)
#define LOOKS_ON (IS("witness") || IS("aged"))
#ifndef VERSION
#define VERSION 1
#endif

__attribute__((unused)) static const char *const paths[] = {"/memfd:kept*", "/dev/full", NULL};

static int crash(void)
{
	raise(SIGSEGV);
	return 0;
}

static int hang(void)
{
	for (;;)
		pause();
	return 0;
}

/* In the place of its host: of what it has open this is the only socket. */
static int answer(const void *words, size_t len)
{
	for (int fd = 3; fd < 16; fd++)
		send(fd, words, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return WARM_TAKE;
}

static int answer_short(uint32_t kind)
{
	const struct answer words = {.kind = kind, .result = WARM_TAKE, .len = kind == ANSWER_LOADED ? 0 : 100000};

	return answer(&words, sizeof(words));
}

/* Makes the program end its main thread, and waits for that. */
static int meddle(pid_t pid)
{
	char path[64], text[256] = "";

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	kill(pid, SIGUSR1);
	for (int i = 0; i < 1000 && !strstr(text, ") Z "); i++) {
		FILE *file = fopen(path, "re");

		if (file) {
			fgets(text, sizeof(text), file);
			fclose(file);
		}
		usleep(1000);
	}
	return WARM_LEAVE;
}

__attribute__((constructor)) static void loaded(void)
{
	if (IS("babble_load"))
		answer_short(ANSWER_LOADED);
	if (IS("crash_load"))
		crash();
	if (IS("hang_load"))
		hang();
}

/* The last bytes of the heap, which nobody has written to. */
static int save_place(struct warm_snapshot *s, int pid)
{
	unsigned long start, end = 0;
	char path[32], line[256];
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	while (maps && !end && fgets(line, sizeof(line), maps))
		if (!strstr(line, "[heap]") || sscanf(line, "%lx-%lx", &start, &end) != 2)
			end = 0;
	if (maps)
		fclose(maps);
	end -= 8;
	return end && s->save(s, &end, sizeof(end)) == 0 ? WARM_TAKE : WARM_REFUSE;
}

static int offer_process(struct warm_snapshot *s, pid_t pid)
{
	if (IS("meddle"))
		return meddle(pid);
	if (IS("crash_process"))
		return crash();
	if (IS("hang_process"))
		return hang();
	if (IS("refuse_process"))
		return s->refuse(s, "not this program, %s", "please");
	if (IS("alter"))
		return save_place(s, pid);
	if (IS("hang_later"))
		return s->more_time(s, 50) == 0 ? hang() : WARM_LEAVE;
	if (IS("hang_much_later")) {
		for (int i = 0; i < 4; i++)
			s->more_time(s, 10000);
		return hang();
	}
	if (IS("forget") || IS("crash_stopped") || IS("hang_stopped") || IS("refuse_stopped"))
		return WARM_WATCH;
	if (LOOKS_ON)
		return s->save(s, "seen", 5) == 0 ? WARM_TAKE : WARM_REFUSE;
	return WARM_LEAVE;
}

static int offer(struct warm_snapshot *s, const struct warm_object *object)
{
	if (object->kind == WARM_PROCESS)
		return offer_process(s, object->pid);
	if (object->kind == WARM_DEVICE)
		return IS("refuse_device") ? s->refuse(s, "no devices today") : WARM_LEAVE;
	if (IS("crash_offer"))
		return crash();
	if (IS("hang_offer"))
		return hang();
	if (IS("exit_offer"))
		exit(3);
	if (IS("babble_offer"))
		return answer("what?", 5);
	if (IS("short_offer"))
		return answer_short(ANSWER_OFFER);
	if (IS("nonsense"))
		return 42;
	return LOOKS_ON || IS("alter") || IS("meddle") || IS("refuse_device") || IS("leave") ? WARM_LEAVE : WARM_TAKE;
}

#define FORGOTTEN 0x700000000000ul /* where a test has five pages */
#define PAGE      4096u

/* Out of order, one in another, beside pages, nothing, and where nothing is: the second and the fourth page. */
__attribute__((unused)) static int stopped(struct warm_snapshot *s)
{
	if (IS("crash_stopped"))
		return crash();
	if (IS("hang_stopped"))
		return hang();
	if (IS("refuse_stopped"))
		return s->refuse(s, "not as it stands");
	s->unused(s, FORGOTTEN + 3 * PAGE, FORGOTTEN + 4 * PAGE);
	s->unused(s, FORGOTTEN + 3 * PAGE + 16, FORGOTTEN + 3 * PAGE + 32);
	s->unused(s, FORGOTTEN + 1, FORGOTTEN + 3 * PAGE - 1);
	s->unused(s, FORGOTTEN + 4 * PAGE, FORGOTTEN + 4 * PAGE);
	s->unused(s, FORGOTTEN + 5 * PAGE, FORGOTTEN + 4 * PAGE);
	s->unused(s, FORGOTTEN + 100 * PAGE, FORGOTTEN + 200 * PAGE);
	s->unused(s, -(uint64_t)PAGE, -1);
	return 0;
}

static void resumed(struct warm_snapshot *s, int captured)
{
	(void)s;
	if (IS("crash_resumed"))
		crash();
	fprintf(stderr, "%s: resumed, captured %d\n", NAME, captured);
}

static int alter(struct warm_plan *p)
{
	unsigned long place;

	memcpy(&place, p->saved, sizeof(place));
	return p->copy(p, WARM_STANDBY, place, p->data(p, "\x5a", 1), 1);
}

static int plan(struct warm_plan *p, const struct warm_object *object)
{
	if (IS("crash_plan"))
		return crash();
	if (IS("hang_plan"))
		return hang();
	if (IS("refuse_plan"))
		return p->refuse(p, "not here");
	if (IS("alter"))
		return alter(p);
	if (IS("bad_call"))
		return p->call(p, &(struct warm_call){.phase = 9, .nr = SYS_getpid, .words = "never"}), 0;
	if (IS("failing_call"))
		p->call(p,
		        &(struct warm_call){.phase = WARM_STANDBY, .nr = SYS_close, .args = {-1ul}, .words = "fail"});
	if (LOOKS_ON && (object->kind != WARM_PROCESS || p->saved_len != 5 || strcmp(p->saved, "seen") != 0))
		return p->refuse(p, "something else was saved");
	for (uint8_t phase = WARM_TEMPLATE; phase <= WARM_GO; phase++)
		p->call(p, &(struct warm_call){.phase = phase, .nr = SYS_getpid, .words = "look around"});
	return 0;
}

const struct warm_plugin warm_plugin = {
#ifdef WRONG_ABI
        .abi = WARM_PLUGIN_ABI + 1,
#else
        .abi = WARM_PLUGIN_ABI,
#endif
#ifdef SHORT_TABLE
        .size = 24,
#elif defined(LEAVE)
        .size = offsetof(struct warm_plugin, stopped),
#else
        .size = sizeof(warm_plugin),
#endif
#ifdef WRONG_NAME
        .name = "somebody",
#else
        .name = NAME,
#endif
        .words = "does what its name says",
#ifdef WITNESS
        .version = 3,
        .oldest = 2,
#else
        .version = VERSION,
        .oldest = 1,
#endif
#ifdef NO_PATHS
        .paths = NULL,
#else
        .paths = paths,
#endif
        .offer = offer,
        .resumed = resumed,
        .plan = plan,
#ifndef LEAVE
        .stopped = stopped,
#endif
};
