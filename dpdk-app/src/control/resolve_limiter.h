/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which requests to resolve a neighbour are worth telling the supervisor: one per address and second,
 * and not more than a fixed number of all together, so that a scan of a subnet cannot flood it.
 */
#ifndef SEALANE_CONTROL_RESOLVE_LIMITER_H
#define SEALANE_CONTROL_RESOLVE_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

#define SL_RESOLVE_SLOTS 1024u /* power of two; addresses that share a slot displace each other */
#define SL_RESOLVE_REPEAT_NS 1000000000ull
#define SL_RESOLVE_PER_SECOND 500u

struct sl_resolve_slot {
	uint64_t asked_ns;
	uint32_t interface;
	uint8_t family;
	uint8_t address[16];
};

/* All zero at start. */
struct sl_resolve_limiter {
	struct sl_resolve_slot slots[SL_RESOLVE_SLOTS];
	uint64_t second_ns; /* start of the present second */
	uint32_t in_second;
};

/*
 * True when this request is to be told, at monotonic time `now_ns` (not 0). `address` has 4 or 16 bytes,
 * by `family` 4 or 6, the rest of the 16 is ignored.
 */
bool sl_resolve_allowed(struct sl_resolve_limiter *limiter, uint32_t interface, uint8_t family,
                        const uint8_t address[16], uint64_t now_ns);

#endif
