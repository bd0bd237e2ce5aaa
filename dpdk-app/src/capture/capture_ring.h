/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captured packets on their way from one thread that takes them to one that reads them: a ring of bytes,
 * without a lock. What does not fit is refused; nobody waits.
 */
#ifndef SEALANE_CAPTURE_RING_H
#define SEALANE_CAPTURE_RING_H

#include <stdbool.h>
#include <stdint.h>

/* What is known of a packet, in front of its bytes. */
struct sl_capture_record {
	uint32_t size;   /* of record and bytes, a multiple of 8; 0 = unused up to the ring's end */
	uint32_t length; /* octets the packet had */
	uint64_t tsc;    /* when */
	uint32_t stored; /* octets that follow */
	uint32_t interface; /* row, 0 = none */
	uint32_t vrf;
	uint16_t reason;   /* enum sl_drop_reason, 0 = not dropped */
	uint8_t link;      /* enum sl_capture_link */
	uint8_t direction; /* enum sl_capture_direction */
};

struct sl_capture_ring {
	uint8_t *bytes;
	uint64_t size; /* a power of two */
	uint64_t head; /* atomic; bytes ever put in, the writer's */
	uint64_t tail; /* atomic; bytes ever taken out, the reader's */
};

/* `size`: a power of two. The memory is touched, so that no packet pays for it. False: there is none. */
bool sl_capture_ring_open(struct sl_capture_ring *ring, uint64_t size);
void sl_capture_ring_close(struct sl_capture_ring *ring);

/* Writer: `record` (its `size` is filled in) with its `stored` bytes. False: no room. */
bool sl_capture_ring_put(struct sl_capture_ring *ring, const struct sl_capture_record *record,
                         const uint8_t *bytes);

/* Reader: the oldest record, its bytes behind it, or NULL. Stays until it is dropped. */
const struct sl_capture_record *sl_capture_ring_peek(struct sl_capture_ring *ring);
void sl_capture_ring_drop(struct sl_capture_ring *ring);

#endif
