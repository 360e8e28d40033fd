/* SPDX-License-Identifier: MIT */
/*
 * A program that never stands still while snapshots are taken of it, and looks after each step whether it is what it
 * was. Prints "up", then answers each line on standard input with "fine" once every worker has gone a step further;
 * what goes wrong ends it with a line that says what.
 *
 *     restless WHAT [hook]       hook: calls the hook first, the workers being at it, and says "hook OUTCOME"
 *
 * WHAT: fork, exec, open, peek, map, thread: a worker does that in a tight loop; exec: the worker executes the program
 * anew. -alone behind it: the main thread does it itself, between two looks at its input.
 */
#include <poll.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/victims/victim.h"

#define MAX_WORKERS 4
#define MARK        "RESTLESS" /* in the environment of what was executed anew: the pid */

static const char *self;
static char **args;
static uint64_t heap[512];
static pid_t pid;
static unsigned n_areas;
static atomic_ulong rounds[MAX_WORKERS];
static pthread_mutex_t answering = PTHREAD_MUTEX_INITIALIZER;

/* ---- what a process is, and its child has to be, too ------------------------------------------------------------- */

static void set_rounding(void)
{
	uint16_t x87 = 0x0e7f;
	uint32_t sse = 0x7f80;

	__asm__ volatile("fldcw %0; ldmxcsr %1" : : "m"(x87), "m"(sse));
}

static void check_rounding(uint16_t x87, uint32_t sse)
{
	uint16_t x87_now;
	uint32_t sse_now;

	__asm__ volatile("fnstcw %0; stmxcsr %1" : "=m"(x87_now), "=m"(sse_now));
	if (x87_now != x87 || (sse_now & ~0x3fu) != sse)
		FAIL("rounding is %#x %#x, not %#x %#x", x87_now, sse_now, x87, sse);
}

static void check_signals(void)
{
	uint64_t mask = 1;

	CHECK_EQ(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, sizeof(mask)), 0);
	CHECK_EQ(mask, 0);
}

static unsigned count_areas(void)
{
	char text[16384];
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	unsigned n = 0;
	ssize_t len;

	CHECK(fd >= 0);
	while ((len = read(fd, text, sizeof(text))) > 0)
		for (ssize_t i = 0; i < len; i++)
			n += text[i] == '\n';
	close(fd);
	return n;
}

/* ---- the steps --------------------------------------------------------------------------------------------------- */

static __attribute__((noreturn)) void be_child(const uint64_t *stack)
{
	CHECK_EQ(getppid(), pid);
	CHECK(getpid() != pid && syscall(SYS_gettid) == getpid());
	CHECK(filled(stack, 1024, 3) && filled(heap, sizeof(heap), 4));
	check_signals();
	check_rounding(0x0e7f, 0x7f80);
	CHECK(fcntl(0, F_GETFD) >= 0 && fcntl(1, F_GETFD) >= 0);
	if (n_areas)
		CHECK_EQ(count_areas(), n_areas);
	_exit(3);
}

static void step_fork(int who, unsigned long n)
{
	uint64_t stack[128];
	int status;
	pid_t child;

	(void)who;
	set_rounding();
	fill(stack, sizeof(stack), 3);
	if (n == 1)
		n_areas = count_areas();
	child = fork();
	CHECK(child >= 0);
	if (child == 0)
		be_child(stack);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	check_rounding(0x0e7f, 0x7f80);
}

/* Descriptors get the lowest number that is free: one of somebody else's among them would show. */
static void step_open(int who, unsigned long n)
{
	static int lowest = -1;
	int fd = open(self, O_RDONLY | O_CLOEXEC), again, ends[2], pair[2];
	char magic[4], c = (char)n;

	(void)who;
	if (lowest < 0)
		lowest = fd;
	CHECK_EQ(fd, lowest);
	CHECK(read(fd, magic, sizeof(magic)) == sizeof(magic) && memcmp(magic, "\177ELF", 4) == 0);
	CHECK_EQ(again = dup(fd), lowest + 1);
	CHECK_EQ(lseek(again, 0, SEEK_CUR), 4);
	CHECK_EQ(close(fd), 0);
	CHECK(pipe2(ends, O_CLOEXEC) == 0 && ends[0] == lowest && ends[1] == lowest + 2);
	CHECK(write(ends[1], &c, 1) == 1 && read(ends[0], magic, 4) == 1 && magic[0] == c);
	CHECK(close(ends[1]) == 0 && close(ends[0]) == 0 && close(again) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 && pair[0] == lowest);
	CHECK(write(pair[0], &c, 1) == 1 && read(pair[1], magic, 4) == 1 && magic[0] == c);
	CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
}

/* As programs do that look how much memory they use. */
static void step_peek(int who, unsigned long n)
{
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	char text[1024];
	ssize_t len;

	(void)who;
	(void)n;
	CHECK(fd >= 0 && (len = read(fd, text, sizeof(text) - 1)) > 100);
	text[len] = 0;
	CHECK_EQ(atoi(text), pid);
	CHECK_EQ(close(fd), 0);
}

static void step_map(int who, unsigned long n)
{
	uint64_t seed = mix((uint64_t)who << 32 | n);
	char *area = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *moved, *heap_end;

	CHECK(area != MAP_FAILED && is_zero(area, 65536));
	fill(area, 8192, seed);
	CHECK_EQ(mprotect(area, 4096, PROT_READ), 0);
	CHECK_EQ(madvise(area + 4096, 4096, MADV_DONTNEED), 0);
	CHECK(filled(area, 4096, seed) && is_zero(area + 4096, 61440));
	CHECK_EQ(munmap(area + 8192, 4096), 0);
	moved = mremap(area + 12288, 4096, 32768, MREMAP_MAYMOVE);
	CHECK(moved != MAP_FAILED && is_zero(moved, 32768));
	CHECK(munmap(moved, 32768) == 0 && munmap(area, 65536) == 0);
	if (who)
		return;
	heap_end = sbrk(8192);
	CHECK(heap_end != (void *)-1);
	fill(heap_end, 8192, seed + 1);
	CHECK(filled(heap_end, 8192, seed + 1) && sbrk(-8192) == heap_end + 8192);
}

static void step_exec(int who, unsigned long n)
{
	if (who) { /* those are killed by it, wherever they are */
		step_map(who, n);
		return;
	}
	pthread_mutex_lock(&answering); /* a line that has been read is answered first */
	execv(self, args);
	FAIL("execv %s: %s", self, strerror(errno));
}

static void *short_life(void *arg)
{
	uint64_t stack[64];

	fill(stack, sizeof(stack), (uintptr_t)arg);
	CHECK(syscall(SYS_gettid) != pid && filled(stack, sizeof(stack), (uintptr_t)arg));
	return (void *)(uintptr_t)mix((uintptr_t)arg);
}

static void step_thread(int who, unsigned long n)
{
	uintptr_t seed = (uintptr_t)who << 32 | n;
	pthread_t thread;
	void *result;

	CHECK_EQ(pthread_create(&thread, NULL, short_life, (void *)seed), 0);
	CHECK_EQ(pthread_join(thread, &result), 0);
	CHECK((uintptr_t)result == mix(seed));
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

static const struct kind {
	const char *name;
	void (*step)(int who, unsigned long n);
	int n_workers;
	bool alone;
} kinds[] = {
        {"fork", step_fork, 1, false},           {"fork-alone", step_fork, 1, true},
        {"exec", step_exec, MAX_WORKERS, false}, {"exec-alone", step_exec, 1, true},
        {"open", step_open, 1, false},           {"open-alone", step_open, 1, true},
        {"peek", step_peek, 1, false},           {"map", step_map, MAX_WORKERS, false},
        {"map-alone", step_map, 1, true},        {"thread", step_thread, 2, false},
};
static const struct kind *kind;

static void *works(void *arg)
{
	int who = (int)(intptr_t)arg;

	for (unsigned long n = 0;; n++) {
		kind->step(who, n);
		atomic_fetch_add(&rounds[who], 1);
	}
	return NULL;
}

static void goes_on(int who, unsigned long before)
{
	for (int i = 0; i < 10000; i++) {
		if (atomic_load(&rounds[who]) > before || kind->step == step_exec)
			return;
		sleep_ms(1);
	}
	FAIL("worker %d does not go on", who);
}

static void say(const char *words)
{
	CHECK_EQ(write(1, words, strlen(words)), (ssize_t)strlen(words));
}

/* Returns false where the input has ended. */
static bool answer(void)
{
	char line[64];

	if (read(0, line, sizeof(line)) <= 0)
		return false;
	for (int i = 0; i < kind->n_workers && !kind->alone; i++)
		goes_on(i, atomic_load(&rounds[i]));
	CHECK(filled(heap, sizeof(heap), 4));
	check_signals();
	say("fine\n");
	return true;
}

/* An executed program starts afresh: nothing of whoever looked at the one before is left. */
static void check_start(void)
{
	CHECK_EQ(atoi(getenv(MARK)), pid);
	check_signals();
	check_rounding(0x37f, 0x1f80);
	for (int fd = 3; fd < 20; fd++)
		CHECK(fcntl(fd, F_GETFD) < 0 && errno == EBADF);
}

static void begin(bool anew, bool calls_hook)
{
	char words[32];
	pthread_t thread;
	int outcome;

	if (!anew)
		say("up\n");
	for (int i = kind->alone ? 0 : kind->n_workers;
	     i-- > 0;) /* who executes comes last: clone(2) fails meanwhile */
		CHECK_EQ(pthread_create(&thread, NULL, works, (void *)(intptr_t)i), 0);
	if (!calls_hook)
		return;
	outcome = hook();
	snprintf(words, sizeof(words), "hook %d\n", outcome);
	if (!anew)
		say(words);
}

int main(int argc, char **argv)
{
	struct pollfd input = {.fd = 0, .events = POLLIN};
	bool anew = getenv(MARK) != NULL, more = true;
	char number[16];

	self = argv[0];
	args = argv;
	pid = getpid();
	fill(heap, sizeof(heap), 4);
	for (size_t i = 0; argc > 1 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(argv[1], kinds[i].name) == 0)
			kind = &kinds[i];
	CHECK(kind);
	if (anew)
		check_start();
	snprintf(number, sizeof(number), "%d", pid);
	CHECK_EQ(setenv(MARK, number, 1), 0);
	begin(anew, argc > 2);
	for (unsigned long n = 0; more; n++) {
		if (poll(&input, 1, kind->alone ? 0 : -1) > 0) {
			pthread_mutex_lock(&answering);
			more = answer();
			pthread_mutex_unlock(&answering);
		} else if (kind->alone) {
			kind->step(0, n);
		}
	}
	_exit(0);
}
