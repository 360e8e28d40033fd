/* SPDX-License-Identifier: MIT */
#include "sdk/cli/json.h"

static void begin(struct json *json, const char *key);
static void quote(FILE *out, const char *s);
static int utf8_len(const unsigned char *s);

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
	const unsigned char *at = (const unsigned char *)s;

	fputc('"', out);
	while (*at) {
		int n = utf8_len(at);

		if (n == 0) {
			fputs("\\ufffd", out);
			at++;
		} else if (*at == '"' || *at == '\\') {
			fprintf(out, "\\%c", *at++);
		} else if (*at < 0x20 || *at == 0x7f) {
			fprintf(out, "\\u%04x", *at++);
		} else {
			fwrite(at, 1, (size_t)n, out);
			at += n;
		}
	}
	fputc('"', out);
}

/* Bytes of the character at s, 0 where it is none. */
static int utf8_len(const unsigned char *s)
{
	int n = *s < 0x80                   ? 1
	        : (*s >= 0xc2 && *s < 0xe0) ? 2
	        : (*s >= 0xe0 && *s < 0xf0) ? 3
	        : (*s >= 0xf0 && *s < 0xf5) ? 4
	                                    : 0;

	for (int i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}
