/* SPDX-License-Identifier: MIT */
#include "sdk/cli/json.h"

#include "base/utf8.h"

static void begin(struct json *json, const char *key);
static void quote(FILE *out, const char *s);

void json_open(struct json *json, const char *key, char bracket)
{
	begin(json, key);
	fputc(bracket, json->out);
	json->comma = false;
}

void json_close(struct json *json, char bracket)
{
	fputc(bracket, json->out);
	json->comma = true;
}

void json_number(struct json *json, const char *key, uint64_t value)
{
	begin(json, key);
	fprintf(json->out, "%llu", (unsigned long long)value);
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_string(struct json *json, const char *key, const char *value)
{
	begin(json, key);
	if (value)
		quote(json->out, value);
	else
		fputs("null", json->out);
}

void json_optional(struct json *json, const char *key, const char *value)
{
	json_string(json, key, value && *value ? value : NULL);
}

void json_strings(struct json *json, const char *key, char *const *values, size_t n)
{
	json_open(json, key, '[');
	for (size_t i = 0; i < n; i++)
		json_string(json, NULL, values[i]);
	json_close(json, ']');
}

static void begin(struct json *json, const char *key)
{
	if (json->comma)
		fputs(", ", json->out);
	json->comma = true;
	if (key) {
		quote(json->out, key);
		fputs(": ", json->out);
	}
}

/* A name of a file may be any bytes: those that are no UTF-8 become the replacement character. */
static void quote(FILE *out, const char *s)
{
	fputc('"', out);
	while (*s) {
		unsigned char c = (unsigned char)*s;
		int n = utf8_len(s);

		if (n == 0) {
			fputs("\\ufffd", out);
			s++;
		} else if (c == '"' || c == '\\') {
			fprintf(out, "\\%c", *s++);
		} else if (c < 0x20 || c == 0x7f) {
			fprintf(out, "\\u%04x", c);
			s++;
		} else {
			fwrite(s, 1, (size_t)n, out);
			s += n;
		}
	}
	fputc('"', out);
}
