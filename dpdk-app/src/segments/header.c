/* SPDX-License-Identifier: Apache-2.0 */
#include "segments/header.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "control/log.h"
#include "sealane/layout_hash.h"

int sl_header_check(const struct sl_segment_header *header, uint64_t magic, const char *path,
                    struct sl_fault *fault)
{
	if (header->magic != magic)
		return sl_fail(fault, SL_FAULT_SEGMENT,
		               "give the path of a Sealane segment, or remove the file",
		               "%s is not the segment expected here (magic %016" PRIx64 ")", path,
		               header->magic);
	if (header->layout_version != SL_LAYOUT_VERSION)
		return sl_fail(fault, SL_FAULT_SEGMENT, SL_REMEDY_SAME_BUILD,
		               "segment %s has layout version %" PRIu32 ", this worker has %u",
		               path, header->layout_version, SL_LAYOUT_VERSION);
	if (header->layout_hash != sl_layout_hash())
		return sl_fail(fault, SL_FAULT_SEGMENT, SL_REMEDY_SAME_BUILD,
		               "segment %s has layout hash %016" PRIx64
		               ", this worker has %016" PRIx64,
		               path, header->layout_hash, sl_layout_hash());
	if (header->epoch == 0)
		return sl_fail(fault, SL_FAULT_SEGMENT, "stop the supervisor and remove the file",
		               "segment %s has no epoch", path);
	return 0;
}

void sl_map_protect(void *map, size_t bytes)
{
	if (mlock2(map, bytes, MLOCK_ONFAULT) != 0)
		sl_log(SL_LOG_WARNING,
		       "cannot lock memory that holds keys (%s): they may be swapped out; raise "
		       "RLIMIT_MEMLOCK or give CAP_IPC_LOCK",
		       strerror(errno));
	if (madvise(map, bytes, MADV_DONTDUMP) != 0)
		sl_log(SL_LOG_WARNING, "cannot keep keys out of core dumps: %s", strerror(errno));
}

int sl_segment_reserve(int fd, size_t offset, size_t length, const char *what,
                       struct sl_fault *fault)
{
	size_t start = offset & ~(size_t)(SL_PAGE - 1);
	int result;

	do
		result = fallocate(fd, 0, (off_t)start, (off_t)(offset + length - start));
	while (result != 0 && errno == EINTR);
	if (result == 0)
		return 0;
	return sl_fail(fault, SL_FAULT_NO_MEMORY, "make room in the tmpfs that holds the segments",
	               "no memory for %s in segment state: %s", what, strerror(errno));
}
