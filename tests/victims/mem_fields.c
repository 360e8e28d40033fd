/* SPDX-License-Identifier: MIT */
/* What /proc tells about the process image: break, cmdline, environ, auxv, exe, code and data addresses, labels. */
#include "victim.h"

extern char **environ;

struct told {
	char cmdline[4096], environ[16384], auxv[4096], exe[4096], comm[64];
	size_t cmdline_len, environ_len, auxv_len;
	unsigned long field[60]; /* of /proc/self/stat */
};

/* start_code end_code start_stack; start_data end_data start_brk arg_start arg_end env_start env_end */
static const int field[] = {26, 27, 28, 45, 46, 47, 48, 49, 50, 51};

static void ask(struct told *t)
{
	static char stat[4096];
	ssize_t len = readlink("/proc/self/exe", t->exe, sizeof t->exe - 1);
	char *p;

	CHECK(len > 0);
	t->exe[len] = 0;
	t->cmdline_len = slurp("/proc/self/cmdline", t->cmdline, sizeof t->cmdline);
	t->environ_len = slurp("/proc/self/environ", t->environ, sizeof t->environ);
	t->auxv_len = slurp("/proc/self/auxv", t->auxv, sizeof t->auxv);
	slurp("/proc/self/comm", t->comm, sizeof t->comm);
	slurp("/proc/self/stat", stat, sizeof stat);
	p = strrchr(stat, ')') + 2;
	for (int i = 3; i < 53; i++) {
		t->field[i] = strtoul(p, NULL, 10);
		p = strchr(p, ' ');
		if (!p)
			break;
		p++;
	}
}

int main(int argc, char **argv)
{
	static struct told before, after;
	char line[600], *heap = malloc(100), *top = sbrk(0);

	CHECK(argc >= 1 && heap);
	ask(&before);
	hook();

	ask(&after);
	CHECK_STR(after.exe, before.exe);
	CHECK_STR(after.comm, before.comm);
	CHECK_EQ(after.cmdline_len, before.cmdline_len);
	CHECK(memcmp(after.cmdline, before.cmdline, before.cmdline_len) == 0);
	CHECK_EQ(after.environ_len, before.environ_len);
	CHECK(memcmp(after.environ, before.environ, before.environ_len) == 0);
	CHECK_EQ(after.auxv_len, before.auxv_len);
	CHECK(memcmp(after.auxv, before.auxv, before.auxv_len) == 0);
	for (unsigned i = 0; i < sizeof field / sizeof field[0]; i++)
		if (after.field[field[i]] != before.field[field[i]])
			FAIL("field %d of stat is %#lx, was %#lx", field[i], after.field[field[i]],
			     before.field[field[i]]);
	CHECK(sbrk(0) == top);
	CHECK(sbrk(65536) == top && sbrk(0) == top + 65536);
	memset(top, 1, 65536);
	CHECK(area_line(heap, NULL, line, sizeof line) && strstr(line, "[heap]"));
	CHECK(area_line(&line, NULL, line, sizeof line) && strstr(line, "[stack]"));
	CHECK(strstr(before.cmdline, argv[0]) == before.cmdline);
	CHECK(environ && getenv("PATH"));
	return pass();
}
