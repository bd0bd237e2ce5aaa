/* SPDX-License-Identifier: Apache-2.0 */
/* Growing the state segment: space is added in chunks, before anything refers to it. */
#include "segments/header.h"
#include "segments/state_segment.h"

/* Rows added at a time: 64 KiB outbound, 288 KiB inbound. */
#define SL_SA_OUT_CHUNK 1024u
#define SL_SA_IN_CHUNK 256u
#define SL_LABEL_CHUNK 4096u /* 64 KiB for each packet thread */

/* An array of the segment that grows. */
struct area {
	const char *what;
	size_t offset, size; /* of the array, of a row; bytes */
	uint64_t chunk;      /* rows added at a time */
};

static const struct area sa_area[] = {
	[SL_OUT] = {"outbound SAs", offsetof(struct sl_state, sa_out),
                    sizeof(struct sl_sa_out_state), SL_SA_OUT_CHUNK},
	[SL_IN] = {"inbound SAs", offsetof(struct sl_state, sa_in), sizeof(struct sl_sa_in_state),
                   SL_SA_IN_CHUNK},
};

int sl_state_commit_sa(struct sl_state_segment *segment, enum sl_direction direction, uint32_t row,
                       struct sl_fault *fault)
{
	struct sl_state_header *header = &segment->state->header;
	const struct area *area = &sa_area[direction];
	uint64_t *committed =
		direction == SL_OUT ? &header->committed_sa_out : &header->committed_sa_in;
	uint64_t have = *committed;
	uint64_t rows = (row / area->chunk + 1) * area->chunk;

	if (row >= SL_MAX_SAS)
		return sl_fail(fault, SL_FAULT_NOT_FOUND, "use a smaller number",
		               "there are no more than %u %s", SL_MAX_SAS, area->what);
	if (row < have)
		return 0;
	if (sl_segment_reserve(segment->fd, area->offset + have * area->size,
	                       (rows - have) * area->size, area->what, fault) != 0)
		return -1;
	/* The supervisor reads rows below this. */
	__atomic_store_n(committed, rows, __ATOMIC_RELEASE);
	return 0;
}

static size_t block_offset(uint64_t index)
{
	return offsetof(struct sl_state, lcore) + index * sizeof(struct sl_lcore_slot);
}

int sl_state_commit_lcores(struct sl_state_segment *segment, uint32_t count, struct sl_fault *fault)
{
	struct sl_state_header *header = &segment->state->header;
	uint64_t index;

	if (count > SL_MAX_LCORES)
		return sl_fail(fault, SL_FAULT_NOT_FOUND, "use fewer threads",
		               "there are no more than %u packet threads", SL_MAX_LCORES);
	for (index = header->committed_lcores; index < count; index++) {
		if (sl_segment_reserve(segment->fd, block_offset(index),
		                       offsetof(struct sl_lcore_block, label),
		                       "a packet thread's counters", fault) != 0)
			return -1;
		if (header->committed_labels > 0 &&
		    sl_segment_reserve(segment->fd,
		                       block_offset(index) + offsetof(struct sl_lcore_block, label),
		                       header->committed_labels * sizeof(struct sl_label_counters),
		                       "label counters", fault) != 0)
			return -1;
		__atomic_store_n(&header->committed_lcores, index + 1, __ATOMIC_RELEASE);
	}
	return 0;
}

int sl_state_commit_labels(struct sl_state_segment *segment, uint32_t labels,
                           struct sl_fault *fault)
{
	struct sl_state_header *header = &segment->state->header;
	uint64_t rows = ((uint64_t)labels + SL_LABEL_CHUNK - 1) / SL_LABEL_CHUNK * SL_LABEL_CHUNK;
	uint64_t have = header->committed_labels;

	if (labels > SL_MAX_LABELS)
		return sl_fail(fault, SL_FAULT_MALFORMED, "use a smaller number",
		               "there are no more than %u labels", SL_MAX_LABELS);
	if (labels <= have)
		return 0;
	for (uint64_t index = 0; index < header->committed_lcores; index++)
		if (sl_segment_reserve(segment->fd,
		                       block_offset(index) +
		                               offsetof(struct sl_lcore_block, label) +
		                               have * sizeof(struct sl_label_counters),
		                       (rows - have) * sizeof(struct sl_label_counters),
		                       "label counters", fault) != 0)
			return -1;
	__atomic_store_n(&header->committed_labels, rows, __ATOMIC_RELEASE);
	return 0;
}
