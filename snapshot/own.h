/* SPDX-License-Identifier: MIT */
/* What every clone has of its own and no image says: its process group and session, its session keyring. */
#ifndef WARM_SNAPSHOT_OWN_H
#define WARM_SNAPSHOT_OWN_H

struct err;
struct subject;

/* A clone behind borrow(): 0, or -EUCLEAN with what it has that is not its own. */
int check_own(struct subject *clone, struct err *err);

#endif
