/* SPDX-License-Identifier: MIT */
/*
 * HotSpot describes its own insides in libjvm.so, for debuggers that look from outside: where fields of its classes
 * lie, constants, sizes. Each table is an array with an empty entry at its end; a pointer leads to it, and numbers
 * beside that say where in an entry things are. All of it is read in the process: the file may be another one by now.
 */
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "plugins/jvm/jvm.h"

#define MACHINE     "/libjvm.so"
#define ENTRIES_MAX 20000
#define TEXT_MAX    128
#define PARTS_MAX   64   /* program headers, entries of the dynamic section */
#define CHAIN_MAX   1000 /* symbols in one bucket */

/* ---- memory of the process -------------------------------------------------------------------------------------- */

uint64_t read_word(struct warm_snapshot *s, uint64_t address)
{
	uint64_t word;

	return s->read(s, address, &word, sizeof(word)) ? 0 : word;
}

/* Up to the end of its page, and then on: what lies behind may not be there. */
bool read_text(struct warm_snapshot *s, uint64_t address, char *text, size_t size)
{
	size_t have = 0;

	while (address && have < size) {
		size_t n = 4096 - ((address + have) & 4095);

		if (n > size - have)
			n = size - have;
		if (s->read(s, address + have, text + have, n))
			return false;
		if (memchr(text + have, '\0', n))
			return true;
		have += n;
	}
	return false;
}

uint64_t tables_library(pid_t pid, const char *library)
{
	char path[32], line[4352];
	uint64_t found = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	while (maps && !found && fgets(line, sizeof(line), maps)) {
		const char *at = strstr(line, library);
		unsigned long start, offset;

		if (at && (at[strlen(library)] == '\n' || at[strlen(library)] == ' ') &&
		    sscanf(line, "%lx-%*x %*s %lx", &start, &offset) == 2 && offset == 0)
			found = start;
	}
	if (maps)
		fclose(maps);
	return found;
}

uint64_t tables_machine(pid_t pid)
{
	return tables_library(pid, MACHINE);
}

/* ---- symbols of a library ---------------------------------------------------------------------------------------- */

struct symbols {
	uint64_t base, names, table, hash;
};

static bool find_symbols(struct warm_snapshot *s, uint64_t base, struct symbols *ret)
{
	Elf64_Ehdr head;
	Elf64_Phdr part = {0};
	Elf64_Dyn one;

	*ret = (struct symbols){.base = base};
	if (s->read(s, base, &head, sizeof(head)) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
		return false;
	for (uint16_t i = 0; i < head.e_phnum && i < PARTS_MAX && part.p_type != PT_DYNAMIC; i++)
		if (s->read(s, base + head.e_phoff + i * sizeof(part), &part, sizeof(part)))
			return false;
	for (size_t i = 0; part.p_type == PT_DYNAMIC && i < PARTS_MAX; i++) {
		if (s->read(s, base + part.p_vaddr + i * sizeof(one), &one, sizeof(one)) || one.d_tag == DT_NULL)
			break;
		/* glibc has made addresses of them. */
		if (one.d_tag == DT_STRTAB)
			ret->names = one.d_un.d_ptr;
		if (one.d_tag == DT_SYMTAB)
			ret->table = one.d_un.d_ptr;
		if (one.d_tag == DT_GNU_HASH)
			ret->hash = one.d_un.d_ptr;
	}
	return ret->names > base && ret->table > base && ret->hash > base;
}

static uint32_t hash_of(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

static bool is_named(struct warm_snapshot *s, uint64_t address, const char *name)
{
	char text[TEXT_MAX];

	return read_text(s, address, text, sizeof(text)) && strcmp(text, name) == 0;
}

/* DT_GNU_HASH: four numbers, a filter, buckets, and for each symbol its hash, whose lowest bit ends a bucket. */
static uint64_t symbol(struct warm_snapshot *s, const struct symbols *in, const char *name)
{
	struct {
		uint32_t n_buckets, first, filter_words, shift;
	} head;
	uint32_t wanted = hash_of(name), index, hash;
	uint64_t buckets, chain;

	if (s->read(s, in->hash, &head, sizeof(head)) || !head.n_buckets)
		return 0;
	buckets = in->hash + sizeof(head) + (uint64_t)head.filter_words * 8;
	chain = buckets + (uint64_t)head.n_buckets * 4;
	if (s->read(s, buckets + (uint64_t)(wanted % head.n_buckets) * 4, &index, sizeof(index)) || index < head.first)
		return 0;
	for (int i = 0; i < CHAIN_MAX; i++, index++) {
		Elf64_Sym found;

		if (s->read(s, chain + (uint64_t)(index - head.first) * 4, &hash, sizeof(hash)))
			return 0;
		if ((hash | 1) == (wanted | 1) &&
		    !s->read(s, in->table + (uint64_t)index * sizeof(found), &found, sizeof(found)) &&
		    is_named(s, in->names + found.st_name, name))
			return in->base + found.st_value;
		if (hash & 1)
			return 0;
	}
	return 0;
}

uint64_t tables_symbol(struct warm_snapshot *s, uint64_t library, const char *name)
{
	struct symbols in;

	return find_symbols(s, library, &in) ? symbol(s, &in, name) : 0;
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

#define COLUMNS_MAX 6

struct table {
	uint64_t at, stride;
	uint64_t column[COLUMNS_MAX];
	size_t n_columns;
};

/* gHotSpotVM<what>s, and gHotSpotVM<what>EntryArrayStride, gHotSpotVM<what>Entry<column>Offset. */
static bool find_table(struct warm_snapshot *s, uint64_t machine, const char *what, const char *const *column,
                       struct table *ret)
{
	struct symbols symbols;
	char name[TEXT_MAX];

	*ret = (struct table){0};
	if (!find_symbols(s, machine, &symbols))
		return false;
	snprintf(name, sizeof(name), "gHotSpotVM%ss", what);
	ret->at = read_word(s, symbol(s, &symbols, name));
	snprintf(name, sizeof(name), "gHotSpotVM%sEntryArrayStride", what);
	ret->stride = read_word(s, symbol(s, &symbols, name));
	if (!ret->at || !ret->stride || ret->stride > 4096)
		return false;
	for (; *column; column++) {
		uint64_t place;

		snprintf(name, sizeof(name), "gHotSpotVM%sEntry%sOffset", what, *column);
		place = symbol(s, &symbols, name);
		if (!place)
			return false;
		ret->column[ret->n_columns] = read_word(s, place);
		if (ret->column[ret->n_columns++] > ret->stride - sizeof(uint64_t))
			return false;
	}
	return true;
}

/* Entry number i: its columns as words. false: there are no more. */
static bool entry(struct warm_snapshot *s, const struct table *table, size_t i, uint64_t *word)
{
	char bytes[4096];

	if (i >= ENTRIES_MAX || s->read(s, table->at + i * table->stride, bytes, table->stride))
		return false;
	memset(word, 0, COLUMNS_MAX * sizeof(*word));
	for (size_t c = 0; c < table->n_columns; c++)
		memcpy(&word[c], bytes + table->column[c], sizeof(word[c]));
	return word[0] != 0;
}

static bool has_type(struct warm_snapshot *s, uint64_t address, const char *type)
{
	return address ? is_named(s, address, type) : type[0] == '\0';
}

bool tables_fields(struct warm_snapshot *s, uint64_t machine, const struct table_field *field, size_t n)
{
	static const char *const columns[] = {"TypeName", "FieldName", "TypeString", "IsStatic",
	                                      "Offset",   "Address",   NULL};
	uint64_t word[COLUMNS_MAX];
	struct table table;

	if (!find_table(s, machine, "Struct", columns, &table))
		return false;
	for (size_t i = 0; entry(s, &table, i, word); i++) {
		char type[TEXT_MAX], name[TEXT_MAX];

		if (!read_text(s, word[0], type, sizeof(type)) || !read_text(s, word[1], name, sizeof(name)))
			continue; /* a longer one than those that are looked for */
		for (size_t f = 0; f < n; f++)
			if (strcmp(field[f].type, type) == 0 && strcmp(field[f].name, name) == 0 &&
			    has_type(s, word[2], field[f].as))
				*field[f].place = (uint32_t)word[3] ? word[5] : word[4];
	}
	return true;
}

bool tables_constants(struct warm_snapshot *s, uint64_t machine, const struct table_constant *constant, size_t n)
{
	static const char *const columns[] = {"Name", "Value", NULL};
	uint64_t word[COLUMNS_MAX];
	struct table table;
	size_t found = 0;

	if (!find_table(s, machine, "IntConstant", columns, &table))
		return false;
	for (size_t i = 0; entry(s, &table, i, word); i++) {
		char name[TEXT_MAX];

		for (size_t c = 0; read_text(s, word[0], name, sizeof(name)) && c < n; c++) {
			if (strcmp(constant[c].name, name) != 0)
				continue;
			*constant[c].value = (int32_t)word[1];
			found++;
		}
	}
	return found == n;
}

uint64_t tables_size(struct warm_snapshot *s, uint64_t machine, const char *type)
{
	static const char *const columns[] = {"TypeName", "Size", NULL};
	uint64_t word[COLUMNS_MAX];
	struct table table;

	if (!find_table(s, machine, "Type", columns, &table))
		return 0;
	for (size_t i = 0; entry(s, &table, i, word); i++)
		if (is_named(s, word[0], type))
			return word[1];
	return 0;
}
