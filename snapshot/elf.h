/* SPDX-License-Identifier: MIT */
/*
 * A program or library as its file says it is: elf(5), x86-64. Read from the file and not from memory, so that no page
 * of anybody is touched. Addresses are the file's own: whoever has mapped it adds where.
 */
#ifndef WARM_SNAPSHOT_ELF_H
#define WARM_SNAPSHOT_ELF_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf {
	int fd;            /* the caller's */
	uint64_t sections; /* where their table is in the file */
	size_t n_sections;
	Elf64_Phdr *segment;
	size_t n_segments;
	Elf64_Sym *symbol; /* the dynamic ones; none in a static program */
	size_t n_symbols;
	char *names;
	size_t names_len; /* names[names_len] is NUL */
};

/* Returns 0, -ENOEXEC where it is none or makes no sense, or another -errno. elf_fini() also where it fails. */
int elf_init(struct elf *e, int fd);
void elf_fini(struct elf *e);

/* The address of a symbol that it defines; 0: it does not. */
uint64_t elf_symbol(const struct elf *e, const char *name);

/* The same of all that it was linked from: 1, *ret is its address; 0: it is none, or the file does not tell any more
 * (strip(1)); or -errno. */
int elf_inner_symbol(const struct elf *e, const char *name, uint64_t *ret);

/* Does it have that function from elsewhere? */
bool elf_imports(const struct elf *e, const char *name);

/* Where it keeps the addresses of a function that it has from elsewhere: at most `max` are told. Returns how many there
 * are, or -errno. */
int elf_slots(const struct elf *e, const char *name, uint64_t *ret, size_t max);

/* Hands on what it has in memory that cannot be written, or rather less: read-only segments, where it has some of
 * those; in pieces that overlap by `overlap` bytes. A value other than 0 from fn ends it and is returned; or -errno. */
int elf_each_constant(const struct elf *e, size_t overlap, int (*fn)(void *arg, const char *data, size_t len),
                      void *arg);

/* `len` bytes behind the end of a segment of code, in its last page: nobody's. 0: there is no room. */
uint64_t elf_spare_code(const struct elf *e, size_t len);

#endif
