/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/capture_ring.h"

#include <stdlib.h>
#include <string.h>

#define SL_ALIGN 8u

_Static_assert(sizeof(struct sl_capture_record) == 32, "records have no padding");

bool sl_capture_ring_open(struct sl_capture_ring *ring, uint64_t size)
{
	*ring = (struct sl_capture_ring){.bytes = aligned_alloc(64, size), .size = size};
	if (ring->bytes == NULL)
		return false;
	memset(ring->bytes, 0, size);
	return true;
}

void sl_capture_ring_close(struct sl_capture_ring *ring)
{
	free(ring->bytes);
	ring->bytes = NULL;
}

bool sl_capture_ring_put(struct sl_capture_ring *ring, const struct sl_capture_record *record,
                         const uint8_t *bytes)
{
	struct sl_capture_record r = *record;
	uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
	uint64_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
	uint64_t at = head & (ring->size - 1), skipped = 0;

	r.size = (uint32_t)((sizeof(r) + r.stored + SL_ALIGN - 1) & ~(uint64_t)(SL_ALIGN - 1));
	if (at + r.size > ring->size)
		skipped = ring->size - at;
	if (head + skipped + r.size - tail > ring->size)
		return false;
	if (skipped != 0) {
		memset(ring->bytes + at, 0, sizeof(r.size));
		at = 0;
	}
	memcpy(ring->bytes + at, &r, sizeof(r));
	memcpy(ring->bytes + at + sizeof(r), bytes, r.stored);
	__atomic_store_n(&ring->head, head + skipped + r.size, __ATOMIC_RELEASE);
	return true;
}

const struct sl_capture_record *sl_capture_ring_peek(struct sl_capture_ring *ring)
{
	uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
	uint64_t tail = __atomic_load_n(&ring->tail, __ATOMIC_RELAXED);
	uint64_t at = tail & (ring->size - 1);
	const struct sl_capture_record *record = (const void *)(ring->bytes + at);

	if (head == tail)
		return NULL;
	if (record->size != 0)
		return record;
	/* a skip is published with the record behind it */
	__atomic_store_n(&ring->tail, tail + ring->size - at, __ATOMIC_RELEASE);
	return (const void *)ring->bytes;
}

void sl_capture_ring_drop(struct sl_capture_ring *ring)
{
	const struct sl_capture_record *record = sl_capture_ring_peek(ring);

	if (record != NULL)
		__atomic_fetch_add(&ring->tail, record->size, __ATOMIC_RELEASE);
}
