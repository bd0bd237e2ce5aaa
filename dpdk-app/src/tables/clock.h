/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of policers and shapers: units of 2^-12 ns, modulo 2^64. */
#ifndef SEALANE_TABLES_CLOCK_H
#define SEALANE_TABLES_CLOCK_H

#include <stdint.h>

/* Another thread's `now` is less than this ahead: a second. Rounds take microseconds. */
#define SL_CLOCK_SKEW (1000000000ull << 12)

/* sl_worker.clock_scale of a TSC of this many ticks per second: 10^9 * 2^12 / hz, times 2^32. */
static inline uint64_t sl_clock_scale(uint64_t hz)
{
	return (uint64_t)((((unsigned __int128)1000000000u << 44) + hz / 2) / hz);
}

static inline uint64_t sl_clock(uint64_t tsc, uint64_t scale)
{
	return (uint64_t)((unsigned __int128)tsc * scale >> 32);
}

/* `now`, or `then` when another thread, whose clock is a little ahead, has been there already. */
static inline uint64_t sl_clock_later(uint64_t now, uint64_t then)
{
	return then - now < SL_CLOCK_SKEW ? then : now;
}

#endif
