/* SPDX-License-Identifier: MIT */
/* Values of JavaScript, made and read through Node-API. */
#ifndef WARM_SDK_NODE_VALUES_H
#define WARM_SDK_NODE_VALUES_H

#include <stdbool.h>
#include <stddef.h>

#ifndef NAPI_VERSION
#define NAPI_VERSION 8
#endif
#include <node_api.h>

struct strings {
	char **list; /* NULL at the end */
	size_t n;
};
void strings_fini(struct strings *strings);

/* Throws an error that says what failed, and why (-errno). Returns NULL. */
napi_value value_fail(napi_env env, const char *what, int r);

napi_value value_number(napi_env env, double value);
napi_value value_boolean(napi_env env, bool value);
napi_value value_string(napi_env env, const char *text); /* undefined for NULL */
napi_value value_strings(napi_env env, char *const *list, size_t n);
napi_value value_property(napi_env env, napi_value object, const char *name);

/* An array of strings. Returns 0 or -errno; on failure strings_fini() frees what is there. */
int value_get_strings(napi_env env, napi_value array, struct strings *ret);

/* malloc'ed; NULL: it is no string, or out of memory. */
char *value_get_string(napi_env env, napi_value value);

struct named_function {
	const char *name;
	napi_callback fn;
};
void value_export(napi_env env, napi_value exports, const struct named_function *functions, size_t n);

#endif
