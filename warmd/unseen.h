/* SPDX-License-Identifier: MIT */
/*
 * Where nobody records what a first run opens, the program's own word has to do: its hook declares what its state came
 * from. A program without a hook gives no word, and gets no snapshot there - unless the configuration says that it is
 * to do without (record-opened = no), or somebody asks for that very process (`warm snapshot`).
 */
#ifndef WARM_WARMD_UNSEEN_H
#define WARM_WARMD_UNSEEN_H

#include <stdbool.h>
#include "proto/rpc.pb-c.h"

struct err;
struct first_run;

/* Before anything is stopped: 0, or -errno with the reason. asked: by `warm snapshot`; declares: it calls the hook. */
int unseen_check(const struct first_run *run, bool asked, bool declares, struct err *err);

/* Once its files are known: notes in the record where it uses what is not recorded. opened: NULL where nothing was.
 * 0, or -errno with the reason why it gets no snapshot. */
int unseen_note(const struct first_run *run, const Warm__Rpc__Opened *opened, Warm__Rpc__Record *record,
                struct err *err);

#endif
