/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segment `state`, as its only writer has it. One worker at a time: an OFD write lock on byte 0 of the
 * file, released by the kernel when the process ends, however it ends.
 */
#ifndef SEALANE_SEGMENTS_STATE_SEGMENT_H
#define SEALANE_SEGMENTS_STATE_SEGMENT_H

#include <stdbool.h>

#include "control/fault.h"
#include "sealane/state.h"
#include "sealane/tables.h"

enum sl_direction { SL_OUT = 0, SL_IN = 1 };

struct sl_state_segment {
	struct sl_state *state;
	int fd;       /* holds the lock */
	bool created; /* made by this worker; false: found, with what earlier workers counted */
};

/*
 * Attach the state segment at `path`, or make it: a tmpfs file of mode 0600. One of another epoch than
 * `tables` counts for SAs that are gone and is replaced by a new file (never truncated: the supervisor
 * may have it mapped). One of the same epoch keeps every counter, sequence number and replay window.
 * A file "PATH.epoch" remembers for which epoch a segment was made: when the segment of the present
 * epoch is lost, the new one refuses all SA generations handed out so far (generation_floor).
 * Returns 0, or -1 with `fault` (SL_FAULT_SEGMENT, SL_FAULT_LOCKED, SL_FAULT_NO_MEMORY).
 */
int sl_state_attach(struct sl_state_segment *segment, const char *path,
                    const struct sl_tables *tables, struct sl_fault *fault);

/*
 * A segment of nobody's, for a worker that stands by: empty, of the tables' epoch, and gone with the process.
 * Nothing in it counts. 0, or -1 with `fault` (SL_FAULT_NO_MEMORY).
 */
int sl_state_stand_by(struct sl_state_segment *segment, const struct sl_tables *tables,
                      struct sl_fault *fault);

/*
 * As sl_state_attach(), for a segment that sl_state_stand_by() made: the one at `path` comes in its place, at the same
 * address, so that pointers into it stay good. A failure leaves it as it was.
 */
int sl_state_take_over(struct sl_state_segment *segment, const char *path,
                       const struct sl_tables *tables, struct sl_fault *fault);

/* Unmap and release the lock. The file stays: it is what must not be forgotten. */
void sl_state_detach(struct sl_state_segment *segment);

/*
 * Back with memory, before first use: SA state rows 0..row of a direction; the block of packet thread
 * 0..count-1 without label counters; label counters 0..labels-1 of each of those blocks. Does nothing
 * when that is so already. 0, or -1 with `fault` (SL_FAULT_NO_MEMORY): never SIGBUS later.
 */
int sl_state_commit_sa(struct sl_state_segment *segment, enum sl_direction direction, uint32_t row,
                       struct sl_fault *fault);
int sl_state_commit_lcores(struct sl_state_segment *segment, uint32_t count,
                           struct sl_fault *fault);
int sl_state_commit_labels(struct sl_state_segment *segment, uint32_t labels,
                           struct sl_fault *fault);

#endif
