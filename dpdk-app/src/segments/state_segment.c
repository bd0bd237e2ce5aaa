/* SPDX-License-Identifier: Apache-2.0 */
#include "segments/state_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/log.h"
#include "sealane/layout_hash.h"
#include "segments/epoch_mark.h"
#include "segments/header.h"
#include "segments/process.h"

static const char make_room[] = "make room in the tmpfs that holds the segments";

/* 0 when the lock is ours; -1 with `fault` when another process has it. */
static int lock(int fd, const char *path, struct sl_fault *fault)
{
	struct flock byte = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
	struct sl_segment_header header;

	if (fcntl(fd, F_OFD_SETLK, &byte) == 0)
		return 0;
	if (errno != EAGAIN && errno != EACCES)
		return sl_fail(fault, SL_FAULT_SEGMENT, "", "cannot lock segment %s: %s", path,
		               strerror(errno));
	if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header))
		header.writer.pid = 0;
	return sl_fail(
		fault, SL_FAULT_LOCKED, "stop that worker first, or use another instance directory",
		"another worker (pid %" PRIu32 ") holds segment %s", header.writer.pid, path);
}

/* True while `path` still names the file behind `fd`. */
static bool still_named(int fd, const char *path)
{
	struct stat ours, named;

	return fstat(fd, &ours) == 0 && stat(path, &named) == 0 && ours.st_ino == named.st_ino &&
	       ours.st_dev == named.st_dev;
}

/* Open and lock, creating an empty file if there is none. */
static int open_locked(const char *path, struct sl_fault *fault)
{
	for (;;) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (fd < 0)
			return sl_fail(fault, SL_FAULT_SEGMENT,
			               "create the directory, or check its owner",
			               "cannot open segment %s: %s", path, strerror(errno));
		if (lock(fd, path, fault) != 0) {
			close(fd);
			return -1;
		}
		/* A worker that replaced the file let go of the old one's lock only afterwards. */
		if (still_named(fd, path))
			return fd;
		close(fd);
	}
}

/* `at`: the map that it takes the place of, NULL = anywhere. */
static struct sl_state *map_state(int fd, const char *path, void *at, struct sl_fault *fault)
{
	void *map = mmap(at, sizeof(struct sl_state), PROT_READ | PROT_WRITE,
	                 MAP_SHARED | (at != NULL ? MAP_FIXED : 0), fd, 0);

	if (map == MAP_FAILED) {
		(void)sl_fail(fault, SL_FAULT_NO_MEMORY, "", "cannot map segment %s: %s", path,
		              strerror(errno));
		return NULL;
	}
	sl_map_protect(map, sizeof(struct sl_state));
	return map;
}

/* All but `complete`. */
static void write_header(struct sl_state_header *header, uint64_t epoch)
{
	header->segment.magic = SL_STATE_MAGIC;
	header->segment.layout_version = SL_LAYOUT_VERSION;
	header->segment.layout_hash = sl_layout_hash();
	header->segment.epoch = epoch;
	header->segment.writer.pid = (uint32_t)getpid();
	header->segment.writer.start_time = sl_process_start_time((uint32_t)getpid());
}

/* Fill an empty, locked file. `complete` is stored last: the supervisor waits for it. */
static struct sl_state *initialise(int fd, const char *path, const struct sl_tables *tables,
                                   struct sl_fault *fault)
{
	uint64_t epoch = tables->header.segment.epoch;
	struct sl_state *state;
	struct sl_state_header *header;

	if (ftruncate(fd, 0) != 0 || ftruncate(fd, (off_t)sizeof(struct sl_state)) != 0) {
		(void)sl_fail(fault, SL_FAULT_NO_MEMORY, make_room, "cannot size segment %s: %s",
		              path, strerror(errno));
		return NULL;
	}
	if (sl_segment_reserve(fd, 0, offsetof(struct sl_state, sa_out), "its header", fault) != 0)
		return NULL;
	state = map_state(fd, path, NULL, fault);
	if (state == NULL)
		return NULL;
	header = &state->header;
	write_header(header, epoch);
	if (sl_epoch_mark_read(path) == epoch) {
		header->generation_floor =
			__atomic_load_n(&tables->header.next_generation, __ATOMIC_ACQUIRE);
		sl_log(SL_LOG_WARNING,
		       "segment %s was lost: SAs up to generation %" PRIu64
		       " are refused, since what they had sent is unknown; install new ones",
		       path, header->generation_floor);
	}
	__atomic_store_n(&header->segment.complete, 1, __ATOMIC_RELEASE);
	return state;
}

enum found { FOUND_USABLE, FOUND_UNUSED, FOUND_OTHER_EPOCH, FOUND_BAD };

/* What a locked file is. FOUND_BAD sets `fault`. */
static enum found inspect(int fd, const char *path, uint64_t epoch, struct sl_fault *fault)
{
	struct sl_segment_header header;
	struct stat status;
	ssize_t length = pread(fd, &header, sizeof(header), 0);

	if (length < 0 || fstat(fd, &status) != 0) {
		(void)sl_fail(fault, SL_FAULT_SEGMENT, "", "cannot read segment %s: %s", path,
		              strerror(errno));
		return FOUND_BAD;
	}
	/* A worker that died while making it left it incomplete; nobody has used it. */
	if (length == 0)
		return FOUND_UNUSED;
	if (length < (ssize_t)sizeof(header)) {
		(void)sl_fail(fault, SL_FAULT_SEGMENT, "remove the file",
		              "%s is not a Sealane segment", path);
		return FOUND_BAD;
	}
	if (header.complete != 1 && (header.magic == 0 || header.magic == SL_STATE_MAGIC))
		return FOUND_UNUSED;
	if (sl_header_check(&header, SL_STATE_MAGIC, path, fault) != 0)
		return FOUND_BAD;
	if (header.epoch != epoch)
		return FOUND_OTHER_EPOCH;
	if ((uint64_t)status.st_size < sizeof(struct sl_state)) {
		(void)sl_fail(fault, SL_FAULT_SEGMENT, SL_REMEDY_SAME_BUILD,
		              "segment %s has only %" PRIu64 " bytes", path,
		              (uint64_t)status.st_size);
		return FOUND_BAD;
	}
	return FOUND_USABLE;
}

/* Put a new segment in the place of one of another epoch. Returns its descriptor, locked. */
static int replace(int old_fd, const char *path, const struct sl_tables *tables,
                   struct sl_state **state, struct sl_fault *fault)
{
	char fresh[4200];
	int fd;

	(void)snprintf(fresh, sizeof(fresh), "%s.new", path);
	(void)unlink(fresh); /* of a worker that died here; its lock on `path` is ours now */
	fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return sl_fail(fault, SL_FAULT_SEGMENT, "check the directory's owner",
		               "cannot create segment %s: %s", fresh, strerror(errno));
	*state = NULL;
	if (lock(fd, fresh, fault) == 0)
		*state = initialise(fd, path, tables, fault);
	if (*state != NULL && rename(fresh, path) != 0) {
		(void)sl_fail(fault, SL_FAULT_SEGMENT, "", "cannot rename segment %s: %s", fresh,
		              strerror(errno));
		munmap(*state, sizeof(**state));
		*state = NULL;
	}
	if (*state == NULL) {
		(void)unlink(fresh);
		close(fd);
		return -1;
	}
	close(old_fd);
	return fd;
}

/* Become the writer of a segment that earlier workers wrote. `at` as for map_state(). */
static struct sl_state *adopt(int fd, const char *path, void *at, struct sl_fault *fault)
{
	struct sl_state *state = map_state(fd, path, at, fault);

	if (state == NULL)
		return NULL;
	state->header.segment.writer.pid = (uint32_t)getpid();
	state->header.segment.writer.start_time = sl_process_start_time((uint32_t)getpid());
	/* That worker's participants are gone: whatever it read, it reads no more. */
	__atomic_store_n(&state->header.control_epoch, 0, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < state->header.committed_lcores && i < SL_MAX_LCORES; i++) {
		__atomic_store_n(&state->lcore[i].block.epoch, 0, __ATOMIC_RELEASE);
		state->lcore[i].block.running = 0;
	}
	return state;
}

int sl_state_attach(struct sl_state_segment *segment, const char *path,
                    const struct sl_tables *tables, struct sl_fault *fault)
{
	uint64_t epoch = tables->header.segment.epoch;
	struct sl_state *state = NULL;
	enum found found;
	int fd = open_locked(path, fault);

	if (fd < 0)
		return -1;
	found = inspect(fd, path, epoch, fault);
	switch (found) {
	case FOUND_USABLE:
		state = adopt(fd, path, NULL, fault);
		break;
	case FOUND_UNUSED:
		state = initialise(fd, path, tables, fault);
		break;
	case FOUND_OTHER_EPOCH: {
		int fresh_fd = replace(fd, path, tables, &state, fault);

		if (fresh_fd >= 0)
			fd = fresh_fd;
		break;
	}
	case FOUND_BAD:
		break;
	}
	/* Before any SA is used: a lost segment must be noticed from its first SA on. */
	if (state != NULL && sl_epoch_mark_write(path, epoch, fault) != 0) {
		munmap(state, sizeof(*state));
		state = NULL;
	}
	if (state == NULL) {
		close(fd);
		return -1;
	}
	state->header.worker_starts++;
	*segment = (struct sl_state_segment){
		.state = state, .fd = fd, .created = found != FOUND_USABLE};
	return 0;
}

int sl_state_stand_by(struct sl_state_segment *segment, const struct sl_tables *tables,
                      struct sl_fault *fault)
{
	int fd = memfd_create("sealane-standby", MFD_CLOEXEC);
	struct sl_state *state = NULL;

	if (fd < 0 || ftruncate(fd, (off_t)sizeof(struct sl_state)) != 0)
		(void)sl_fail(fault, SL_FAULT_NO_MEMORY, "give the machine more memory",
		              "no memory to stand by: %s", strerror(errno));
	else
		state = map_state(fd, "of the standby", NULL, fault);
	if (state == NULL) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	write_header(&state->header, tables->header.segment.epoch);
	*segment = (struct sl_state_segment){.state = state, .fd = fd, .created = true};
	return 0;
}

int sl_state_take_over(struct sl_state_segment *segment, const char *path,
                       const struct sl_tables *tables, struct sl_fault *fault)
{
	int fd = open_locked(path, fault);
	enum found found;

	if (fd < 0)
		return -1;
	found = inspect(fd, path, tables->header.segment.epoch, fault);
	if (found != FOUND_USABLE && found != FOUND_BAD)
		(void)sl_fail(fault, SL_FAULT_SEGMENT, "start a worker that does not stand by",
		              "segment %s is not what the worker before this one has counted in",
		              path);
	if (found != FOUND_USABLE || adopt(fd, path, segment->state, fault) == NULL) {
		close(fd);
		return -1;
	}
	close(segment->fd);
	segment->fd = fd;
	segment->created = false;
	segment->state->header.worker_starts++;
	return 0;
}

void sl_state_detach(struct sl_state_segment *segment)
{
	if (segment->state == NULL)
		return;
	munmap(segment->state, sizeof(*segment->state));
	close(segment->fd);
	segment->state = NULL;
	segment->fd = -1;
}
