/* SPDX-License-Identifier: MIT */
#include "restore/check.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <string.h>
#include <sys/user.h>

#include "base/err.h"
#include "plugins/warm_plugin.h"
#include "proto/launch.h"
#include "proto/image_version.h"

#define PAGE          4096u
#define SIGNALS       64
#define RANDOM_MAX    65536   /* bytes in one piece: one operation for each 256 */
#define SIGACTION_LEN 32      /* bytes of the kernel's struct sigaction */
#define FD_END        1048576 /* the kernel's own limit of descriptor numbers, fs.nr_open, as it is by default */

typedef Warm__Image__Description desc_t;

static bool whole_siginfos(const ProtobufCBinaryData *pending, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pending[i].len != sizeof(siginfo_t))
			return false;
	return true;
}

static bool process_is_whole(const Warm__Image__Process *process)
{
	if (!process || process->pid <= 0 || !process->cred || process->cred->n_uid != 4 || process->cred->n_gid != 4 ||
	    process->n_sigaction > SIGNALS || !whole_siginfos(process->pending, process->n_pending))
		return false;
	for (size_t i = 0; i < process->n_sigaction; i++)
		if (process->sigaction[i].len && process->sigaction[i].len != SIGACTION_LEN)
			return false;
	return true;
}

static bool threads_are_whole(const Warm__Image__Image *image)
{
	for (size_t i = 0; i < image->n_thread; i++) {
		const Warm__Image__Thread *t = image->thread[i];

		if (t->tid <= 0 || t->regs.len != sizeof(struct user_regs_struct) ||
		    !whole_siginfos(t->pending, t->n_pending))
			return false;
	}
	return image->n_thread > 0;
}

static bool shared_is_whole(const Warm__Image__Image *image, const Warm__Image__Vma *vma)
{
	uint64_t size;

	if (vma->object >= image->n_shared_memory)
		return false;
	size = image->shared_memory[vma->object]->size;
	return size < UINT64_C(1) << 46 && vma->offset % PAGE == 0 && vma->offset < size &&
	       vma->end - vma->start <= (size + PAGE - 1) / PAGE * PAGE - vma->offset;
}

static bool memory_is_whole(const Warm__Image__Image *image, uint64_t n_pages)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < image->n_vma; i++) {
		const Warm__Image__Vma *vma = image->vma[i];

		if (vma->start >= vma->end || vma->start % PAGE || vma->end % PAGE ||
		    (vma->kind == WARM__IMAGE__VMA_KIND__FILE && vma->file >= image->n_file) ||
		    (vma->kind == WARM__IMAGE__VMA_KIND__SHARED_ANON && !shared_is_whole(image, vma)))
			return false;
	}
	if (image->n_run_addr != image->n_run_pages || image->n_guard_addr != image->n_guard_len)
		return false;
	for (size_t i = 0; i < image->n_run_pages; i++)
		pages += image->run_pages[i];
	for (size_t i = 0; i < image->n_random; i++)
		if (!image->random[i]->length || image->random[i]->length > RANDOM_MAX)
			return false;
	return image->mm && pages == n_pages;
}

static bool socket_is_whole(const Warm__Image__Socket *sock)
{
	size_t len = sock ? sock->address.len : 0;

	if (!sock)
		return false;
	switch (sock->family) {
	case AF_INET:
		return (!len || len == sizeof(struct sockaddr_in)) && sock->remote_held <= HELD_MAX;
	case AF_INET6:
		return (!len || len == sizeof(struct sockaddr_in6)) && sock->remote_held <= HELD_MAX;
	default:
		return !len || len >= sizeof(sa_family_t);
	}
}

static bool description_is_whole(const desc_t *d)
{
	if (d->held > HELD_MAX || (d->n_lock && (!d->held || !d->path)))
		return false;
	switch (d->kind) {
	case WARM__IMAGE__DESCRIPTION_KIND__PIPE:
		return d->pipe;
	case WARM__IMAGE__DESCRIPTION_KIND__TIMERFD:
		return d->timerfd;
	case WARM__IMAGE__DESCRIPTION_KIND__NAMELESS:
		return d->nameless && d->path;
	case WARM__IMAGE__DESCRIPTION_KIND__SOCKET:
		return socket_is_whole(d->socket);
	case WARM__IMAGE__DESCRIPTION_KIND__STDIO:
		return d->stdio <= 2;
	default:
		return true;
	}
}

static bool descriptors_are_whole(const Warm__Image__Image *image)
{
	for (size_t i = 0; i < image->n_description; i++)
		if (!description_is_whole(image->description[i]))
			return false;
	for (size_t i = 0; i < image->n_descriptor; i++) {
		const Warm__Image__Descriptor *d = image->descriptor[i];

		if (d->fd < 0 || d->fd >= FD_END || d->description >= image->n_description)
			return false;
	}
	return true;
}

static bool plugin_object_is_whole(const Warm__Image__Image *image, const Warm__Image__PluginObject *o)
{
	switch (o->kind) {
	case WARM_PROCESS:
		return true;
	case WARM_MAPPING:
		return o->index < image->n_vma && image->vma[o->index]->kind == WARM__IMAGE__VMA_KIND__TAKEN_MEMORY;
	case WARM_DESCRIPTOR:
	case WARM_DEVICE:
		return o->index < image->n_description &&
		       image->description[o->index]->kind == WARM__IMAGE__DESCRIPTION_KIND__TAKEN;
	default:
		return false;
	}
}

/* Nothing may be marked as taken that no plugin brings back. */
static bool plugin_objects_are_whole(const Warm__Image__Image *image)
{
	size_t n_taken = 0, n_objects = 0;

	for (size_t i = 0; i < image->n_plugin_object; i++) {
		if (!plugin_object_is_whole(image, image->plugin_object[i]))
			return false;
		n_objects += image->plugin_object[i]->kind != WARM_PROCESS;
	}
	for (size_t i = 0; i < image->n_vma; i++)
		n_taken += image->vma[i]->kind == WARM__IMAGE__VMA_KIND__TAKEN_MEMORY;
	for (size_t i = 0; i < image->n_description; i++)
		n_taken += image->description[i]->kind == WARM__IMAGE__DESCRIPTION_KIND__TAKEN;
	return n_taken == n_objects;
}

static bool notify_is_whole(const char *path)
{
	return !*path || (*path == '/' && strrchr(path, '/') > path && strlen(path) < NOTIFY_PATH_MAX);
}

int check_image(const Warm__Image__Image *image, uint64_t n_pages, const char *label, struct err *err)
{
	const char *part = NULL;

	if (image->version != IMAGE_VERSION)
		return err_set(err, ENOTSUP, "image %s: version %u is not known", label, image->version);
	for (size_t i = 0; i < image->n_feature; i++)
		if (strcmp(image->feature[i], "plugins") != 0 && strcmp(image->feature[i], "shared") != 0 &&
		    strcmp(image->feature[i], "notify") != 0 && strcmp(image->feature[i], "random") != 0)
			return err_set(err, ENOTSUP, "image %s: feature %s is not known", label, image->feature[i]);
	if (!process_is_whole(image->process) || !notify_is_whole(image->process->notify))
		part = "process";
	else if (!threads_are_whole(image))
		part = "threads";
	else if (!memory_is_whole(image, n_pages))
		part = "memory";
	else if (!descriptors_are_whole(image))
		part = "descriptors";
	else if (!plugin_objects_are_whole(image))
		part = "what plugins have taken";
	return part ? err_set(err, EBADMSG, "image %s: its record of %s is not whole; `warm rm` it", label, part) : 0;
}
