/* SPDX-License-Identifier: Apache-2.0 */
#include "segments/tables_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sealane/map.h"
#include "segments/header.h"

#define SL_WAIT_STEP_MS 10u

static void sleep_ms(unsigned int ms)
{
	struct timespec time = {.tv_nsec = (long)ms * 1000000};

	nanosleep(&time, NULL);
}

/* 1: `complete` is set. 0: not yet. Only the header is mapped: the rest may be of another layout. */
static int is_complete(int fd)
{
	const struct sl_segment_header *header;
	struct stat status;
	int complete;

	if (fstat(fd, &status) != 0 || (uint64_t)status.st_size < sizeof(*header))
		return 0;
	header = mmap(NULL, SL_PAGE, PROT_READ, MAP_SHARED, fd, 0);
	if (header == MAP_FAILED)
		return 0;
	complete = __atomic_load_n(&header->complete, __ATOMIC_ACQUIRE) == 1;
	munmap((void *)(uintptr_t)header, SL_PAGE);
	return complete;
}

/*
 * The descriptor of a completed segment. The file is opened anew in each step: a supervisor that
 * restarts may have put another one in the place of an incomplete one.
 */
static int open_complete(const char *path, unsigned int wait_ms, struct sl_fault *fault)
{
	for (;;) {
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

		if (fd < 0 && errno != ENOENT)
			return sl_fail(fault, SL_FAULT_SEGMENT,
			               "run supervisor and worker as the same user",
			               "cannot open segment %s: %s", path, strerror(errno));
		if (fd >= 0 && is_complete(fd))
			return fd;
		if (fd >= 0)
			close(fd);
		if (wait_ms < SL_WAIT_STEP_MS)
			return sl_fail(fault, SL_FAULT_SEGMENT,
			               "start the supervisor: it makes the segment",
			               "segment %s %s", path,
			               fd < 0 ? "does not exist" : "is not complete");
		sleep_ms(SL_WAIT_STEP_MS);
		wait_ms -= SL_WAIT_STEP_MS;
	}
}

static int check_header(int fd, const char *path, struct sl_fault *fault)
{
	const struct sl_segment_header *header = mmap(NULL, SL_PAGE, PROT_READ, MAP_SHARED, fd, 0);
	int result;

	if (header == MAP_FAILED)
		return sl_fail(fault, SL_FAULT_NO_MEMORY, "", "cannot map segment %s: %s", path,
		               strerror(errno));
	result = sl_header_check(header, SL_TABLES_MAGIC, path, fault);
	munmap((void *)(uintptr_t)header, SL_PAGE);
	return result;
}

const struct sl_tables *sl_tables_attach(const char *path, unsigned int wait_ms,
                                         struct sl_fault *fault)
{
	struct stat status;
	void *map = MAP_FAILED;
	int fd = open_complete(path, wait_ms, fault);

	if (fd < 0)
		return NULL;
	if (check_header(fd, path, fault) != 0)
		goto out;
	if (fstat(fd, &status) != 0 || (uint64_t)status.st_size < sizeof(struct sl_tables)) {
		(void)sl_fail(fault, SL_FAULT_SEGMENT, SL_REMEDY_SAME_BUILD,
		              "segment %s has %" PRIu64 " bytes, %zu are expected", path,
		              (uint64_t)status.st_size, sizeof(struct sl_tables));
		goto out;
	}
	map = sl_map_segment(fd, sizeof(struct sl_tables), PROT_READ);
	if (map == MAP_FAILED)
		(void)sl_fail(fault, SL_FAULT_NO_MEMORY, "", "cannot map segment %s: %s", path,
		              strerror(errno));
	else
		sl_map_protect(map, sizeof(struct sl_tables));
out:
	close(fd);
	return map == MAP_FAILED ? NULL : map;
}

void sl_tables_detach(const struct sl_tables *tables)
{
	munmap((void *)(uintptr_t)tables, sizeof(*tables));
}
