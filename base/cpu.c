/* SPDX-License-Identifier: MIT */
#include "base/cpu.h"

#include <cpuid.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"

/* The registers of a leaf that hold features. What names a core (APIC ids) or changes while it runs is left out. */
#define EAX 1u
#define EBX 2u
#define ECX 4u
#define EDX 8u

static const struct {
	uint32_t leaf, sub, regs;
} feature_leaf[] = {
        {0x00000001, 0, EAX | ECX | EDX}, /* family, model, stepping; features */
        {0x00000007, 0, EBX | ECX | EDX},
        {0x00000007, 1, EAX | EBX | ECX | EDX},
        {0x00000007, 2, EDX},
        {0x0000000d, 0, EAX | EBX | EDX}, /* state components of xsave and their size as enabled now */
        {0x0000000d, 1, EAX},
        {0x00000014, 0, EBX},
        {0x00000019, 0, EBX},
        {0x00000024, 0, EBX},
        {0x80000001, 0, ECX | EDX},
        {0x80000008, 0, EBX},
        {0x80000021, 0, EAX},
};

static uint64_t enabled_state(void)
{
	uint32_t eax, ebx, ecx, edx;

	__cpuid(1, eax, ebx, ecx, edx);
	if (!(ecx & bit_OSXSAVE))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
	return ((uint64_t)edx << 32) | eax;
}

static void add_leaf(struct digest *digest, uint32_t leaf, uint32_t sub, uint32_t regs)
{
	uint32_t reg[4] = {0};

	__get_cpuid_count(leaf, sub, &reg[0], &reg[1], &reg[2],
	                  &reg[3]); /* a leaf that is not there counts as zeroes */
	for (uint32_t i = 0; i < 4; i++) {
		if (regs & (1u << i))
			digest_add(digest, &reg[i], sizeof(reg[i]));
	}
}

void cpu_identity(char text[CPU_IDENTITY_MAX])
{
	uint32_t max, signature = 0, ebx, ecx, edx;
	uint64_t xcr0 = enabled_state();
	char vendor[13] = "";
	struct digest digest;

	__cpuid(0, max, ebx, ecx, edx);
	memcpy(vendor, &ebx, 4);
	memcpy(vendor + 4, &edx, 4);
	memcpy(vendor + 8, &ecx, 4);
	__cpuid(1, signature, ebx, ecx, edx);

	digest_init(&digest);
	digest_add(&digest, &max, sizeof(max));
	digest_add(&digest, &xcr0, sizeof(xcr0));
	for (size_t i = 0; i < sizeof(feature_leaf) / sizeof(feature_leaf[0]); i++)
		add_leaf(&digest, feature_leaf[i].leaf, feature_leaf[i].sub, feature_leaf[i].regs);
	snprintf(text, CPU_IDENTITY_MAX, "%s-%08x-%016llx", vendor, signature,
	         (unsigned long long)(digest.hi ^ digest.lo));
}
