/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a segment is mapped: at an address that is a multiple of a huge page, as its direct tables are within
 * it. Huge pages that the supervisor has the kernel make of them then stay huge in each process: a lookup
 * among 2^24 slots that are mapped by small pages misses the TLB as well as the cache.
 */
#ifndef SEALANE_MAP_H
#define SEALANE_MAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "layout.h"

/* The first `bytes` bytes of a file, a multiple of SL_PAGE; MAP_FAILED and errno when that fails. */
static inline void *sl_map_segment(int fd, size_t bytes, int protection)
{
	const size_t spare = SL_HUGE_PAGE;
	/* NOLINTNEXTLINE(modernize-use-nullptr): C, too */
	void *const room = mmap(NULL, bytes + spare, PROT_NONE,
	                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *const first = (char *)room;
	char *start;
	void *map;

	if (room == MAP_FAILED)
		return room;
	start = first + (spare - (uintptr_t)room % spare) % spare;
	map = mmap(start, bytes, protection, MAP_SHARED | MAP_FIXED, fd, 0);
	if (map == MAP_FAILED) {
		munmap(room, bytes + spare);
		return map;
	}
	if (start > first)
		munmap(first, (size_t)(start - first));
	if (start < first + spare)
		munmap(start + bytes, (size_t)(first + spare - start));
	return map;
}

#endif
