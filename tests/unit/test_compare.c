/* SPDX-License-Identifier: MIT */
/* snapshot/compare*: every number, text and string of bytes of an image, changed in one place at a time, is noticed,
 * but for those that are listed here with the reason. And memory: a byte changed in every sixteenth page is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/user.h>
#include <time.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "snapshot/compare.h"

#define PAGE    4096u
#define N_PAGES 64u

static const char *const not_compared[] = {
        /* of the image as a whole: the trial makes no such record of a clone */
        "Image.version",
        "Image.feature",
        "Image.kernel",
        "Image.cpu",
        "Image.hook_fd",
        "Process.net_private",
        "Process.notify",
        "Process.redraw",
        /* compare_pages() looks at these */
        "Image.run_addr",
        "Image.run_pages",
        /* how it was armed, not how it is */
        "Timerfd.settime_flags",
        /* an index: what is behind it counts */
        "Vma.file",
        /* each clone has its own */
        "SharedMemory.ino",
        /* a FIFO with bytes in it comes back as a pipe */
        "Pipe.mode",
        /* numbers of the image's own */
        "Description.held",
        "Socket.remote_held",
};

/* ---- an image with one of everything ------------------------------------------------------------------------------
 */

#define ADD(owner, field, type, init)                                                                                  \
	({                                                                                                             \
		type *added = calloc(1, sizeof(*added));                                                               \
		init(added);                                                                                           \
		(owner)->field = realloc((owner)->field, ((owner)->n_##field + 1) * sizeof(*(owner)->field));          \
		(owner)->field[(owner)->n_##field++] = added;                                                          \
		added;                                                                                                 \
	})
#define ADD_VALUE(owner, field, value)                                                                                 \
	({                                                                                                             \
		(owner)->field = realloc((owner)->field, ((owner)->n_##field + 1) * sizeof(*(owner)->field));          \
		(owner)->field[(owner)->n_##field++] = (value);                                                        \
	})

static ProtobufCBinaryData bytes(const void *data, size_t len)
{
	ProtobufCBinaryData b = {len, malloc(len)};

	memcpy(b.data, data, len);
	return b;
}

static ProtobufCBinaryData pending(int signo)
{
	siginfo_t info = {.si_signo = signo, .si_code = SI_USER};

	return bytes(&info, sizeof(info));
}

static void add_threads(Warm__Image__Image *image)
{
	for (int i = 0; i < 2; i++) {
		Warm__Image__Thread *t = ADD(image, thread, Warm__Image__Thread, warm__image__thread__init);
		struct user_regs_struct regs = {.rsp = 0x7000, .rip = 0x1000};
		uint8_t xstate[1024] = {1};

		t->tid = 10 + i;
		t->nice = i; /* the second one has chosen its own */
		t->cpus = bytes(i ? "\1" : "\3", 1);
		t->name = strdup("name");
		t->regs = bytes(&regs, sizeof(regs));
		t->xstate = bytes(xstate, sizeof(xstate));
		t->altstack_flags = SS_DISABLE;
		ADD_VALUE(t, pending, pending(SIGUSR2));
	}
}

static void add_process(Warm__Image__Image *image)
{
	Warm__Image__Process *p = calloc(1, sizeof(*p));
	uint8_t action[32] = {9};

	warm__image__process__init(p);
	image->process = p;
	p->pid = 10;
	p->cwd = strdup("/tmp");
	p->root = strdup("/");
	p->cred = calloc(1, sizeof(*p->cred));
	warm__image__credentials__init(p->cred);
	for (int i = 0; i < 4; i++) {
		ADD_VALUE(p->cred, uid, 0);
		ADD_VALUE(p->cred, gid, 0);
	}
	ADD_VALUE(p->cred, group, 7);
	ADD_VALUE(p, sigaction, bytes(action, sizeof(action)));
	ADD_VALUE(p, pending, pending(SIGUSR1));
	for (int i = 0; i < 2; i++) {
		Warm__Image__Itimer *itimer = ADD(p, itimer, Warm__Image__Itimer, warm__image__itimer__init);
		Warm__Image__PosixTimer *timer = ADD(p, timer, Warm__Image__PosixTimer, warm__image__posix_timer__init);

		itimer->value_us = 5000000;
		itimer->interval_us = i * 1000000;
		timer->id = i;
		timer->remaining_ns = 5000000000;
		timer->interval_ns = i * 1000000000;
	}
	image->mm = calloc(1, sizeof(*image->mm));
	warm__image__mm__init(image->mm);
	image->mm->exe = strdup("/bin/true");
	image->mm->auxv = bytes("auxv", 4);
}

static void add_areas(Warm__Image__Image *image)
{
	Warm__Image__MappedFile *file = ADD(image, file, Warm__Image__MappedFile, warm__image__mapped_file__init);

	file->path = strdup("/bin/true");
	for (uint64_t i = 0; i < 2; i++) {
		Warm__Image__Vma *vma = ADD(image, vma, Warm__Image__Vma, warm__image__vma__init);

		vma->start = 0x10000 * (i + 1);
		vma->end = vma->start + 0x2000;
		vma->kind = i ? WARM__IMAGE__VMA_KIND__FILE : WARM__IMAGE__VMA_KIND__ANON;
		vma->name = strdup(i ? "" : "heap");
		ADD_VALUE(vma, flag, strdup("nr"));
	}
	ADD(image, shared_memory, Warm__Image__SharedMemory, warm__image__shared_memory__init);
	ADD_VALUE(image, guard_addr, 0x30000);
	ADD_VALUE(image, guard_len, 0x1000);
}

static Warm__Image__Description *add_file(Warm__Image__Image *image, Warm__Image__DescriptionKind kind)
{
	Warm__Image__Description *d = ADD(image, description, Warm__Image__Description, warm__image__description__init);
	Warm__Image__Descriptor *fd = ADD(image, descriptor, Warm__Image__Descriptor, warm__image__descriptor__init);

	d->kind = kind;
	d->path = strdup("/etc/passwd");
	fd->description = (uint32_t)image->n_description - 1;
	fd->fd = (int32_t)image->n_description + 2;
	return d;
}

static void add_pair(Warm__Image__Image *image)
{
	for (uint64_t i = 0; i < 2; i++) {
		Warm__Image__Description *d = add_file(image, WARM__IMAGE__DESCRIPTION_KIND__PIPE);
		Warm__Image__Socket *s;
		Warm__Image__SocketOption *option;

		d->pipe = calloc(1, sizeof(*d->pipe));
		warm__image__pipe__init(d->pipe);
		d->pipe->id = 77;
		d->pipe->data = bytes("x", 1);
		d = add_file(image, WARM__IMAGE__DESCRIPTION_KIND__SOCKET);
		s = d->socket = calloc(1, sizeof(*d->socket));
		warm__image__socket__init(s);
		s->id = 100 + i;
		s->peer = 101 - i;
		s->address = bytes("address", 7);
		s->remote = bytes("remote", 6);
		ADD_VALUE(s, queue, bytes("waiting", 7));
		option = ADD(s, option, Warm__Image__SocketOption, warm__image__socket_option__init);
		option->value = bytes("on", 2);
	}
}

static Warm__Image__Image *everything(void)
{
	Warm__Image__Image *image = calloc(1, sizeof(*image));
	Warm__Image__Description *d;
	Warm__Image__Interest *in;

	warm__image__image__init(image);
	add_threads(image);
	add_process(image);
	add_areas(image);
	d = add_file(image, WARM__IMAGE__DESCRIPTION_KIND__REGULAR);
	for (int i = 0; i < 2; i++)
		ADD(d, lock, Warm__Image__FileLock, warm__image__file_lock__init)->start = 100;
	add_file(image, WARM__IMAGE__DESCRIPTION_KIND__EVENTFD);
	add_file(image, WARM__IMAGE__DESCRIPTION_KIND__SIGNALFD);
	add_file(image, WARM__IMAGE__DESCRIPTION_KIND__STDIO);
	d = add_file(image, WARM__IMAGE__DESCRIPTION_KIND__NAMELESS);
	d->nameless = calloc(1, sizeof(*d->nameless));
	warm__image__nameless__init(d->nameless);
	d->nameless->content = bytes("content", 7);
	for (int i = 0; i < 2; i++) {
		d = add_file(image, WARM__IMAGE__DESCRIPTION_KIND__TIMERFD);
		d->timerfd = calloc(1, sizeof(*d->timerfd));
		warm__image__timerfd__init(d->timerfd);
		d->timerfd->value_ns = i * 5000000000;
	}
	for (uint64_t i = 0; i < 2; i++) {
		d = add_file(image, WARM__IMAGE__DESCRIPTION_KIND__TAKEN);
		d->taken = calloc(1, sizeof(*d->taken));
		warm__image__taken__init(d->taken);
	}
	d = add_file(image, WARM__IMAGE__DESCRIPTION_KIND__EPOLL);
	in = ADD(d, interest, Warm__Image__Interest, warm__image__interest__init);
	in->events = 0x19;
	add_pair(image);
	return image;
}

/* ---- one change at a time -----------------------------------------------------------------------------------------
 */

struct change {
	size_t wanted, seen; /* the place that is changed; places met so far */
	char name[80];       /* Type.field of the place */
};

static void alter_number(void *at, ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
		*(int64_t *)at += 100000000000; /* no timer runs down by so much */
		break;
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)at = !*(protobuf_c_boolean *)at;
		break;
	default:
		*(int32_t *)at += 1;
	}
}

static void alter(void *at, ProtobufCType type)
{
	if (type == PROTOBUF_C_TYPE_STRING) {
		char **text = at;

		if (*text && *text != (const char *)protobuf_c_empty_string)
			free(*text);
		*text = strdup("another");
	} else if (type == PROTOBUF_C_TYPE_BYTES) {
		ProtobufCBinaryData *b = at;

		if (b->len)
			b->data[0] ^= 1;
		else
			*b = bytes("z", 1);
	} else {
		alter_number(at, type);
	}
}

static size_t size_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
		return 8;
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return 4;
	}
}

static void visit(ProtobufCMessage *msg, struct change *change)
{
	for (unsigned i = 0; i < msg->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &msg->descriptor->fields[i];
		char *at = (char *)msg + field->offset;
		size_t n = 1;

		if (field->label == PROTOBUF_C_LABEL_REPEATED) {
			n = *(size_t *)((char *)msg + field->quantifier_offset);
			at = *(char **)at;
		}
		for (size_t k = 0; k < n; k++, at += size_of(field->type)) {
			if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
				if (*(ProtobufCMessage **)at)
					visit(*(ProtobufCMessage **)at, change);
				continue;
			}
			if (change->seen++ != change->wanted)
				continue;
			snprintf(change->name, sizeof(change->name), "%s.%s", msg->descriptor->short_name, field->name);
			alter(at, field->type);
		}
	}
}

static Warm__Image__Image *copy_of(const Warm__Image__Image *image)
{
	size_t len = warm__image__image__get_packed_size(image);
	CLEAN(free) uint8_t *buf = malloc(len);

	warm__image__image__pack(image, buf);
	return warm__image__image__unpack(NULL, len, buf);
}

static bool listed(const char *name)
{
	for (size_t i = 0; i < sizeof(not_compared) / sizeof(not_compared[0]); i++)
		if (strcmp(not_compared[i], name) == 0)
			return true;
	return false;
}

struct tally { /* by field: in how many places it was changed, in how many that was noticed */
	char name[80];
	unsigned n, noticed;
};

static struct tally *tally_of(struct tally *tally, size_t *n, const char *name)
{
	for (size_t i = 0; i < *n; i++)
		if (strcmp(tally[i].name, name) == 0)
			return &tally[i];
	snprintf(tally[*n].name, sizeof(tally[*n].name), "%s", name);
	return &tally[(*n)++];
}

static void test_each_change_of_the_state_is_noticed(void **state)
{
	Warm__Image__Image *was = everything();
	static struct tally tally[400];
	size_t n_tally = 0;

	(void)state;
	for (size_t place = 0;; place++) {
		Warm__Image__Image *is = copy_of(was);
		struct change change = {.wanted = place};
		const struct compared clone = {.image = is};
		struct err err = {0};
		struct tally *t;

		visit(&is->base, &change);
		if (!change.name[0]) {
			assert_int_equal(compare_state(was, &clone, &err), 0); /* nothing was changed */
			warm__image__image__free_unpacked(is, NULL);
			break;
		}
		t = tally_of(tally, &n_tally, change.name);
		t->n++;
		if (!listed(change.name) && compare_state(was, &clone, &err) < 0) {
			assert_true(err.msg[0]);
			t->noticed++;
		}
		warm__image__image__free_unpacked(is, NULL);
	}
	assert_true(n_tally > 120);
	for (size_t i = 0; i < n_tally; i++)
		if (!tally[i].noticed && !listed(tally[i].name))
			fail_msg("%s: a change is not noticed in any of %u places", tally[i].name, tally[i].n);
	warm__image__image__free_unpacked(was, NULL);
}

/* Two descriptions of one file are not two files; which file it is does not matter. */
static void test_plugins_objects_that_are_one_stay_one(void **state)
{
	Warm__Image__Image *was = everything(), *is = copy_of(was);
	const struct compared clone = {.image = is};
	Warm__Image__Description *of[2];
	struct err err = {0};
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < is->n_description; i++)
		if (is->description[i]->taken)
			of[n++] = is->description[i];
	assert_int_equal(n, 2);
	of[0]->ino = of[1]->ino = 99;
	assert_int_equal(compare_state(was, &clone, &err), 0);
	of[1]->ino = 100;
	assert_int_not_equal(compare_state(was, &clone, &err), 0);
	assert_non_null(strstr(err.msg, "which of a plugin's objects"));
	of[1]->ino = 99;
	of[1]->dev = 1;
	assert_int_not_equal(compare_state(was, &clone, &err), 0);
	warm__image__image__free_unpacked(is, NULL);
	warm__image__image__free_unpacked(was, NULL);
}

static void test_what_is_missing_or_too_much_is_noticed(void **state)
{
	Warm__Image__Image *was = everything();
	struct err err = {0};

	(void)state;
#define LESS(field)                                                                                                    \
	do {                                                                                                           \
		Warm__Image__Image *is = copy_of(was);                                                                 \
		const struct compared less = {.image = is}, more = {.image = was};                                     \
		is->n_##field--;                                                                                       \
		assert_int_not_equal(compare_state(was, &less, &err), 0);                                              \
		assert_int_not_equal(compare_state(is, &more, &err), 0);                                               \
		is->n_##field++;                                                                                       \
		warm__image__image__free_unpacked(is, NULL);                                                           \
	} while (0)
	LESS(thread);
	LESS(vma);
	LESS(descriptor);
	LESS(guard_addr);
#undef LESS
	for (unsigned which = 0; which < 2; which++) {
		Warm__Image__Image *is = copy_of(was);
		const struct compared clone = {.image = which ? was : is};

		is->description[0]->n_lock--;
		assert_int_not_equal(compare_state(which ? is : was, &clone, &err), 0);
		is->description[0]->n_lock++;
		warm__image__image__free_unpacked(is, NULL);
	}
	warm__image__image__free_unpacked(was, NULL);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000 + now.tv_nsec;
}

static int compare_since(const Warm__Image__Image *was, const Warm__Image__Image *is, int64_t way_s)
{
	const struct compared clone = {.image = is, .go_ns = now_ns() - way_s * 1000000000};
	struct err err = {0};

	return compare_state(was, &clone, &err);
}

/* 5 seconds were left of each, and it is not armed: that it has expired is believed after a way that was as long, of
 * one that has something to show. */
static void test_a_timer_that_was_not_armed_is_noticed(void **state)
{
	Warm__Image__Image *was = everything();

	(void)state;
	for (int which = 0; which < 3; which++) {
		Warm__Image__Image *is = copy_of(was);
		Warm__Image__Process *p = is->process;
		Warm__Image__Timerfd *timerfd = NULL;

		was->process->timer[0]->signal = p->timer[0]->signal = SIGALRM;
		for (size_t i = 0; i < is->n_description; i++)
			if (is->description[i]->timerfd && is->description[i]->timerfd->value_ns)
				timerfd = is->description[i]->timerfd;
		*(which == 0   ? &p->itimer[0]->value_us
		  : which == 1 ? &p->timer[0]->remaining_ns
		               : &timerfd->value_ns) = 0;
		assert_int_not_equal(compare_since(was, is, 6), 0);
		if (which == 2) {
			timerfd->ticks = 1;
		} else {
			ADD_VALUE(p, pending, pending(SIGALRM));
			((siginfo_t *)p->pending[p->n_pending - 1].data)->si_code = SI_TIMER;
		}
		assert_int_equal(compare_since(was, is, 6), 0);
		assert_int_not_equal(compare_since(was, is, 4), 0);
		warm__image__image__free_unpacked(is, NULL);
	}
	warm__image__image__free_unpacked(was, NULL);
}

/* The second ones run every second. */
static void test_a_timer_runs_down_on_the_way_and_begins_anew(void **state)
{
	Warm__Image__Image *was = everything(), *is = copy_of(was);
	int64_t *left = &is->process->timer[1]->remaining_ns;

	(void)state;
	*left = 2000000000;
	assert_int_equal(compare_since(was, is, 4), 0);
	assert_int_not_equal(compare_since(was, is, 2), 0);
	was->process->timer[1]->remaining_ns = 300000000;
	*left = 900000000;
	assert_int_equal(compare_since(was, is, 1), 0);
	assert_int_not_equal(compare_since(was, is, 0), 0);
	*left = 1100000000;
	assert_int_not_equal(compare_since(was, is, 1), 0);
	was->process->timer[1]->remaining_ns = 0; /* one that did not run */
	*left = 1;
	assert_int_not_equal(compare_since(was, is, 1), 0);
	warm__image__image__free_unpacked(is, NULL);
	warm__image__image__free_unpacked(was, NULL);
}

/* ---- memory: this process is the clone of itself ------------------------------------------------------------------
 */

struct memory {
	char *area, *pages;
	uint64_t run_addr[1];
	uint32_t run_pages[1];
	Warm__Image__Image want, got;
	struct compared clone;
};

static int make_memory(void **state)
{
	struct memory *m = calloc(1, sizeof(*m));

	m->area = mmap(NULL, N_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	m->pages = malloc(N_PAGES * PAGE);
	for (size_t i = 0; i < N_PAGES * PAGE; i++)
		m->area[i] = m->pages[i] = (char)(i * 31 + i / PAGE);
	warm__image__image__init(&m->want);
	m->run_addr[0] = (uint64_t)m->area;
	m->run_pages[0] = N_PAGES;
	m->want.run_addr = m->run_addr;
	m->want.run_pages = m->run_pages;
	m->want.n_run_addr = m->want.n_run_pages = 1;
	m->got = m->want;
	m->clone = (struct compared){.image = &m->got, .pid = getpid()};
	*state = m;
	return 0;
}

static int free_memory(void **state)
{
	struct memory *m = *state;

	munmap(m->area, N_PAGES * PAGE);
	free(m->pages);
	free(m);
	return 0;
}

static void test_a_byte_in_every_sixteenth_page_is_noticed(void **state)
{
	struct memory *m = *state;
	struct err err = {0};

	assert_int_equal(compare_pages(&m->want, m->pages, &m->clone, &err), 0);
	for (size_t page = 0; page < N_PAGES; page += 16)
		for (size_t at = 0; at < PAGE; at += 1365) { /* first, last, and in between */
			char *byte = m->area + page * PAGE + at, place[32];

			*byte ^= 1;
			assert_int_not_equal(compare_pages(&m->want, m->pages, &m->clone, &err), 0);
			snprintf(place, sizeof(place), "%#lx", (unsigned long)byte);
			assert_non_null(strstr(err.msg, place));
			*byte ^= 1;
		}
	assert_int_equal(compare_pages(&m->want, m->pages, &m->clone, &err), 0);
}

/* A page that the original had not is zero, or it is a difference. */
static void test_a_page_too_many_is_noticed(void **state)
{
	struct memory *m = *state;
	struct err err = {0};
	uint32_t fewer[1] = {N_PAGES - 1};

	m->want.run_pages = fewer;
	assert_int_not_equal(compare_pages(&m->want, m->pages, &m->clone, &err), 0);
	memset(m->area + (N_PAGES - 1) * PAGE, 0, PAGE);
	assert_int_equal(compare_pages(&m->want, m->pages, &m->clone, &err), 0);
}

static void test_only_the_dead_part_of_a_stack_may_differ(void **state)
{
	struct memory *m = *state;
	struct user_regs_struct regs = {.rsp = (uint64_t)m->area + 32 * PAGE};
	Warm__Image__Thread thread = WARM__IMAGE__THREAD__INIT, *list[1] = {&thread};
	struct err err = {0};

	thread.regs = (ProtobufCBinaryData){sizeof(regs), (uint8_t *)&regs};
	m->want.thread = list;
	m->want.n_thread = 1;
	m->area[32 * PAGE - 129] ^= 1; /* below the red zone */
	assert_int_equal(compare_pages(&m->want, m->pages, &m->clone, &err), 0);
	m->area[32 * PAGE - 128] ^= 1; /* in it */
	assert_int_not_equal(compare_pages(&m->want, m->pages, &m->clone, &err), 0);
	m->area[32 * PAGE - 128] ^= 1;
	m->area[32 * PAGE] ^= 1; /* on the stack */
	assert_int_not_equal(compare_pages(&m->want, m->pages, &m->clone, &err), 0);
}

static int compare_with_deadline(struct memory *m, int64_t moved_ns)
{
	struct timespec at = {1000, 999999999};
	struct err err = {0};
	char *page = m->area + 4 * PAGE - 8; /* on two pages */

	memcpy(m->pages + (page - m->area), &at, sizeof(at));
	at.tv_sec += (at.tv_nsec + moved_ns) / 1000000000;
	at.tv_nsec = (at.tv_nsec + moved_ns) % 1000000000;
	memcpy(page, &at, sizeof(at));
	return compare_pages(&m->want, m->pages, &m->clone, &err);
}

/* Half an hour has gone by since the threads stood still, a minute since GO. */
static void test_a_deadline_has_moved_as_its_clock_has(void **state)
{
	struct memory *m = *state;
	const int64_t second = 1000000000;
	Warm__Image__Deadline deadline = WARM__IMAGE__DEADLINE__INIT, *list[1] = {&deadline};

	deadline.address = (uint64_t)m->area + 4 * PAGE - 8;
	deadline.clock = CLOCK_MONOTONIC;
	deadline.now_ns = now_ns() - 1800 * second;
	m->want.deadline = list;
	m->want.n_deadline = 1;
	m->clone.go_ns = now_ns() - 60 * second;
	assert_int_equal(compare_with_deadline(m, 1800 * second), 0);
	assert_int_equal(compare_with_deadline(m, 1770 * second), 0); /* it was moved on the way */
	assert_int_not_equal(compare_with_deadline(m, 0), 0);
	assert_int_not_equal(compare_with_deadline(m, 1700 * second), 0);
	assert_int_not_equal(compare_with_deadline(m, 1900 * second), 0);
	deadline.now_ns = now_ns() + 1000 * second; /* of another start of the machine: it stays */
	assert_int_equal(compare_with_deadline(m, 0), 0);
	assert_int_not_equal(compare_with_deadline(m, second), 0);
}

/* On two pages. */
static void test_random_bytes_are_others(void **state)
{
	struct memory *m = *state;
	Warm__Image__RandomBytes bytes = WARM__IMAGE__RANDOM_BYTES__INIT, *list[1] = {&bytes};
	char *at = m->area + 7 * PAGE - 4;
	struct err err = {0};

	bytes.address = (uint64_t)at;
	bytes.length = 8;
	m->want.random = list;
	m->want.n_random = 1;
	assert_int_not_equal(compare_pages(&m->want, m->pages, &m->clone, &err), 0);
	assert_non_null(strstr(err.msg, "random bytes"));
	at[7] ^= 1;
	assert_int_equal(compare_pages(&m->want, m->pages, &m->clone, &err), 0);
	at[8] ^= 1; /* what lies behind them is compared */
	assert_int_not_equal(compare_pages(&m->want, m->pages, &m->clone, &err), 0);
	at[8] ^= 1;
	at[-1] ^= 1;
	assert_int_not_equal(compare_pages(&m->want, m->pages, &m->clone, &err), 0);
}

static void test_wiped_memory_is_zero(void **state)
{
	struct memory *m = *state;
	char *flags[1] = {(char *)"wf"};
	Warm__Image__Vma vma = WARM__IMAGE__VMA__INIT, *list[1] = {&vma};
	struct err err = {0};

	vma.start = (uint64_t)m->area;
	vma.end = vma.start + PAGE;
	vma.prot = PROT_READ;
	vma.flag = flags;
	vma.n_flag = 1;
	m->got.vma = list;
	m->got.n_vma = 1;
	m->want.n_run_addr = m->got.n_run_addr = 0;
	assert_int_not_equal(compare_pages(&m->want, m->pages, &m->clone, &err), 0);
	memset(m->area, 0, PAGE);
	assert_int_equal(compare_pages(&m->want, m->pages, &m->clone, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_each_change_of_the_state_is_noticed),
	        cmocka_unit_test(test_plugins_objects_that_are_one_stay_one),
	        cmocka_unit_test(test_what_is_missing_or_too_much_is_noticed),
	        cmocka_unit_test(test_a_timer_that_was_not_armed_is_noticed),
	        cmocka_unit_test(test_a_timer_runs_down_on_the_way_and_begins_anew),
	        cmocka_unit_test_setup_teardown(test_a_byte_in_every_sixteenth_page_is_noticed, make_memory,
	                                        free_memory),
	        cmocka_unit_test_setup_teardown(test_a_page_too_many_is_noticed, make_memory, free_memory),
	        cmocka_unit_test_setup_teardown(test_only_the_dead_part_of_a_stack_may_differ, make_memory,
	                                        free_memory),
	        cmocka_unit_test_setup_teardown(test_a_deadline_has_moved_as_its_clock_has, make_memory, free_memory),
	        cmocka_unit_test_setup_teardown(test_random_bytes_are_others, make_memory, free_memory),
	        cmocka_unit_test_setup_teardown(test_wiped_memory_is_zero, make_memory, free_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
