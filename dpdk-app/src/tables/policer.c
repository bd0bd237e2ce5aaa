/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The RFCs' buckets hold tokens, and get some at intervals. Here a bucket is the instant at which it was empty: what
 * has come in since, up to its depth, is in it, and a packet that takes tokens moves the instant on. So
 * nothing is lost by rounding from interval to interval, whatever the rate, and both buckets are one word of 128 bits
 * that threads exchange by compare and swap.
 */
#include "tables/policer.h"

#include "tables/clock.h"

static uint64_t word(const uint64_t *at) { return __atomic_load_n(at, __ATOMIC_RELAXED); }

static uint64_t at_most(uint64_t value, uint64_t limit) { return value < limit ? value : limit; }

/* RFC 2697 section 3. What the first bucket cannot take goes to the second. */
static enum sl_colour single_rate(const struct sl_policer_row *policer, union sl_buckets *b,
                                  uint64_t now, uint32_t bytes, enum sl_colour before)
{
	uint64_t need = sl_policer_time(word(&policer->cost[0]), bytes);
	uint64_t cbs = word(&policer->depth[0]), ebs = word(&policer->depth[1]);
	uint64_t tc = cbs, te = ebs;

	if (b->both != 0) {
		now = sl_clock_later(now, b->committed);
		tc = now - b->committed;
		te = at_most(b->other, ebs);
		if (tc > cbs) {
			te += at_most(tc - cbs, ebs - te);
			tc = cbs;
		}
	}
	if (before == SL_GREEN && tc >= need) {
		b->committed = now - (tc - need);
		b->other = te;
		return SL_GREEN;
	}
	if (before == SL_RED || te < need)
		return SL_RED;
	b->committed = now - tc;
	b->other = te - need;
	return SL_YELLOW;
}

/* RFC 2698 section 3. */
static enum sl_colour two_rates(const struct sl_policer_row *policer, union sl_buckets *b,
                                uint64_t now, uint32_t bytes, enum sl_colour before)
{
	uint64_t need_c = sl_policer_time(word(&policer->cost[0]), bytes);
	uint64_t need_p = sl_policer_time(word(&policer->cost[1]), bytes);
	uint64_t tc = word(&policer->depth[0]), tp = word(&policer->depth[1]);
	uint64_t now_c = now, now_p = now;

	if (b->both != 0) {
		now_c = sl_clock_later(now, b->committed);
		now_p = sl_clock_later(now, b->other);
		tc = at_most(now_c - b->committed, tc);
		tp = at_most(now_p - b->other, tp);
	}
	if (before == SL_RED || tp < need_p)
		return SL_RED;
	b->other = now_p - (tp - need_p);
	if (before == SL_YELLOW || tc < need_c) {
		b->committed = now_c - tc;
		return SL_YELLOW;
	}
	b->committed = now_c - (tc - need_c);
	return SL_GREEN;
}

enum sl_colour sl_police(const struct sl_policer_row *policer, union sl_buckets *buckets,
                         uint64_t now, uint32_t bytes, enum sl_colour before)
{
	uint32_t meter = __atomic_load_n(&policer->meter, __ATOMIC_RELAXED) & SL_METER_MASK;
	union sl_buckets seen, next;

	/*
	 * Two loads, in this order: halves of two states show no less than there is in the buckets, so a packet
	 * that is red by them is red; another one takes by the exchange, which then fails.
	 */
	seen.committed = __atomic_load_n(&buckets->committed, __ATOMIC_ACQUIRE);
	seen.other = __atomic_load_n(&buckets->other, __ATOMIC_ACQUIRE);
	for (;;) {
		enum sl_colour colour;
		unsigned __int128 found;

		next = seen;
		colour = meter == SL_METER_TRTCM ? two_rates(policer, &next, now, bytes, before)
		                                 : single_rate(policer, &next, now, bytes, before);
		if (colour == SL_RED)
			return SL_RED;
		found = __sync_val_compare_and_swap(&buckets->both, seen.both, next.both);
		if (found == seen.both)
			return colour;
		seen.both = found;
	}
}
