/* SPDX-License-Identifier: MIT */
#include "sdk/c/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/launch.h"

/* Protobuf: every field is a varint (number << 3 | type), then its value. */
enum { TYPE_VARINT = 0, TYPE_64BIT = 1, TYPE_BYTES = 2, TYPE_32BIT = 5 };

enum { REQUEST_READY = 1, REQUEST_DEPENDS = 2, REQUEST_HELLO = 12 };
enum { READY_HOOK_FD = 1, READY_ARGV = 2, READY_FIXED_ARGS = 3, READY_CWD = 4, READY_ENV = 5, READY_SDK = 6 };
enum { READY_INTERPRETER = 20, READY_NOTE = 21, READY_REFUSED = 22, HELLO_INTERPRETER = 1 };
enum { DEPENDS_ITEM = 1 };
enum { DEPENDENCY_PATH = 1, DEPENDENCY_SUFFIX = 2 };
enum { REPLY_HOOK = 3 };
enum {
	HOOK_OUTCOME = 1,
	HOOK_REASON = 2,
	HOOK_ARGV = 3,
	HOOK_ENV = 4,
	HOOK_GENERATION = 6,
	HOOK_FIXED_ARGS = 7,
	HOOK_ENV_CHANGE = 8,
	HOOK_PRELOAD = 20
};

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static void put_request(struct wire *wire, unsigned op, const struct wire *body);
static void put_number(struct wire *wire, unsigned field, uint64_t value);
static void put_string(struct wire *wire, unsigned field, const char *text);
static void put_bytes(struct wire *wire, unsigned field, const void *data, size_t len);
static size_t varint_size(uint64_t value);

void wire_put_hello(struct wire *wire, bool interpreter)
{
	struct wire body = {0};

	put_number(&body, HELLO_INTERPRETER, interpreter);
	put_request(wire, REQUEST_HELLO, &body);
	wire_fini(&body);
}

void wire_put_ready(struct wire *wire, const struct wire_ready *ready)
{
	struct wire body = {0};

	put_number(&body, READY_HOOK_FD, ready->hook_fd);
	put_number(&body, READY_ARGV, ready->argv_from_launch);
	put_number(&body, READY_FIXED_ARGS, ready->fixed_args);
	put_number(&body, READY_CWD, ready->cwd_from_launch);
	for (size_t i = 0; i < ready->n_env; i++)
		put_string(&body, READY_ENV, ready->env[i]);
	put_string(&body, READY_SDK, ready->sdk);
	put_number(&body, READY_INTERPRETER, ready->interpreter);
	if (ready->note)
		put_string(&body, READY_NOTE, ready->note);
	if (ready->refused)
		put_string(&body, READY_REFUSED, ready->refused);
	put_request(wire, REQUEST_READY, &body);
	wire_fini(&body);
}

size_t wire_put_depends(struct wire *wire, char *const *path, size_t n_path, char *const *suffix, size_t n_suffix,
                        size_t max)
{
	struct wire body = {0};
	size_t room = max - 16; /* the magic, and the key and length of the request around the items */
	size_t taken;

	for (taken = 0; taken < n_path; taken++) {
		struct wire item = {0};
		bool fits;

		put_string(&item, DEPENDENCY_PATH, path[taken]);
		for (size_t i = 0; i < n_suffix; i++)
			put_string(&item, DEPENDENCY_SUFFIX, suffix[i]);
		fits = body.len + 1 + varint_size(item.len) + item.len <= room;
		if (fits)
			put_bytes(&body, DEPENDS_ITEM, item.data, item.len);
		body.failed |= item.failed;
		wire_fini(&item);
		if (!fits)
			break;
	}
	put_request(wire, REQUEST_DEPENDS, &body);
	wire_fini(&body);
	return taken;
}

void wire_fini(struct wire *wire)
{
	free(wire->data);
	*wire = (struct wire){0};
}

static void put(struct wire *wire, const void *data, size_t len)
{
	if (wire->failed || !len)
		return;
	if (wire->len + len > wire->size) {
		size_t size = (wire->len + len) * 2;
		uint8_t *grown = realloc(wire->data, size);

		if (!grown) {
			wire->failed = true;
			return;
		}
		wire->data = grown;
		wire->size = size;
	}
	memcpy(wire->data + wire->len, data, len);
	wire->len += len;
}

static void put_varint(struct wire *wire, uint64_t value)
{
	uint8_t byte[10];
	size_t n = 0;

	do {
		byte[n++] = (uint8_t)(value & 0x7f) | (value > 0x7f ? 0x80 : 0);
		value >>= 7;
	} while (value);
	put(wire, byte, n);
}

static size_t varint_size(uint64_t value)
{
	size_t n = 1;

	while (value >>= 7)
		n++;
	return n;
}

static void put_request(struct wire *wire, unsigned op, const struct wire *body)
{
	uint32_t magic = RPC_MAGIC;

	put(wire, &magic, sizeof(magic));
	put_bytes(wire, op, body->data, body->len);
	wire->failed |= body->failed;
}

/* proto3: a field of value 0 is not written. */
static void put_number(struct wire *wire, unsigned field, uint64_t value)
{
	if (!value)
		return;
	put_varint(wire, field << 3 | TYPE_VARINT);
	put_varint(wire, value);
}

static void put_string(struct wire *wire, unsigned field, const char *text)
{
	put_bytes(wire, field, text, strlen(text));
}

static void put_bytes(struct wire *wire, unsigned field, const void *data, size_t len)
{
	put_varint(wire, field << 3 | TYPE_BYTES);
	put_varint(wire, len);
	put(wire, data, len);
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

struct reader {
	const uint8_t *at;
	const uint8_t *end;
};

struct field {
	unsigned number;
	unsigned type;
	uint64_t value;      /* TYPE_VARINT */
	struct reader bytes; /* TYPE_BYTES */
};

static int read_hook(struct reader hook, struct hook_answer *answer);
static int set_string(char **text, struct reader bytes);
static int add_string(char ***list, size_t *n, struct reader bytes);
static int next_field(struct reader *from, struct field *ret);

int wire_get_answer(const uint8_t *data, size_t len, struct hook_answer *ret)
{
	struct hook_answer answer = {0};
	struct reader reply = {data + sizeof(uint32_t), data + len};
	struct field field;
	uint32_t magic;
	int r;

	if (len < sizeof(magic))
		return -EBADMSG;
	memcpy(&magic, data, sizeof(magic));
	if (magic != RPC_MAGIC)
		return -EBADMSG;
	while ((r = next_field(&reply, &field)) > 0) {
		if (field.number == REPLY_HOOK && field.type == TYPE_BYTES)
			r = read_hook(field.bytes, &answer);
		if (r < 0)
			break;
	}
	if (r < 0) {
		hook_answer_fini(&answer);
		return r;
	}
	*ret = answer;
	return 0;
}

void hook_answer_fini(struct hook_answer *answer)
{
	for (size_t i = 0; i < answer->argc; i++)
		free(answer->argv[i]);
	for (size_t i = 0; i < answer->n_env; i++)
		free(answer->env[i]);
	for (size_t i = 0; i < answer->n_env_change; i++)
		free(answer->env_change[i]);
	for (size_t i = 0; i < answer->n_preload; i++)
		free(answer->preload[i]);
	free(answer->argv);
	free(answer->env);
	free(answer->env_change);
	free(answer->reason);
	free(answer->preload);
	*answer = (struct hook_answer){0};
}

static int read_hook(struct reader hook, struct hook_answer *answer)
{
	struct field field;
	int r;

	while ((r = next_field(&hook, &field)) > 0) {
		if (field.number == HOOK_OUTCOME && field.type == TYPE_VARINT)
			answer->outcome = (uint32_t)field.value;
		else if (field.number == HOOK_GENERATION && field.type == TYPE_VARINT)
			answer->generation = field.value;
		else if (field.number == HOOK_FIXED_ARGS && field.type == TYPE_VARINT)
			answer->fixed_args = (size_t)field.value;
		else if (field.number == HOOK_REASON && field.type == TYPE_BYTES)
			r = set_string(&answer->reason, field.bytes);
		else if (field.number == HOOK_ARGV && field.type == TYPE_BYTES)
			r = add_string(&answer->argv, &answer->argc, field.bytes);
		else if (field.number == HOOK_ENV && field.type == TYPE_BYTES)
			r = add_string(&answer->env, &answer->n_env, field.bytes);
		else if (field.number == HOOK_ENV_CHANGE && field.type == TYPE_BYTES)
			r = add_string(&answer->env_change, &answer->n_env_change, field.bytes);
		else if (field.number == HOOK_PRELOAD && field.type == TYPE_BYTES)
			r = add_string(&answer->preload, &answer->n_preload, field.bytes);
		if (r < 0)
			return r;
	}
	return r;
}

static int set_string(char **text, struct reader bytes)
{
	free(*text);
	*text = strndup((const char *)bytes.at, (size_t)(bytes.end - bytes.at));
	return *text ? 0 : -ENOMEM;
}

static int add_string(char ***list, size_t *n, struct reader bytes)
{
	char **grown = realloc(*list, (*n + 2) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	*list = grown;
	grown[*n] = strndup((const char *)bytes.at, (size_t)(bytes.end - bytes.at));
	if (!grown[*n])
		return -ENOMEM;
	grown[++*n] = NULL;
	return 0;
}

static bool get_varint(struct reader *from, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64 && from->at < from->end; shift += 7) {
		uint8_t byte = *from->at++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

/* Returns 1, 0 at the end, -EBADMSG. Fields of types we never use are stepped over: a newer daemon may send them. */
static int next_field(struct reader *from, struct field *ret)
{
	uint64_t key, len;

	if (from->at == from->end)
		return 0;
	if (!get_varint(from, &key))
		return -EBADMSG;
	*ret = (struct field){.number = (unsigned)(key >> 3), .type = (unsigned)(key & 7)};
	switch (ret->type) {
	case TYPE_VARINT:
		return get_varint(from, &ret->value) ? 1 : -EBADMSG;
	case TYPE_BYTES:
		if (!get_varint(from, &len))
			return -EBADMSG;
		break;
	case TYPE_64BIT:
		len = 8;
		break;
	case TYPE_32BIT:
		len = 4;
		break;
	default:
		return -EBADMSG;
	}
	if (len > (uint64_t)(from->end - from->at))
		return -EBADMSG;
	ret->bytes = (struct reader){from->at, from->at + len};
	from->at += len;
	return 1;
}
