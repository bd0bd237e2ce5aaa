/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which SA each key was first installed for, by key check (key_check.h). A key belongs to one state row
 * and generation for life (policy-model 22): its sequence numbers are counted there and nowhere else.
 * Keys of past generations are remembered too, until the index is rebuilt from the state rows.
 */
#ifndef SEALANE_CONTROL_KEY_INDEX_H
#define SEALANE_CONTROL_KEY_INDEX_H

#include <stdint.h>

#include "sealane/state.h"
#include "segments/state_segment.h"

struct sl_key_owner {
	uint64_t check; /* 0 = empty slot */
	uint64_t generation;
	uint32_t row;
	uint32_t direction; /* enum sl_direction */
};

struct sl_key_index {
	struct sl_key_owner *slots;
	uint32_t size; /* power of two */
	uint32_t used;
};

/* 0, or -1: no memory. */
int sl_key_index_init(struct sl_key_index *index, uint32_t size);
void sl_key_index_free(struct sl_key_index *index);

/* The owner of a key, NULL when it is not known. */
const struct sl_key_owner *sl_key_index_find(const struct sl_key_index *index, uint64_t check);

/*
 * Note the owner of a key that is not in the index. A full index first forgets past generations,
 * keeping what `state` counts for. 0, or -1: no memory for a larger one.
 */
int sl_key_index_add(struct sl_key_index *index, const struct sl_state *state,
                     const struct sl_key_owner *owner);

/* Start from what `state` counts for. 0, or -1: no memory. */
int sl_key_index_load(struct sl_key_index *index, const struct sl_state *state);

#endif
