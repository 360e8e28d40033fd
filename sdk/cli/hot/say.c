/* SPDX-License-Identifier: MIT */
/* What the person hears: one line when it fails, one JSON line with --explain. */
#include "base/utf8.h"
#include "sdk/cli/hot/hot.h"
#include "sdk/cli/hot/sys.h"
#include "sdk/cli/hot/text.h"

static char line[PATH_BYTES + 1024];

static void say(const struct launch *l, const struct text *text)
{
	if (l->stderr_open)
		sys_write(2, line, (size_t)(text->at - line));
}

void hot_fail_parts(const struct launch *l, int code, const char *const *part)
{
	struct text text;

	text_init(&text, line, sizeof(line) - 1);
	text_add(&text, "warm: ");
	for (; *part; part++)
		text_add(&text, *part);
	utf8_printable(line);
	text.end++;
	text_byte(&text, '\n');
	say(l, &text);
	sys_exit(code);
}

/* Moments of one launch, CLOCK_MONOTONIC, in their order; those that did not come to pass are left out. */
static void add_moments(struct text *text, const struct launch *l)
{
	const struct launch_reply *reply = &l->reply;
	uint64_t accepted = reply->go_ns - reply->go_us * 1000ull;
	int went = l->have_reply && reply->go_ns;
	const struct {
		const char *name;
		uint64_t ns;
	} moment[] = {
	        {"{\"start\":", l->options->started_ns},
	        {",\"accepted\":", went ? accepted : 0},
	        {",\"sent\":", l->sent_ns},
	        {",\"taken\":", went && reply->taken_us ? accepted + reply->taken_us * 1000ull : 0},
	        {",\"found\":", went ? accepted + reply->lookup_us * 1000ull : 0},
	        {",\"go\":", went ? reply->go_ns : 0},
	        {",\"running\":", l->heard_ns},
	};

	text_add(text, ",\"at_ns\":");
	for (unsigned i = 0; i < sizeof(moment) / sizeof(*moment); i++) {
		if (!moment[i].ns)
			continue;
		text_add(text, moment[i].name);
		text_number(text, moment[i].ns);
	}
	text_add(text, "}");
}

void hot_explain(const struct launch *l, const char *cold_reason)
{
	static const char *const tiers[] = {"hot", "template", "cold_restore", "cold_start"};
	const struct launch_reply *reply = &l->reply;
	uint64_t until = reply->go_ns;
	unsigned tier = reply->tier < 4 ? reply->tier : TIER_COLD_START;
	const char *reason = reply->reason;
	struct text text;

	if (!l->options->explain)
		return;
	if (cold_reason) {
		tier = TIER_COLD_START;
		reason = cold_reason;
		until = sys_now_ns();
	} else if (!l->have_reply) {
		reason = "the daemon ended once the program ran";
		until = sys_now_ns();
	}

	text_init(&text, line, sizeof(line));
	text_add(&text, "{\"tier\":\"");
	text_add(&text, tiers[tier]);
	text_add(&text, "\",\"snapshot\":");
	text_json(&text, l->have_reply ? reply->snapshot : NULL);
	text_add(&text, ",\"reason\":");
	text_json(&text, reason);
	text_add(&text, ",\"us\":{\"total\":");
	text_number(&text, until > l->options->started_ns ? (until - l->options->started_ns) / 1000 : 0);
	text_add(&text, ",\"lookup\":");
	text_number(&text, l->have_reply ? reply->lookup_us : 0);
	text_add(&text, ",\"go\":");
	text_number(&text, l->have_reply ? reply->go_us : 0);
	text_add(&text, "}");
	if (l->have_reply && reply->placed_pages) {
		text_add(&text, ",\"placed_pages\":");
		text_number(&text, reply->placed_pages);
	}
	add_moments(&text, l);
	text_add(&text, "}\n");
	say(l, &text);
}
