/* SPDX-License-Identifier: MIT */
/* Writes JSON, one value after the other; the writer keeps the commas. key is NULL inside an array. */
#ifndef WARM_CLI_JSON_H
#define WARM_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	bool comma;
};

void json_open(struct json *json, const char *key, char bracket); /* '{' or '[' */
void json_close(struct json *json, char bracket);                 /* '}' or ']' */
void json_number(struct json *json, const char *key, uint64_t value);
void json_bool(struct json *json, const char *key, bool value);
void json_string(struct json *json, const char *key, const char *value);   /* NULL: null */
void json_optional(struct json *json, const char *key, const char *value); /* "": null */
void json_strings(struct json *json, const char *key, char *const *values, size_t n);

#endif
