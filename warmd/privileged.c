/* SPDX-License-Identifier: MIT */
#include "warmd/privileged.h"

#include "base/err.h"

#define COLD "it always starts cold"

#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/xattr.h>

int privileged_file(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st))
		return 0;
	if (st.st_mode & S_ISUID)
		return err_refuse(err, COLD, "%s is set-uid", path);
	if (st.st_mode & S_ISGID && st.st_mode & S_IXGRP)
		return err_refuse(err, COLD, "%s is set-gid", path);
	if (getxattr(path, "security.capability", NULL, 0) > 0)
		return err_refuse(err, COLD, "%s has file capabilities", path);
	return 0;
}
