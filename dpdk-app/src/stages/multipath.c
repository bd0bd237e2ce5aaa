/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes with several ways. Not a stage of the chain: the few packets with such a route are brought here
 * by the one branch that looks at their leaf (nexthop.c), and leave with the leaf of one way.
 */
#include "stages/packet.h"
#include "tables/group.h"

const struct sl_group_row *sl_find_group(const struct sl_worker *w, uint64_t leaf)
{
	uint32_t id = sl_leaf_group(leaf);
	const uint64_t *backed = &w->tables->header.committed_rows[SL_ARENA_GROUP];
	const struct sl_group_row *row = &w->tables->group[id & (SL_MAX_GROUPS - 1)];

	if (id >= SL_MAX_GROUPS || id >= __atomic_load_n(backed, __ATOMIC_ACQUIRE))
		return NULL;
	return row->member[0] != SL_LEAF_NONE ? row : NULL;
}

/*
 * A way that is down is passed over here: the supervisor soon gives the route a group without it, and
 * then the flows on it go where they go now. The segment's epoch serves as seed: it is random and outlives
 * both processes, so no restart moves a flow.
 */
uint32_t sl_multipath(const struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p)
{
	const struct sl_group_row *row = sl_find_group(w, p->leaf);
	uint64_t accept = sl_leaf(0, 0, sl_leaf_accept(p->leaf)), flow;
	uint32_t first, down = 0, version = 0;

	if (unlikely(row == NULL))
		return 0;
	flow = sl_flow(sl_l3(m, p), sl_l3_len(m, p), p->family, w->tables->header.segment.epoch);
	first = sl_group_pick(row, flow, 0);
	for (uint32_t i = first; i != SL_GROUP_NONE; i = sl_group_pick(row, flow, down)) {
		version = sl_nexthop_active(w, sl_leaf_nexthop(row->member[i]));
		if (likely(version != 0)) {
			first = i;
			break;
		}
		down |= 1u << i;
	}
	p->leaf = row->member[first] | accept;
	return version;
}
