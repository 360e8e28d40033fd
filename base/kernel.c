/* SPDX-License-Identifier: MIT */
#include "base/kernel.h"

#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/utsname.h>

#include "base/digest.h"

/* How many bytes of the vdso are loaded: its one PT_LOAD. Section headers lie behind that, in the last page. */
static size_t vdso_size(const uint8_t *vdso)
{
	const Elf64_Ehdr *ehdr = (const Elf64_Ehdr *)vdso;
	const Elf64_Phdr *phdr = (const Elf64_Phdr *)(vdso + ehdr->e_phoff);
	size_t size = 0;

	if (memcmp(ehdr->e_ident, ELFMAG, SELFMAG) != 0)
		return 0;
	for (int i = 0; i < ehdr->e_phnum; i++) {
		if (phdr[i].p_type == PT_LOAD && phdr[i].p_offset + phdr[i].p_filesz > size)
			size = phdr[i].p_offset + phdr[i].p_filesz;
	}
	return size;
}

void kernel_identity(char text[KERNEL_IDENTITY_MAX])
{
	const uint8_t *vdso = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	struct utsname uts = {0};
	struct digest digest;

	uname(&uts);
	digest_init(&digest);
	if (vdso)
		digest_add(&digest, vdso, vdso_size(vdso));
	snprintf(text, KERNEL_IDENTITY_MAX, "%s %s vdso:%016llx", uts.release, uts.version,
	         (unsigned long long)(digest.hi ^ digest.lo));
}
