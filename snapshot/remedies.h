/* SPDX-License-Identifier: MIT */
/* What to do about a refusal, where several say the same. "Before the snapshot" is before the hook, too. */
#ifndef WARM_SNAPSHOT_REMEDIES_H
#define WARM_SNAPSHOT_REMEDIES_H

#define CLOSE_IT      "close it before the snapshot"
#define UNMAP_IT      "unmap it before the snapshot"
#define READ_IT       "read what waits before the snapshot"
#define UNLOCK_IT     "unlock it before the snapshot"
#define SWITCH_IT_OFF "switch it off before the snapshot"
#define DO_IT_AFTER   "do that after the snapshot"
#define TRY_AGAIN     "try again"
#define STARTS_COLD   "such programs always start cold"

#endif
