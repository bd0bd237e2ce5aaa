/* SPDX-License-Identifier: Apache-2.0 */
#include "control/key_index.h"

#include <stdlib.h>

int sl_key_index_init(struct sl_key_index *index, uint32_t size)
{
	index->slots = calloc(size, sizeof(*index->slots));
	index->size = size;
	index->used = 0;
	return index->slots != NULL ? 0 : -1;
}

void sl_key_index_free(struct sl_key_index *index)
{
	free(index->slots);
	index->slots = NULL;
}

/* The slot of `check`, or the empty one where it belongs. The table is never full. */
static struct sl_key_owner *slot_of(const struct sl_key_index *index, uint64_t check)
{
	uint32_t at = (uint32_t)check & (index->size - 1);

	while (index->slots[at].check != 0 && index->slots[at].check != check)
		at = (at + 1) & (index->size - 1);
	return &index->slots[at];
}

const struct sl_key_owner *sl_key_index_find(const struct sl_key_index *index, uint64_t check)
{
	const struct sl_key_owner *slot = slot_of(index, check);

	return slot->check != 0 ? slot : NULL;
}

static void put(struct sl_key_index *index, const struct sl_key_owner *owner)
{
	struct sl_key_owner *slot = slot_of(index, owner->check);

	if (slot->check == 0)
		index->used++;
	*slot = *owner;
}

static uint32_t size_for(const struct sl_state *state)
{
	uint64_t rows = state->header.committed_sa_out + state->header.committed_sa_in;
	uint32_t size = 4096;

	while (size < rows * 4)
		size *= 2;
	return size;
}

int sl_key_index_load(struct sl_key_index *index, const struct sl_state *state)
{
	struct sl_key_index fresh;

	if (sl_key_index_init(&fresh, size_for(state)) != 0)
		return -1;
	for (uint32_t row = 0; row < state->header.committed_sa_out; row++) {
		const struct sl_sa_out_state *sa = &state->sa_out[row];

		if (sa->generation != 0 && sa->key_check != 0)
			put(&fresh,
			    &(struct sl_key_owner){sa->key_check, sa->generation, row, SL_OUT});
	}
	for (uint32_t row = 0; row < state->header.committed_sa_in; row++) {
		const struct sl_sa_in_state *sa = &state->sa_in[row];

		if (sa->generation != 0 && sa->key_check != 0)
			put(&fresh,
			    &(struct sl_key_owner){sa->key_check, sa->generation, row, SL_IN});
	}
	sl_key_index_free(index);
	*index = fresh;
	return 0;
}

int sl_key_index_add(struct sl_key_index *index, const struct sl_state *state,
                     const struct sl_key_owner *owner)
{
	if (index->used >= index->size / 2 && sl_key_index_load(index, state) != 0)
		return -1;
	put(index, owner);
	return 0;
}
