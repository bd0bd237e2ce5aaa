/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outbound sequence numbers (RFC 4303 2.2, 3.3.3), which are also the AES-GCM IVs: one used twice
 * under one key gives away the key stream and the authentication key.
 *
 * A range is reserved by storing its end in the shared segment before anything is encrypted with it.
 * A worker killed in between has skipped the range; the next one goes on behind it.
 */
#ifndef SEALANE_ESP_SEQUENCE_H
#define SEALANE_ESP_SEQUENCE_H

#include <stdint.h>

#include "sealane/state.h"
#include "sealane/tables.h"

/* Without extended sequence numbers 2^32 - 1 is the last; the counter must not cycle. */
#define SL_ESP_LAST_SEQUENCE 0xffffffffull

/* The last sequence number that the SA of `row` may send. */
static inline uint64_t sl_esp_last_sequence(const struct sl_sa_row *row)
{
	uint64_t last = row->esn != 0 ? UINT64_MAX : SL_ESP_LAST_SEQUENCE;

	return row->packet_limit == 0 || row->packet_limit > last ? last : row->packet_limit;
}

/*
 * How many of `n` packets, none longer than `longest` bytes, the byte limit of `row` still has room for: a
 * burst may end a little before the limit, never behind it.
 */
static inline uint32_t sl_esp_byte_room(const struct sl_sa_out_state *state,
                                        const struct sl_sa_row *row, uint32_t n, uint32_t longest)
{
	uint64_t left = row->byte_limit > state->bytes ? row->byte_limit - state->bytes : 0;

	if (__builtin_expect(row->byte_limit == 0 || left >= (uint64_t)n * longest, 1))
		return n;
	return (uint32_t)(left / longest);
}

/*
 * Reserve up to `want` consecutive sequence numbers; `end` is the last that may be sent
 * (sl_esp_last_sequence()). Returns how many were granted, fewer than `want` when the SA is spent; `*first` is the
 * first of them. Only the thread that owns the SA may call it.
 */
static inline uint32_t sl_esp_reserve(struct sl_sa_out_state *state, uint64_t end, uint32_t want,
                                      uint64_t *first)
{
	uint64_t last = state->last_sequence;
	uint64_t left = last < end ? end - last : 0;
	uint32_t granted = want < left ? want : (uint32_t)left;

	*first = last + 1;
	if (granted != 0)
		__atomic_store_n(&state->last_sequence, last + granted, __ATOMIC_RELEASE);
	/* the store is not moved behind the encryption that follows */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return granted;
}

#endif
