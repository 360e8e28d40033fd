/* SPDX-License-Identifier: MIT */
#include "base/err.h"
#include "restore/files_internal.h"
#include "restore/plan.h"

int plan_socket(struct plan *p, size_t description, struct err *err)
{
	(void)p;
	(void)description;
	(void)err;
	return 0;
}

void plan_socket_bind(struct plan *p, size_t description)
{
	(void)p;
	(void)description;
}
