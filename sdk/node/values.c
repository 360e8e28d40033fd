/* SPDX-License-Identifier: MIT */
#include "sdk/node/values.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

napi_value value_fail(napi_env env, const char *what, int r)
{
	char text[200];

	snprintf(text, sizeof(text), "%s: %s", what, strerror(-r));
	napi_throw_error(env, NULL, text);
	return NULL;
}

napi_value value_number(napi_env env, double value)
{
	napi_value ret = NULL;

	napi_create_double(env, value, &ret);
	return ret;
}

napi_value value_boolean(napi_env env, bool value)
{
	napi_value ret = NULL;

	napi_get_boolean(env, value, &ret);
	return ret;
}

napi_value value_string(napi_env env, const char *text)
{
	napi_value ret = NULL;

	if (text)
		napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &ret);
	else
		napi_get_undefined(env, &ret);
	return ret;
}

napi_value value_strings(napi_env env, char *const *list, size_t n)
{
	napi_value array = NULL, value;

	napi_create_array_with_length(env, n, &array);
	for (size_t i = 0; i < n; i++)
		if (napi_create_string_utf8(env, list[i], NAPI_AUTO_LENGTH, &value) == napi_ok)
			napi_set_element(env, array, (uint32_t)i, value);
	return array;
}

napi_value value_property(napi_env env, napi_value object, const char *name)
{
	napi_value ret = NULL;

	napi_get_named_property(env, object, name, &ret);
	return ret;
}

void strings_fini(struct strings *strings)
{
	for (size_t i = 0; i < strings->n; i++)
		free(strings->list[i]);
	free(strings->list);
	*strings = (struct strings){0};
}

char *value_get_string(napi_env env, napi_value value)
{
	char *text = NULL;
	size_t len;

	if (napi_get_value_string_utf8(env, value, NULL, 0, &len) != napi_ok)
		return NULL;
	text = malloc(len + 1);
	if (text)
		napi_get_value_string_utf8(env, value, text, len + 1, &len);
	return text;
}

int value_get_strings(napi_env env, napi_value array, struct strings *ret)
{
	uint32_t n;

	if (napi_get_array_length(env, array, &n) != napi_ok)
		return -EINVAL;
	ret->list = calloc(n + 1, sizeof(*ret->list));
	if (!ret->list)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		napi_value value;

		if (napi_get_element(env, array, i, &value) != napi_ok)
			return -EINVAL;
		ret->list[i] = value_get_string(env, value);
		if (!ret->list[i])
			return -EINVAL;
		ret->n = i + 1;
	}
	return 0;
}

void value_export(napi_env env, napi_value exports, const struct named_function *functions, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		napi_value fn = NULL;

		napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].fn, NULL, &fn);
		napi_set_named_property(env, exports, functions[i].name, fn);
	}
}
