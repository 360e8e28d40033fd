/* SPDX-License-Identifier: MIT */
#include "snapshot/elf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clean.h"
#include "base/fd.h"

#define PAGE         4096u
#define SEGMENTS_MAX 64
#define TABLE_MAX    (256u << 20)
#define PIECE        (1u << 20)

/* A part of the file; malloc'ed, with a NUL behind it. */
static int read_file(const struct elf *e, uint64_t offset, uint64_t len, void *ret_place)
{
	CLEAN(free) char *data = len <= TABLE_MAX ? malloc(len + 1) : NULL;
	void **ret = ret_place;

	if (!data)
		return len > TABLE_MAX ? -ENOEXEC : -ENOMEM;
	if (fd_pread_full(e->fd, data, len, offset) != (ssize_t)len)
		return -ENOEXEC;
	data[len] = '\0';
	*ret = take_ptr(data);
	return 0;
}

/* The same of what is at an address. */
static int read_at(const struct elf *e, uint64_t address, uint64_t len, void *ret_place)
{
	for (size_t i = 0; i < e->n_segments; i++) {
		const Elf64_Phdr *seg = &e->segment[i];

		if (seg->p_type == PT_LOAD && address >= seg->p_vaddr && address - seg->p_vaddr <= seg->p_filesz &&
		    len <= seg->p_filesz - (address - seg->p_vaddr))
			return read_file(e, seg->p_offset + (address - seg->p_vaddr), len, ret_place);
	}
	return -ENOEXEC;
}

/* ---- the dynamic section ----------------------------------------------------------------------------------------- */

/* The value of the last entry with this tag; 0: there is none. */
static int dynamic(const struct elf *e, int64_t tag, uint64_t *ret)
{
	*ret = 0;
	for (size_t i = 0; i < e->n_segments; i++) {
		CLEAN(free) Elf64_Dyn *entry = NULL;
		int r;

		if (e->segment[i].p_type != PT_DYNAMIC)
			continue;
		r = read_at(e, e->segment[i].p_vaddr, e->segment[i].p_filesz, &entry);
		if (r < 0)
			return r;
		for (size_t n = 0; n < e->segment[i].p_filesz / sizeof(*entry) && entry[n].d_tag != DT_NULL; n++)
			if (entry[n].d_tag == tag)
				*ret = entry[n].d_un.d_val;
	}
	return 0;
}

/* The old table of hashes says how many symbols there are; the new one has them sorted, and marks the last of a chain.
 */
static int count_symbols(const struct elf *e, uint64_t hash, uint64_t gnu, uint64_t *ret)
{
	CLEAN(free) uint32_t *head = NULL, *bucket = NULL;
	uint64_t last = 0, chain;
	int r = read_at(e, hash ? hash : gnu, 16, &head);

	if (r < 0)
		return r;
	if (hash) {
		*ret = head[1];
		return 0;
	}
	/* buckets, first symbol, words of 64 bits in the filter */
	r = read_at(e, gnu + 16 + (uint64_t)head[2] * 8, (uint64_t)head[0] * 4, &bucket);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < head[0]; i++)
		last = bucket[i] > last ? bucket[i] : last;
	*ret = head[1]; /* all are from elsewhere */
	if (last < head[1])
		return 0;
	chain = gnu + 16 + (uint64_t)head[2] * 8 + (uint64_t)head[0] * 4;
	for (;; last++) {
		CLEAN(free) uint32_t *value = NULL;

		r = read_at(e, chain + (last - head[1]) * 4, 4, &value);
		if (r < 0)
			return r;
		if (*value & 1)
			break;
	}
	*ret = last + 1;
	return 0;
}

static int read_symbols(struct elf *e)
{
	uint64_t symtab, strtab, strsz, hash, gnu, n = 0;
	int r;

	if ((r = dynamic(e, DT_SYMTAB, &symtab)) < 0 || (r = dynamic(e, DT_STRTAB, &strtab)) < 0 ||
	    (r = dynamic(e, DT_STRSZ, &strsz)) < 0 || (r = dynamic(e, DT_HASH, &hash)) < 0 ||
	    (r = dynamic(e, DT_GNU_HASH, &gnu)) < 0)
		return r;
	if (!symtab || !strtab || (!hash && !gnu))
		return 0;
	r = count_symbols(e, hash, gnu, &n);
	if (r == 0)
		r = n > TABLE_MAX ? -ENOEXEC : read_at(e, symtab, n * sizeof(*e->symbol), &e->symbol);
	if (r == 0)
		r = read_at(e, strtab, strsz, &e->names);
	if (r < 0)
		return r;
	e->n_symbols = n;
	e->names_len = strsz;
	return 0;
}

int elf_init(struct elf *e, int fd)
{
	Elf64_Ehdr head;
	int r;

	*e = (struct elf){.fd = fd};
	if (fd_pread_full(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
	    memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
	    head.e_machine != EM_X86_64 || head.e_phentsize != sizeof(*e->segment) || head.e_phnum > SEGMENTS_MAX)
		return -ENOEXEC;
	e->sections = head.e_shentsize == sizeof(Elf64_Shdr) ? head.e_shoff : 0;
	e->n_sections = head.e_shnum;
	r = read_file(e, head.e_phoff, head.e_phnum * sizeof(*e->segment), &e->segment);
	if (r < 0)
		return r;
	e->n_segments = head.e_phnum;
	return read_symbols(e);
}

void elf_fini(struct elf *e)
{
	free(e->segment);
	free(e->symbol);
	free(e->names);
	*e = (struct elf){.fd = -1};
}

/* ---- symbols ----------------------------------------------------------------------------------------------------- */

static bool is_named(const struct elf *e, const Elf64_Sym *symbol, const char *name)
{
	return symbol->st_name < e->names_len && strcmp(e->names + symbol->st_name, name) == 0;
}

uint64_t elf_symbol(const struct elf *e, const char *name)
{
	for (size_t i = 0; i < e->n_symbols; i++)
		if (e->symbol[i].st_shndx != SHN_UNDEF && is_named(e, &e->symbol[i], name))
			return e->symbol[i].st_value;
	return 0;
}

int elf_inner_symbol(const struct elf *e, const char *name, uint64_t *ret)
{
	CLEAN(free) Elf64_Shdr *section = NULL;
	CLEAN(free) Elf64_Sym *symbol = NULL;
	CLEAN(free) char *names = NULL;
	const Elf64_Shdr *table = NULL, *text;
	int r = e->sections ? read_file(e, e->sections, e->n_sections * sizeof(*section), &section) : 0;

	for (size_t i = 0; section && i < e->n_sections; i++)
		if (section[i].sh_type == SHT_SYMTAB)
			table = &section[i];
	if (r < 0 || !table || table->sh_link >= e->n_sections)
		return r;
	text = &section[table->sh_link];
	if ((r = read_file(e, table->sh_offset, table->sh_size, &symbol)) < 0 ||
	    (r = read_file(e, text->sh_offset, text->sh_size, &names)) < 0)
		return r;
	for (size_t i = 0; i < table->sh_size / sizeof(*symbol); i++)
		if (symbol[i].st_shndx != SHN_UNDEF && symbol[i].st_name < text->sh_size &&
		    strcmp(names + symbol[i].st_name, name) == 0) {
			*ret = symbol[i].st_value;
			return 1;
		}
	return 0;
}

bool elf_imports(const struct elf *e, const char *name)
{
	for (size_t i = 0; i < e->n_symbols; i++)
		if (e->symbol[i].st_shndx == SHN_UNDEF && is_named(e, &e->symbol[i], name))
			return true;
	return false;
}

static int slots_in(const struct elf *e, uint64_t table, uint64_t len, const char *name, uint64_t *ret, size_t max,
                    size_t *n)
{
	CLEAN(free) Elf64_Rela *rela = NULL;
	int r = len ? read_at(e, table, len, &rela) : 0;

	for (size_t i = 0; r == 0 && i < len / sizeof(*rela); i++) {
		uint64_t type = ELF64_R_TYPE(rela[i].r_info), of = ELF64_R_SYM(rela[i].r_info);

		if ((type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT) || of >= e->n_symbols ||
		    e->symbol[of].st_shndx != SHN_UNDEF || !is_named(e, &e->symbol[of], name))
			continue;
		if (*n < max)
			ret[*n] = rela[i].r_offset;
		(*n)++;
	}
	return r;
}

int elf_slots(const struct elf *e, const char *name, uint64_t *ret, size_t max)
{
	uint64_t plt, plt_len, rela, rela_len;
	size_t n = 0;
	int r;

	if ((r = dynamic(e, DT_JMPREL, &plt)) < 0 || (r = dynamic(e, DT_PLTRELSZ, &plt_len)) < 0 ||
	    (r = dynamic(e, DT_RELA, &rela)) < 0 || (r = dynamic(e, DT_RELASZ, &rela_len)) < 0 ||
	    (r = slots_in(e, plt, plt_len, name, ret, max, &n)) < 0 ||
	    (r = slots_in(e, rela, rela_len, name, ret, max, &n)) < 0)
		return r;
	return (int)n;
}

/* ---- segments ---------------------------------------------------------------------------------------------------- */

static bool is_loaded(const Elf64_Phdr *seg, uint32_t flags)
{
	return seg->p_type == PT_LOAD && (seg->p_flags & (PF_R | PF_W | PF_X)) == flags;
}

int elf_each_constant(const struct elf *e, size_t overlap, int (*fn)(void *arg, const char *data, size_t len),
                      void *arg)
{
	CLEAN(free) char *piece = malloc(PIECE);
	uint32_t flags = PF_R | PF_X; /* older linkers put constants and code into one segment */
	int r = piece ? 0 : -ENOMEM;

	for (size_t i = 0; i < e->n_segments; i++)
		if (is_loaded(&e->segment[i], PF_R))
			flags = PF_R;
	for (size_t i = 0; r == 0 && i < e->n_segments; i++) {
		const Elf64_Phdr *seg = &e->segment[i];

		for (uint64_t at = 0; is_loaded(seg, flags) && r == 0 && at < seg->p_filesz; at += PIECE - overlap) {
			uint64_t left = seg->p_filesz - at;
			ssize_t n = fd_pread_full(e->fd, piece, left < PIECE ? left : PIECE, seg->p_offset + at);

			r = n < 0 ? (int)n : fn(arg, piece, (size_t)n);
		}
	}
	return r;
}

uint64_t elf_spare_code(const struct elf *e, size_t len)
{
	for (size_t i = 0; i < e->n_segments; i++) {
		const Elf64_Phdr *seg = &e->segment[i];
		uint64_t end = seg->p_vaddr + seg->p_filesz;

		if (is_loaded(seg, PF_R | PF_X) && seg->p_filesz == seg->p_memsz && (PAGE - end % PAGE) % PAGE >= len)
			return end;
	}
	return 0;
}
