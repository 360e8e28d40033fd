/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void put(struct err *err, int code, const char *fmt, va_list args)
{
	err->code = code;
	vsnprintf(err->msg, sizeof(err->msg), fmt, args);
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list args;

	if (!err)
		return -code;
	va_start(args, fmt);
	put(err, code, fmt, args);
	va_end(args);
	return -code;
}

int err_sys(struct err *err, int code, const char *fmt, ...)
{
	va_list args;
	size_t len;

	if (!err)
		return -code;
	va_start(args, fmt);
	put(err, code, fmt, args);
	va_end(args);
	len = strlen(err->msg);
	snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", strerror(code));
	return -code;
}

int err_refuse(struct err *err, const char *remedy, const char *fmt, ...)
{
	static const char cut[] = "...";
	size_t room = ERR_REFUSAL_MAX - strlen(": ") - strlen(remedy);
	va_list args;
	int len;

	if (!err)
		return -ENOTSUP;
	err->code = ENOTSUP;
	va_start(args, fmt);
	len = vsnprintf(err->msg, room, fmt, args);
	va_end(args);
	if (len >= (int)room)
		memcpy(err->msg + room - sizeof(cut), cut, sizeof(cut));
	len = (int)strlen(err->msg);
	snprintf(err->msg + len, sizeof(err->msg) - (size_t)len, ": %s", remedy);
	return -ENOTSUP;
}

int err_step(struct err *err, const char *fmt, ...)
{
	char inner[ERR_MSG_MAX];
	va_list args;
	size_t len;

	if (!err)
		return -1;
	memcpy(inner, err->msg, sizeof(inner));
	va_start(args, fmt);
	put(err, err->code, fmt, args);
	va_end(args);
	len = strlen(err->msg);
	snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", inner);
	return -err->code;
}
