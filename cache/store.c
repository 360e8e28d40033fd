/* SPDX-License-Identifier: MIT */
#include "cache/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"

struct store {
	int dir_fd;
	char *root;
};

static int make_parents(const char *root)
{
	char path[PATH_MAX];

	if (strlen(root) >= sizeof(path))
		return -ENAMETOOLONG;
	strcpy(path, root);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

/* Images are code that runs with their owner's rights: who can write here can run anything as them. */
static int check_private(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "cache %s", path);
	if (st.st_uid != geteuid())
		return err_set(err, EPERM,
		               "cache %s belongs to uid %u, not to uid %u: give --root a directory of your own", path,
		               (unsigned)st.st_uid, (unsigned)geteuid());
	if (st.st_mode & 022)
		return err_set(err, EPERM, "cache %s may be written to by others (mode %04o): `chmod 700 %s`", path,
		               (unsigned)st.st_mode & 07777, path);
	return 0;
}

static int open_private(int at_fd, const char *name, const char *path, int *ret_fd, struct err *err)
{
	CLEAN(fd) int fd = -1;
	int ret;

	if (mkdirat(at_fd, name, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "make cache %s", path);
	fd = openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open cache %s", path);
	ret = check_private(fd, path, err);
	if (ret < 0)
		return ret;
	if (fchmod(fd, 0700) < 0)
		return err_sys(err, errno, "cache %s: set mode 0700", path);
	*ret_fd = take_fd(&fd);
	return 0;
}

int store_open(const char *root, struct store **ret_store, struct err *err)
{
	struct store *store;
	CLEAN(fd) int root_fd = -1;
	int ret = make_parents(root);

	if (ret < 0)
		return err_sys(err, -ret, "make cache %s", root);
	ret = open_private(AT_FDCWD, root, root, &root_fd, err);
	if (ret < 0)
		return ret;

	store = calloc(1, sizeof(*store));
	if (!store)
		return err_sys(err, ENOMEM, "open cache %s", root);
	store->dir_fd = -1;
	store->root = strdup(root);
	ret = store->root ? open_private(root_fd, "images", root, &store->dir_fd, err)
	                  : err_sys(err, ENOMEM, "open cache %s", root);
	if (ret < 0) {
		store_close(store);
		return ret;
	}
	*ret_store = store;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	clean_fd(&store->dir_fd);
	free(store->root);
	free(store);
}

const char *store_root(const struct store *store)
{
	return store->root;
}

int store_dir_fd(const struct store *store)
{
	return store->dir_fd;
}

const char *store_image_name(const char *id, char name[STORE_NAME_MAX])
{
	snprintf(name, STORE_NAME_MAX, "%.*s.warm", ID_LEN, id);
	return name;
}

int store_open_image(struct store *store, const char *id, int *ret_fd, struct err *err)
{
	char name[STORE_NAME_MAX];
	CLEAN(fd) int fd = openat(store->dir_fd, store_image_name(id, name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && errno == ENOENT)
		return STORE_GONE; /* removed behind our back: the caller drops its catalog row */
	if (fd < 0)
		return err_sys(err, errno, "open image %s/images/%s", store->root, name);
	*ret_fd = take_fd(&fd);
	return 0;
}

int store_delete_image(struct store *store, const char *id, struct err *err)
{
	char name[STORE_NAME_MAX], half[STORE_NAME_MAX + 4];

	store_image_name(id, name);
	snprintf(half, sizeof(half), "%s.tmp", name);
	unlinkat(store->dir_fd, half, 0); /* usually not there; what remains is swept */
	if (unlinkat(store->dir_fd, name, 0) == 0)
		return 0;
	if (errno == ENOENT)
		return STORE_GONE;
	return err_sys(err, errno, "remove image %s/images/%s", store->root, name);
}

int store_replace_image(struct store *store, const char *id, struct err *err)
{
	char name[STORE_NAME_MAX], half[STORE_NAME_MAX + 4];

	store_image_name(id, name);
	snprintf(half, sizeof(half), "%s.tmp", name);
	if (renameat(store->dir_fd, half, store->dir_fd, name) < 0)
		return err_sys(err, errno, "rename image %s/images/%s", store->root, half);
	return 0;
}

enum file_kind { FILE_FOREIGN, FILE_IMAGE, FILE_HALF };

static enum file_kind classify(const char *name, char id[ID_LEN + 1])
{
	if (strlen(name) < ID_LEN)
		return FILE_FOREIGN;
	memcpy(id, name, ID_LEN);
	id[ID_LEN] = 0;
	if (!id_valid(id))
		return FILE_FOREIGN;
	if (strcmp(name + ID_LEN, ".warm") == 0)
		return FILE_IMAGE;
	return strcmp(name + ID_LEN, ".warm.tmp") == 0 ? FILE_HALF : FILE_FOREIGN;
}

struct found {
	enum file_kind kind;
	const char *name, *id;
	struct stat st;
};

static int each_file(struct store *store, int (*fn)(void *arg, const struct found *found), void *arg, struct err *err)
{
	CLEAN(fd) int fd = openat(store->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEAN(dir) DIR *dir = NULL;
	struct dirent *entry;
	int ret = 0;

	if (fd >= 0)
		dir = fdopendir(fd);
	if (!dir)
		return err_sys(err, errno, "list cache %s", store->root);
	take_fd(&fd);
	while (ret == 0 && (errno = 0, entry = readdir(dir))) {
		char id[ID_LEN + 1];
		struct found found = {.kind = classify(entry->d_name, id), .name = entry->d_name, .id = id};

		if (found.kind == FILE_FOREIGN)
			continue;
		if (fstatat(store->dir_fd, entry->d_name, &found.st, AT_SYMLINK_NOFOLLOW) < 0)
			continue; /* removed meanwhile */
		ret = fn(arg, &found);
	}
	if (ret == 0 && errno != 0)
		return err_sys(err, errno, "list cache %s", store->root);
	return ret;
}

struct each_call {
	int (*fn)(void *arg, const char *id, const struct stat *st);
	void *arg;
};

static int pass_image(void *arg, const struct found *found)
{
	struct each_call *call = arg;

	return found->kind == FILE_IMAGE ? call->fn(call->arg, found->id, &found->st) : 0;
}

int store_each(struct store *store, int (*fn)(void *arg, const char *id, const struct stat *st), void *arg,
               struct err *err)
{
	struct each_call call = {.fn = fn, .arg = arg};

	return each_file(store, pass_image, &call, err);
}

struct sweep_call {
	struct store *store;
	bool (*keep)(void *arg, const char *id);
	void *arg;
	struct store_swept *swept;
};

static int sweep_file(void *arg, const struct found *found)
{
	struct sweep_call *call = arg;

	if (call->keep(call->arg, found->id))
		return 0;
	if (unlinkat(call->store->dir_fd, found->name, 0) < 0)
		return 0; /* it is tried again with the next sweep */
	call->swept->files++;
	call->swept->bytes += (uint64_t)found->st.st_blocks * 512;
	return 0;
}

int store_sweep(struct store *store, bool (*keep)(void *arg, const char *id), void *arg, struct store_swept *swept,
                struct err *err)
{
	struct store_swept unused = {0};
	struct sweep_call call = {.store = store, .keep = keep, .arg = arg, .swept = swept ? swept : &unused};

	memset(call.swept, 0, sizeof(*call.swept));
	return each_file(store, sweep_file, &call, err);
}
