/* SPDX-License-Identifier: Apache-2.0 */
/* What both segments' first bytes must say, and how a mapped segment is kept out of swap and dumps. */
#ifndef SEALANE_SEGMENTS_HEADER_H
#define SEALANE_SEGMENTS_HEADER_H

#include <stddef.h>

#include "control/fault.h"
#include "sealane/layout.h"

#define SL_REMEDY_SAME_BUILD                                                                       \
	"run supervisor and worker of the same build; stop both and remove the segments"

/* Check magic, layout version, layout hash, epoch. 0, or -1 with `fault` (SL_FAULT_SEGMENT). */
int sl_header_check(const struct sl_segment_header *header, uint64_t magic, const char *path,
                    struct sl_fault *fault);

/* Lock the map into memory as pages are touched, and keep it out of core dumps: it holds keys. */
void sl_map_protect(void *map, size_t bytes);

/*
 * Back `length` bytes at `offset` of a segment with memory. Backing them again is harmless. 0, or -1
 * with `fault` (SL_FAULT_NO_MEMORY), naming `what`.
 */
int sl_segment_reserve(int fd, size_t offset, size_t length, const char *what,
                       struct sl_fault *fault);

#endif
