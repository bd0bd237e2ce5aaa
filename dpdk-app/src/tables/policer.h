/* SPDX-License-Identifier: Apache-2.0 */
/* Metering: RFC 2697 and RFC 2698. */
#ifndef SEALANE_TABLES_POLICER_H
#define SEALANE_TABLES_POLICER_H

#include <stdint.h>

#include "sealane/tables.h"

/*
 * What the two buckets of a policer hold: sl_policer_row. Changed as one, by any packet thread, without a lock.
 * Zeros: not used yet, both are full.
 */
union sl_buckets {
	struct {
		uint64_t committed; /* when the first one was, or would have been, empty */
		uint64_t other; /* trTCM: the same of the second; srTCM: what is in it, as time */
	};
	unsigned __int128 both;
};

/* The colour that a DSCP says: AFx1 green, AFx2 yellow, AFx3 red (RFC 2597), any other green. */
static inline enum sl_colour sl_dscp_colour(unsigned int dscp)
{
	unsigned int precedence = dscp >> 1 & 3u, af = dscp >> 3;

	if ((dscp & 1u) != 0 || precedence == 0 || af < 1 || af > 4)
		return SL_GREEN;
	return (enum sl_colour)(precedence - 1);
}

/*
 * Colour of an IP packet of `bytes` that comes at `now` (clock.h) and had the colour `before` (green when the
 * policer is not colour-aware); what it takes from the buckets is gone. Any number of threads may call this for the same
 * buckets at once: each packet is coloured as if one came after the other.
 */
enum sl_colour sl_police(const struct sl_policer_row *policer, union sl_buckets *buckets,
                         uint64_t now, uint32_t bytes, enum sl_colour before);

#endif
