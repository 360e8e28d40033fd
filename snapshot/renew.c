/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL's generators of random numbers, in whatever library or program. A clone is a fork that they do not notice:
 * each has the number of the process that last seeded it, compares it with getpid(2) before it gives anything away, and
 * seeds itself anew where they differ; but a clone has its original's number.
 *
 * So in an image OpenSSL is told another one. Where it keeps the address of getpid() there is, in the image, that of
 * some code of ours, in the last page of its own, behind the end:
 *
 *     mov $getpid, %eax;  syscall;  xor $number, %eax;  ret
 *
 * Every generator there is, of every thread, then seeds itself from the kernel before its next number, in each clone,
 * and once; its children have other numbers than itself, as ever. Nobody's code runs for it at a moment that is not its
 * own.
 *
 * Where an OpenSSL is part of something larger, which has its own use for getpid(), it is the function of OpenSSL's
 * that asks which is led there, if it can be found: node exports all it has, others have not been stripped.
 *
 * The original has this for as long as its pages are copied, and stands still meanwhile. If this process dies in it,
 * the original's generators seed themselves once more than they would have.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "snapshot/elf.h"
#include "snapshot/maps.h"
#include "snapshot/remedies.h"
#include "snapshot/subject.h"

#define PAGE      4096u
#define MAPS_MAX  (64u << 20)
#define SLOTS_MAX 4
#define JUMP_LEN  5
#define VERSION   48 /* of its words: "OpenSSL 3.0.19 27 Jan 2026" */
#define KEEP      "[snapshot] random = keep takes it all the same"

static const uint8_t stub[] = {
        0xf3, 0x0f, 0x1e, 0xfa,       /* endbr64 */
        0xb8, 0x27, 0x00, 0x00, 0x00, /* mov $getpid, %eax */
        0x0f, 0x05,                   /* syscall */
        0x35, 0x00, 0x00, 0x00, 0x00, /* xor $number, %eax */
        0xc3,                         /* ret */
};
#define STUB_NUMBER 12

#define WORD      sizeof(long)
#define WORDS_MAX ((sizeof(stub) + WORD - 2) / WORD + 1)

struct patch {
	uint64_t at;
	uint8_t data[sizeof(stub)];
	size_t len;
	/* While it stands still: the words that it lies in. */
	uint64_t begin;
	size_t n_words;
	long was[WORDS_MAX], is[WORDS_MAX];
};

struct code { /* an area of it, mapped from a file */
	uint64_t start, end, offset;
	char *path;
	uint64_t bias; /* added to the addresses of the file */
};

struct renewal {
	struct patch *patch;
	size_t n_patches;
	struct code *code;
	size_t n_code;
	bool applied;
};

/* ---- an OpenSSL -------------------------------------------------------------------------------------------------- */

struct traces {
	bool generators;
	char version[VERSION];
};

/* "OpenSSL 1.1.1n  15 Mar 2022": with a date, or somebody only speaks of it. */
static bool is_version(const char *at, size_t len)
{
	char words[VERSION], number[VERSION], month[VERSION];
	unsigned day, year;

	snprintf(words, sizeof(words), "%.*s", (int)len, at);
	return isdigit((unsigned char)words[8]) &&
	       sscanf(words, "OpenSSL %47s %u %47s %u", number, &day, month, &year) == 4;
}

static int look_for_traces(void *arg, const char *data, size_t len)
{
	/* As its messages of errors name the files, from 3.0 on and before. */
	static const char *const files[] = {"/rands/drbg.c", "/rand/drbg_lib.c"};
	struct traces *found = arg;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && !found->generators; i++)
		found->generators = memmem(data, len, files[i], strlen(files[i]) + 1);
	for (const char *at = data; !found->version[0];) {
		at = memmem(at, len - (size_t)(at - data), "OpenSSL ", 8);
		if (!at)
			break;
		if (is_version(at, strnlen(at, len - (size_t)(at - data))))
			snprintf(found->version, sizeof(found->version), "%.*s",
			         (int)strnlen(at, len - (size_t)(at - data)), at);
		at++;
	}
	return found->generators && found->version[0];
}

/* Does this version ask for the number of the process, before each answer? Where it has a function for that, it does;
 * providers are younger than that. */
static bool asks_getpid(const char *version)
{
	if (strncmp(version, "OpenSSL 1.1.1", 13) == 0)
		return version[13] >= 'd' && version[13] <= 'z';
	return strncmp(version, "OpenSSL 3.", 10) == 0;
}

/* Is getpid() OpenSSL's alone here? In its own library, its provider, and what does nothing but to make it known to
 * Python: cryptography from PyPI has it inside. */
static bool is_openssl_alone(const struct elf *e, bool exports)
{
	if (exports || elf_symbol(e, "OSSL_provider_init"))
		return !elf_symbol(e, "Py_BytesMain");
	for (size_t i = 0; i < e->n_symbols; i++)
		if (e->symbol[i].st_shndx != SHN_UNDEF && e->symbol[i].st_name < e->names_len &&
		    strncmp(e->names + e->symbol[i].st_name, "PyInit_", 7) == 0)
			return true;
	return false;
}

/* ---- what is to be written --------------------------------------------------------------------------------------- */

static int add_patch(struct renewal *renewal, uint64_t at, const void *data, size_t len)
{
	struct patch patch = {.at = at, .len = len};

	memcpy(patch.data, data, len);
	return grow(&renewal->patch, &renewal->n_patches, sizeof(patch), &patch);
}

static const struct code *code_at(const struct renewal *renewal, uint64_t at, size_t len)
{
	for (size_t i = 0; i < renewal->n_code; i++)
		if (renewal->code[i].start <= at && at + len <= renewal->code[i].end)
			return &renewal->code[i];
	return NULL;
}

/* Another number than before, and no process's: those end below 2^22. */
static int add_stub(struct renewal *renewal, uint64_t at, struct err *err)
{
	uint8_t code[sizeof(stub)];
	uint32_t number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return err_sys(err, errno, "random numbers");
	number = (number & 0x3fffffff) | 0x40000000;
	memcpy(code, stub, sizeof(stub));
	memcpy(code + STUB_NUMBER, &number, sizeof(number));
	return add_patch(renewal, at, code, sizeof(code)) < 0 ? err_sys(err, ENOMEM, "random numbers") : 0;
}

/* The function that asks begins with a jump to the stub; it is no shorter, as it has to go to getpid() itself. */
static int add_jump(struct renewal *renewal, uint64_t function, uint64_t to, struct err *err)
{
	int32_t distance = (int32_t)(to - (function + JUMP_LEN));
	uint8_t jump[JUMP_LEN] = {0xe9};

	if (distance != (int64_t)(to - (function + JUMP_LEN)))
		return err_refuse(err, KEEP, "OpenSSL's code is too far from its end");
	memcpy(jump + 1, &distance, sizeof(distance));
	return add_patch(renewal, function, jump, sizeof(jump)) < 0 ? err_sys(err, ENOMEM, "random numbers") : 0;
}

/* ---- a file of code ---------------------------------------------------------------------------------------------- */

static int refuse(const struct code *code, const struct traces *found, const char *why, struct err *err)
{
	return err_refuse(err, KEEP, "%s: its random numbers (%s) would be the same in each copy: %s", code->path,
	                  found->version[0] ? found->version : "OpenSSL", why);
}

/* Leads what OpenSSL asks for its number by to the stub. */
static int renew_openssl(struct subject *s, const struct elf *e, const struct code *code, const struct traces *found,
                         bool alone, struct err *err)
{
	uint64_t function = elf_symbol(e, "openssl_get_fork_id");
	uint64_t spare = elf_spare_code(e, sizeof(stub)), slot[SLOTS_MAX];
	struct renewal *renewal = s->renewal;
	int n = elf_slots(e, "getpid", slot, SLOTS_MAX);
	int r;

	if (n >= 0 && !function && (r = elf_inner_symbol(e, "openssl_get_fork_id", &function)) < 0)
		n = r;
	if (n < 0)
		return err_sys(err, -n, "look for random numbers in %s", code->path);
	if (!function && (!alone || n < 1 || n > SLOTS_MAX))
		return refuse(code, found, "OpenSSL is in it, and it does not say where", err);
	if (!function && !asks_getpid(found->version) && !elf_symbol(e, "OSSL_provider_init"))
		return refuse(code, found, "it is not known how this version notices a fork", err);
	if (!spare || !code_at(renewal, code->bias + spare, sizeof(stub)))
		return refuse(code, found, "there is no room behind its code", err);
	spare += code->bias;
	r = add_stub(renewal, spare, err);
	if (r == 0 && function)
		return add_jump(renewal, code->bias + function, spare, err);
	for (int i = 0; r == 0 && i < n; i++)
		if (add_patch(renewal, code->bias + slot[i], &spare, sizeof(spare)) < 0)
			r = err_sys(err, ENOMEM, "random numbers");
	return r;
}

static int look_at(struct subject *s, const struct elf *e, const struct code *code, bool is_program, struct err *err)
{
	bool exports = elf_symbol(e, "RAND_bytes") != 0;
	struct traces found = {0};
	int r;

	/* A library that knows nothing of either; a program may have all of libc in itself. */
	if (!exports && !is_program && !elf_imports(e, "getpid"))
		return 0;
	r = elf_each_constant(e, VERSION, look_for_traces, &found);
	if (r < 0)
		return err_sys(err, -r, "look for random numbers in %s", code->path);
	/* Others with that function have a wiped page to notice a fork by (BoringSSL), or none of their own. */
	if (!found.generators && !(exports && found.version[0]))
		return 0;
	return renew_openssl(s, e, code, &found, !is_program && is_openssl_alone(e, exports), err);
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

/* From the addresses of the file to those in memory; false: the area is no segment of code as the file has it. */
static bool find_bias(const struct elf *e, struct code *code)
{
	for (size_t i = 0; i < e->n_segments; i++) {
		const Elf64_Phdr *seg = &e->segment[i];
		uint64_t begin = seg->p_offset / PAGE * PAGE;

		if (seg->p_type != PT_LOAD || !(seg->p_flags & PF_X) || code->offset < begin ||
		    code->offset >= seg->p_offset + seg->p_filesz)
			continue;
		code->bias = code->start - (code->offset - begin) - seg->p_vaddr / PAGE * PAGE;
		return true;
	}
	return false;
}

/* Some files have a part of themselves mapped a second time (V8's own functions in node): that is nobody's OpenSSL. */
static bool is_whole(const struct renewal *renewal, const struct elf *e, const struct code *code)
{
	for (size_t i = 0; i < e->n_segments; i++) {
		const Elf64_Phdr *seg = &e->segment[i];
		const struct code *begin = code_at(renewal, code->bias + seg->p_vaddr / PAGE * PAGE, PAGE);

		if (seg->p_type == PT_LOAD && seg->p_flags & PF_X && (!begin || strcmp(begin->path, code->path) != 0))
			return false;
	}
	return true;
}

/* A file has several areas of code where its code has several segments. */
static bool is_known(const struct renewal *renewal, const struct code *code)
{
	for (const struct code *other = renewal->code; other < code; other++)
		if (other->bias == code->bias && strcmp(other->path, code->path) == 0)
			return true;
	return false;
}

static int look_into(struct subject *s, struct code *code, const char *exe, struct err *err)
{
	CLEAN(fd) int fd = -1;
	char area[64];
	struct elf e;
	int r;

	snprintf(area, sizeof(area), "map_files/%lx-%lx", (unsigned long)code->start, (unsigned long)code->end);
	fd = openat(s->proc_fd, area, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 /* gone; that is noticed */ : err_sys(err, errno, "read %s", code->path);
	r = elf_init(&e, fd);
	if (r == 0 && find_bias(&e, code) && is_whole(s->renewal, &e, code) && !is_known(s->renewal, code))
		r = look_at(s, &e, code, strcmp(code->path, exe) == 0, err);
	else if (r < 0)
		r = r == -ENOEXEC ? 0 : err_sys(err, -r, "read %s", code->path);
	elf_fini(&e);
	return r;
}

static int list_code(struct subject *s, struct err *err)
{
	CLEAN(free) char *maps = NULL;
	struct map m;
	int r = fd_read_file_at(s->proc_fd, "maps", MAPS_MAX, &maps, NULL);

	if (r < 0)
		return err_sys(err, -r, "areas of process %d", s->pid);
	EACH_MAP (maps, m) {
		struct code code = {.start = m.start, .end = m.end, .offset = m.offset};

		if (m.perms[2] != 'x' || m.name[0] != '/')
			continue;
		code.path = strndup(m.name, strcspn(m.name, "\n"));
		if (!code.path || grow(&s->renewal->code, &s->renewal->n_code, sizeof(code), &code) < 0)
			return err_sys(err, ENOMEM, "areas of process %d", s->pid);
	}
	return 0;
}

static int look_for_openssl(struct subject *s, struct err *err)
{
	char exe[4096];
	int r = proc_link(s->proc_fd, "exe", exe, sizeof(exe));

	if (r < 0)
		return err_sys(err, -r, "executable of process %d", s->pid);
	renew_free(s);
	s->renewal = calloc(1, sizeof(*s->renewal));
	if (!s->renewal)
		return err_sys(err, ENOMEM, "random numbers");
	r = list_code(s, err);
	for (size_t i = 0; r == 0 && i < s->renewal->n_code; i++)
		r = look_into(s, &s->renewal->code[i], exe, err);
	return r;
}

/* It runs, and may be executing, loading or ending just now: what cannot be seen is looked for again when it stands
 * still. */
int renew_prepare(struct subject *s, struct err *err)
{
	int r = look_for_openssl(s, err);

	if (r == 0 || err->code == ENOTSUP)
		return r;
	renew_free(s);
	s->renewal = calloc(1, sizeof(*s->renewal));
	return s->renewal ? 0 : err_sys(err, ENOMEM, "random numbers");
}

void renew_free(struct subject *s)
{
	struct renewal *renewal = s->renewal;

	s->renewal = NULL;
	if (!renewal)
		return;
	for (size_t i = 0; i < renewal->n_code; i++)
		free(renewal->code[i].path);
	free(renewal->code);
	free(renewal->patch);
	free(renewal);
}

/* ---- while it stands still --------------------------------------------------------------------------------------- */

/* Has it loaded anything, or let go, since? */
static bool is_same_code(const struct subject *s)
{
	const struct renewal *renewal = s->renewal;
	size_t n = 0;

	for (size_t i = 0; i < s->image->n_vma; i++) {
		const Warm__Image__Vma *vma = s->image->vma[i];
		const struct code *code = &renewal->code[n];

		if (vma->kind != WARM__IMAGE__VMA_KIND__FILE || !(vma->prot & PROT_EXEC))
			continue;
		if (n == renewal->n_code || code->start != vma->start || code->end != vma->end ||
		    code->offset != vma->offset || strcmp(code->path, s->image->file[vma->file]->path) != 0)
			return false;
		n++;
	}
	return n == renewal->n_code;
}

/* Nobody is in the middle of what is changed. */
static int nobody_there(const struct subject *s, const struct patch *patch, struct err *err)
{
	for (size_t i = 0; i < s->n_threads; i++)
		if (s->thread[i].raw.rip > patch->at && s->thread[i].raw.rip < patch->at + patch->len)
			return err_refuse(err, TRY_AGAIN, "thread %d is about to draw random numbers",
			                  s->thread[i].tid);
	return 0;
}

static int look_under(const struct subject *s, struct patch *patch, struct err *err)
{
	int r;

	patch->begin = patch->at / WORD * WORD;
	patch->n_words = (patch->at + patch->len - patch->begin + WORD - 1) / WORD;
	r = subject_read(s, patch->begin, patch->was, patch->n_words * WORD, err);
	memcpy(patch->is, patch->was, sizeof(patch->is));
	memcpy((char *)patch->is + (patch->at - patch->begin), patch->data, patch->len);
	return r < 0 ? r : nobody_there(s, patch, err);
}

int renew_apply(struct subject *s, struct err *err)
{
	int r = 0;

	if (!s->renewal)
		return 0;
	if (!is_same_code(s)) {
		r = look_for_openssl(s, err);
		if (r == 0 && !is_same_code(s))
			r = err_refuse(err, TRY_AGAIN, "the code of process %d is not what its list of areas says",
			               s->pid);
	}
	for (size_t i = 0; r == 0 && i < s->renewal->n_patches; i++)
		r = look_under(s, &s->renewal->patch[i], err);
	if (r < 0)
		return r;
	s->renewal->applied = true;
	for (size_t i = 0; r == 0 && i < s->renewal->n_patches; i++) {
		const struct patch *patch = &s->renewal->patch[i];

		r = tracee_poke(&s->thread[0], patch->begin, patch->is, patch->n_words, err);
	}
	return r;
}

void renew_undo(struct subject *s)
{
	struct renewal *renewal = s->renewal;

	if (!renewal || !renewal->applied)
		return;
	renewal->applied = false;
	/* Backwards: first nobody is led there any more. */
	for (size_t i = renewal->n_patches; i-- > 0;) {
		const struct patch *patch = &renewal->patch[i];

		tracee_poke(&s->thread[0], patch->begin, patch->was, patch->n_words, NULL);
	}
}
