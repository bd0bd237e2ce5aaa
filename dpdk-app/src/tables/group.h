/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which member of a next-hop group carries a flow: the one with the highest weight, a hash of flow and
 * member (highest random weight, RFC 2991). When a member goes, its flows alone move, to all others
 * alike; when one comes, it takes its share from each, and nothing else moves.
 */
#ifndef SEALANE_TABLES_GROUP_H
#define SEALANE_TABLES_GROUP_H

#include <stdint.h>

#include "net/flow.h"
#include "sealane/tables.h"

/* No member is left. */
#define SL_GROUP_NONE SL_GROUP_MEMBERS

/* Index of the member for `flow` among those whose bit in `without` is 0, or SL_GROUP_NONE. */
static inline uint32_t sl_group_pick(const struct sl_group_row *row, uint64_t flow,
                                     uint32_t without)
{
	uint32_t best = SL_GROUP_NONE;
	uint64_t most = 0;

	for (uint32_t i = 0; i < SL_GROUP_MEMBERS && row->member[i] != SL_LEAF_NONE; i++) {
		uint64_t weight = sl_mix64(flow ^ row->member[i]);

		if (!(without >> i & 1) && (best == SL_GROUP_NONE || weight > most)) {
			best = i;
			most = weight;
		}
	}
	return best;
}

#endif
