/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much the neighbours behind one interface may have of the kernel and of this thread: a token
 * bucket per interface, so that a flood of one customer (ARP, or at the PE's own address) takes
 * nothing from the others' routing sessions.
 */
#ifndef SEALANE_CONTROL_PUNT_LIMITER_H
#define SEALANE_CONTROL_PUNT_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

#define SL_PUNT_PER_SECOND 10000u
#define SL_PUNT_BURST 512u

/* Of one interface; all zero at start. */
struct sl_punt_bucket {
	uint64_t filled_ns; /* when the tokens were counted */
	uint32_t tokens;
};

/* May one more packet go to the interface's TAP at monotonic time `now_ns` (not 0)? Takes a token. */
bool sl_punt_allowed(struct sl_punt_bucket *bucket, uint64_t now_ns);

#endif
