/* SPDX-License-Identifier: MIT */
/* The areas of the address space (/proc/PID/smaps), and the fields of mm_struct that PR_SET_MM_MAP sets. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "snapshot/remedies.h"
#include "snapshot/shared_internal.h"
#include "snapshot/smaps.h"

struct line { /* the first line of an area in smaps */
	uint64_t start, end, offset, ino;
	unsigned major, minor;
	char perms[8];
	const char *path; /* "" = none */
	unsigned key;     /* of protection: pkeys(7) */
};

static const char *const kept_flags[] = {"gd", "nr", "lo", "sr", "rr", "dc", "dd", "hg", "nh", "mg", "wf", "dp", "lf"};
static const char *const plain_flags[] = {"rd", "wr", "ex", "sh", "mr", "mw", "me", "ms", "ac", "sd", "de"};

static bool among(const char *flag, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(flag, list[i]) == 0)
			return true;
	return false;
}

static const char *refusal_of(const char *flag)
{
	static const char *const words[][2] = {{"io", REFUSED("device memory")},
	                                       {"pf", REFUSED("memory without page structs")},
	                                       {"ht", REFUSED("huge page file memory")},
	                                       {"mm", REFUSED("memory with mixed pages")},
	                                       {"ss", REFUSED("a user shadow stack")},
	                                       {"um", REFUSED("memory under userfaultfd")},
	                                       {"uw", REFUSED("memory write-protected by userfaultfd")},
	                                       {"ui", REFUSED("memory under userfaultfd for minor faults")},
	                                       {"mt", REFUSED("tagged memory")},
	                                       {"sl", REFUSED("sealed memory")}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(flag, words[i][0]) == 0)
			return words[i][1];
	return NULL;
}

static int take_flags(Warm__Image__Vma *vma, char *flags, struct err *err)
{
	char *save = NULL;

	for (char *f = strtok_r(flags, " \n", &save); f; f = strtok_r(NULL, " \n", &save)) {
		const char *why = refusal_of(f);

		if (why)
			return err_refuse(err, UNMAP_IT, "memory at %#lx: %s (flag %s) is not supported",
			                  (unsigned long)vma->start, why, f);
		if (among(f, kept_flags, sizeof(kept_flags) / sizeof(kept_flags[0]))) {
			if (GROW(vma, flag, strdup(f)) < 0)
				return err_sys(err, ENOMEM, "areas");
		} else if (!among(f, plain_flags, sizeof(plain_flags) / sizeof(plain_flags[0]))) {
			return err_refuse(err, UNMAP_IT, "memory at %#lx: flag %s is not known",
			                  (unsigned long)vma->start, f);
		}
	}
	return 0;
}

static bool has_flag(const char *flags, const char *flag)
{
	const char *at = strstr(flags, flag);

	return at && (at == flags || at[-1] == ' ') && (at[2] == ' ' || at[2] == '\n' || !at[2]);
}

/* In layered file systems, and in parts of btrfs, files have other devices than the one that maps shows. */
static int device_of(const struct subject *s, const struct line *line, dev_t *ret, struct err *err)
{
	char name[64];
	struct stat st;

	snprintf(name, sizeof(name), "map_files/%lx-%lx", (unsigned long)line->start, (unsigned long)line->end);
	if (fstatat(s->proc_fd, name, &st, 0) < 0)
		return err_sys(err, errno, "memory at %#lx, which maps %s", (unsigned long)line->start, line->path);
	*ret = st.st_dev;
	return 0;
}

static int take_file(struct subject *s, Warm__Image__Vma *vma, const struct line *line, bool may_write, struct err *err)
{
	Warm__Image__MappedFile *file;
	dev_t dev = 0;
	bool writable = vma->shared && may_write;
	size_t len = strlen(line->path);
	int r;

	if (strncmp(line->path, "/[aio]", 6) == 0)
		return err_refuse(err, "end it (io_destroy) before the snapshot",
		                  "memory at %#lx: asynchronous I/O (io_setup)", (unsigned long)line->start);
	if (strncmp(line->path, "/secretmem", 10) == 0)
		return err_refuse(err, UNMAP_IT, "memory at %#lx: secret memory (memfd_secret)",
		                  (unsigned long)line->start);
	if (strncmp(line->path, "/SYSV", 5) == 0)
		return err_refuse(err, "detach it (shmdt) before the snapshot",
		                  "memory at %#lx: System V shared memory, %s", (unsigned long)line->start, line->path);
	if (strncmp(line->path, "/anon_hugepage", 14) == 0)
		return 0; /* its flags tell why not */
	if (len > 10 && strcmp(line->path + len - 10, " (deleted)") == 0)
		return err_refuse(err, "start the program anew, or unmap it before the snapshot",
		                  "memory at %#lx maps a deleted file: %s", (unsigned long)line->start, line->path);
	if (line->path[0] != '/')
		return err_refuse(err, UNMAP_IT, "memory at %#lx maps %s", (unsigned long)line->start, line->path);
	if (strncmp(line->path, "/dev/", 5) == 0 && strncmp(line->path, "/dev/shm/", 9) != 0 &&
	    strcmp(line->path, "/dev/zero") != 0)
		return err_refuse(err, UNMAP_IT, "memory at %#lx maps the device %s", (unsigned long)line->start,
		                  line->path);
	for (size_t i = s->image->n_file; i-- > 0;) /* the last one, most of the time */
		if (strcmp(s->image->file[i]->path, line->path) == 0 && s->image->file[i]->writable == writable) {
			vma->file = (uint32_t)i;
			return 0;
		}
	r = device_of(s, line, &dev, err);
	if (r == 0)
		r = summary_file(s, line->path, dev, line->ino, writable ? FILE_MAPPED : FILE_READ, err);
	if (r < 0)
		return r;
	file = malloc(sizeof(*file));
	if (!file)
		return err_sys(err, ENOMEM, "mapped files");
	warm__image__mapped_file__init(file);
	file->path = strdup(line->path);
	file->dev = dev;
	file->ino = line->ino;
	file->writable = writable;
	vma->file = (uint32_t)s->image->n_file;
	return GROW(s->image, file, file) < 0 ? err_sys(err, ENOMEM, "mapped files") : 0;
}

static int add_page_area(struct subject *s, const Warm__Image__Vma *vma, bool droppable, bool unforked)
{
	bool shared = vma->kind == WARM__IMAGE__VMA_KIND__SHARED_ANON;
	struct area area = {vma->start,
	                    vma->end,
	                    vma->prot & PROT_READ,
	                    shared,
	                    vma->kind == WARM__IMAGE__VMA_KIND__FILE,
	                    shared || unforked || !(vma->prot & PROT_READ)};

	if (vma->shared && vma->kind == WARM__IMAGE__VMA_KIND__FILE)
		return 0; /* the file has them */
	if (droppable)
		return 0; /* zero in every clone */
	return grow(&s->area, &s->n_areas, sizeof(area), &area);
}

/* What the process has asked for memory that comes later, nobody tells: the memory that was borrowed a moment ago has
 * it. */
static int take_defaults(struct subject *s, const char *flags, struct err *err)
{
	if (has_flag(flags, "mg"))
		return err_refuse(err, SWITCH_IT_OFF, "process %d has its equal pages merged (PR_SET_MEMORY_MERGE)",
		                  s->pid);
	if (has_flag(flags, "lo"))
		s->lock_future = has_flag(flags, "lf") ? WARM__IMAGE__LOCK_FUTURE__LOCKED_ON_FAULT
		                                       : WARM__IMAGE__LOCK_FUTURE__LOCKED;
	return 0;
}

static int take_area(struct subject *s, const struct line *line, char *flags, struct err *err)
{
	Warm__Image__Vma *vma;
	bool may_write = has_flag(flags, "mw");
	bool droppable = has_flag(flags, "dp") || has_flag(flags, "wf"), unforked = has_flag(flags, "dc");
	int r;

	if (line->start == s->scratch)
		return take_defaults(s, flags, err);
	if (strcmp(line->path, "[vsyscall]") == 0)
		return 0;
	vma = malloc(sizeof(*vma));
	if (!vma)
		return err_sys(err, ENOMEM, "areas");
	warm__image__vma__init(vma);
	if (GROW(s->image, vma, vma) < 0)
		return err_sys(err, ENOMEM, "areas");
	vma->start = line->start;
	vma->end = line->end;
	vma->prot = (line->perms[0] == 'r' ? PROT_READ : 0) | (line->perms[1] == 'w' ? PROT_WRITE : 0) |
	            (line->perms[2] == 'x' ? PROT_EXEC : 0);
	if (line->key && vma->prot != PROT_EXEC) /* the kernel has one of its own for that */
		return err_refuse(err, "give it key 0 before the snapshot", "memory at %#lx has a protection key",
		                  (unsigned long)line->start);
	vma->shared = line->perms[3] == 's';
	vma->offset = line->offset;
	if (strcmp(line->path, "[vdso]") == 0)
		vma->kind = WARM__IMAGE__VMA_KIND__VDSO;
	else if (strcmp(line->path, "[vvar]") == 0)
		vma->kind = WARM__IMAGE__VMA_KIND__VVAR;
	else if (strcmp(line->path, "[vvar_vclock]") == 0)
		vma->kind = WARM__IMAGE__VMA_KIND__VVAR_VCLOCK;
	else if (is_shared_anonymous(line->path))
		vma->kind = WARM__IMAGE__VMA_KIND__SHARED_ANON;
	else if (line->ino || line->path[0] == '/')
		vma->kind = WARM__IMAGE__VMA_KIND__FILE;
	if (vma->kind == WARM__IMAGE__VMA_KIND__VDSO || vma->kind == WARM__IMAGE__VMA_KIND__VVAR ||
	    vma->kind == WARM__IMAGE__VMA_KIND__VVAR_VCLOCK)
		return 0; /* the kernel's: moved, not made */
	if (strncmp(line->path, "[anon:", 6) == 0)
		vma->name = strndup(line->path + 6, strlen(line->path + 6) - 1);
	else if (strncmp(line->path, "[anon_shmem:", 12) == 0)
		vma->name = strndup(line->path + 12, strlen(line->path + 12) - 1);
	r = line->path[0] ? offer_memory(s, vma, line->path, makedev(line->major, line->minor), line->ino, err) : 0;
	if (r)
		return r < 0 ? r : 0;
	r = vma->kind == WARM__IMAGE__VMA_KIND__FILE          ? take_file(s, vma, line, may_write, err)
	    : vma->kind == WARM__IMAGE__VMA_KIND__SHARED_ANON ? take_shared_area(s, vma, line->ino, err)
	                                                      : 0;
	if (r == 0)
		r = take_flags(vma, flags, err);
	if (r == 0 && add_page_area(s, vma, droppable, unforked) < 0)
		r = err_sys(err, ENOMEM, "areas");
	return r;
}

/* All but the first lines of areas begin with a word in capitals. */
static bool is_first(const char *text)
{
	return (*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'f');
}

static int take_areas(struct subject *s, char *smaps, struct err *err)
{
	struct line line = {.path = ""};

	for (char *text = smaps, *next; *text; text = next) {
		unsigned long start, end, offset, ino;
		int path_at = 0, r = 0;

		next = strchrnul(text, '\n');
		if (*next)
			*next++ = '\0';
		if (is_first(text) && sscanf(text, "%lx-%lx %7s %lx %x:%x %lu %n", &start, &end, line.perms, &offset,
		                             &line.major, &line.minor, &ino, &path_at) >= 7) {
			line.start = start;
			line.end = end;
			line.offset = offset;
			line.ino = ino;
			line.path = text + path_at;
			line.key = 0;
		} else if (strncmp(text, "VmFlags: ", 9) == 0) {
			r = take_area(s, &line, text + 9, err);
		} else if (strncmp(text, "ProtectionKey:", 14) == 0) {
			line.key = (unsigned)strtoul(text + 14, NULL, 10);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int collect_mm(struct subject *s, struct err *err)
{
	Warm__Image__Mm *mm = malloc(sizeof(*mm));
	CLEAN(free) char *auxv = NULL;
	struct proc_stat stat;
	size_t len = 0;
	char exe[4096];
	struct stat st;
	long ret = 0;
	int r;

	if (!mm)
		return err_sys(err, ENOMEM, "mm");
	warm__image__mm__init(mm);
	s->image->mm = mm;
	if ((r = proc_stat_read(s->proc_fd, &stat)) < 0 ||
	    (r = fd_read_file_at(s->proc_fd, "auxv", 65536, &auxv, &len)) < 0 ||
	    (r = proc_link(s->proc_fd, "exe", exe, sizeof(exe))) < 0)
		return err_sys(err, -r, "memory layout of process %d", s->pid);
	mm->start_code = stat.start_code;
	mm->end_code = stat.end_code;
	mm->start_data = stat.start_data;
	mm->end_data = stat.end_data;
	mm->start_brk = stat.start_brk;
	mm->start_stack = stat.start_stack;
	mm->arg_start = stat.arg_start;
	mm->arg_end = stat.arg_end;
	mm->env_start = stat.env_start;
	mm->env_end = stat.env_end;
	mm->auxv = bytes_copy(auxv, len);
	mm->exe = strdup(exe);
	if (!mm->auxv.data || !mm->exe)
		return err_sys(err, ENOMEM, "mm");
	if (fstatat(s->proc_fd, "exe", &st, 0) < 0)
		return err_sys(err, errno, "executable of process %d", s->pid);
	r = summary_file(s, exe, st.st_dev, st.st_ino, FILE_READ, err);
	if (r < 0)
		return r;
	r = subject_syscall(s, &ret, SYS_brk, 0, 0, 0, 0, err);
	if (r < 0)
		return r;
	mm->brk = (uint64_t)ret;
	r = subject_syscall(s, &ret, SYS_prctl, PR_GET_THP_DISABLE, 0, 0, 0, err);
	mm->thp_disabled = ret > 0 ? (uint32_t)ret : 0;
	mm->lock_future = s->lock_future;
	return r;
}

int collect_memory(struct subject *s, struct err *err)
{
	char *smaps;
	int r = smaps_end(s, &smaps, err);

	if (r == 0)
		r = take_areas(s, smaps, err);
	return r < 0 ? r : collect_mm(s, err);
}
