/* SPDX-License-Identifier: MIT */
/* What a fault costs: pager_case --cost. The clone and the pager on one core, then on two. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "cases.h"

#define APART 64 /* pages: no two of these in one block, nor in order */

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The median over single touches of pages of one kind, each in a part of memory that was not looked at. */
static void cost_of(struct stage *stage, const char *what, bool hole, bool write)
{
	double us[STAGE_SPAN / APART];
	unsigned n = 0;

	for (unsigned part = 0; part < STAGE_SPAN / APART; part++) {
		unsigned i = part * APART, end = i + APART;
		volatile uint8_t *byte;
		double start;

		while (i < end && (stage->page_at[i] == HOLE) != hole)
			i++;
		if (i == end)
			continue;
		byte = stage_at(i);
		start = now_us();
		if (write)
			*byte = 1;
		else
			(void)*byte;
		us[n++] = now_us() - start;
	}
	qsort(us, n, sizeof(us[0]), by_size);
	printf("    %-44s %6.1f us\n", what, us[n / 2]);
	fflush(stdout);
}

/* For comparison: what nobody serves. */
static void write_free(struct stage *stage)
{
	uint8_t *at = mmap(stage_at(STAGE_SPAN), STAGE_SPAN * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
	                   -1, 0);
	double start = now_us();

	(void)stage;
	CHECK(at != MAP_FAILED);
	for (unsigned i = 0; i < STAGE_SPAN; i++)
		at[i * PAGE] = 1;
	printf("    %-44s %6.2f us\n", "an ordinary fault, written", (now_us() - start) / STAGE_SPAN);
	fflush(stdout);
}

static void read_holes(struct stage *stage)
{
	cost_of(stage, "zeroes, read", true, false);
}

static void write_holes(struct stage *stage)
{
	cost_of(stage, "zeroes, written", true, true);
}

static void read_new(struct stage *stage)
{
	cost_of(stage, "a page, its block not in the cache", false, false);
}

static void read_cached(struct stage *stage)
{
	cost_of(stage, "a page, its block in the cache", false, false);
}

static void read_all(struct stage *stage)
{
	double start = now_us();

	(void)stage;
	for (unsigned i = 0; i < STAGE_SPAN; i++)
		(void)*(volatile uint8_t *)stage_at(i);
	printf("    %-44s %6.2f us\n", "all in order, per page", (now_us() - start) / STAGE_SPAN);
	fflush(stdout);
}

static void pin(pid_t pid, int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	sched_setaffinity(pid, sizeof(set), &set);
}

int pager_cost(void)
{
	static inside_fn *const inside[] = {write_free, read_new, read_cached, read_holes, write_holes, read_all};

	for (int core = 0; core < 2; core++) {
		struct stage stage;
		pid_t holder;

		printf(core ? "on two cores\n" : "on one core\n");
		fflush(stdout);
		stage_init(&stage);
		pin(0, 0);
		stage_start_pager(&stage);
		pin(stage.pager, core);
		holder = stage_clone(&stage, stage_hold); /* the image stays open, and its blocks in the cache */
		for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
			CHECK(stage_wait(stage_clone(&stage, inside[i])) == 0);
		stage.shared->signal = 1;
		CHECK(stage_wait(holder) == 0);
		stage_end_pager(&stage);
	}
	return 0;
}
