/* SPDX-License-Identifier: MIT */
#include "warmd/served.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* "SIGINT and SIGQUIT" */
static void name_signals(uint64_t set, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (; set && len < size; set &= set - 1) {
		int sig = __builtin_ctzll(set) + 1;
		const char *name = sigabbrev_np(sig);

		len += (size_t)snprintf(text + len, size - len, "%s", !len ? "" : set & (set - 1) ? ", " : " and ");
		if (len < size && name)
			len += (size_t)snprintf(text + len, size - len, "SIG%s", name);
		else if (len < size)
			len += (size_t)snprintf(text + len, size - len, "signal %d", sig);
	}
}

/* What `warm exec NAME` starts has this name in front; a program may write another one over it. */
static bool is_its_name(const char *cmd, const ProtobufCBinaryData *argv0)
{
	const char *base = strrchr(cmd, '/') + 1, *name = (const char *)argv0->data;
	const char *slash = argv0->len ? memrchr(name, '/', argv0->len) : NULL;
	size_t len = slash ? (size_t)(name + argv0->len - slash - 1) : argv0->len;

	return len == strlen(base) && !memcmp(base, name + argv0->len - len, len);
}

unsigned served_notes(const Warm__Rpc__Conditions *conditions, uint64_t sig_ignored,
                      char ret_note[SERVED_NOTES_MAX][ERR_MSG_MAX])
{
	const ProtobufCBinaryData *argv0 = conditions->argv;
	uint64_t more = conditions->sig_ignored & ~sig_ignored;
	char signals[64];
	unsigned n = 0;

	if (conditions->n_argv && !is_its_name(conditions->cmd, argv0))
		snprintf(ret_note[n++], ERR_MSG_MAX,
		         "plain launches of it will start cold: its command line reads \"%.*s\" now; if it has written "
		         "that "
		         "itself, start it with `warm exec --ready`",
		         argv0->len < 60 ? (int)argv0->len : 60, (const char *)argv0->data);
	if (more) {
		name_signals(more, signals, sizeof(signals));
		snprintf(ret_note[n++], ERR_MSG_MAX,
		         "launches that do not ignore %s will start cold: the process does (nohup and a shell's & have "
		         "it so, or the program itself: then start it with `warm exec --ready`)",
		         signals);
	}
	return n;
}
