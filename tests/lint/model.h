/* SPDX-License-Identifier: MIT */
/* What clang's analyzer cannot see, told to it: the functions that fill a struct err never return 0. */
#ifndef WARM_LINT_MODEL_H
#define WARM_LINT_MODEL_H

#include "base/err.h"

#define err_set(...)    (err_set(__VA_ARGS__), -1)
#define err_refuse(...) (err_refuse(__VA_ARGS__), -1)
#define err_sys(...)    (err_sys(__VA_ARGS__), -1)
#define err_step(...)   (err_step(__VA_ARGS__), -1)

#endif
