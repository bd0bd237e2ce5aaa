/* SPDX-License-Identifier: Apache-2.0 */
/* From the route found to the active version of its next hop, and what ends there. */
#include "stages/packet.h"
#include "stages/stage.h"
#include "tables/accept.h"

/*
 * Policy-model 2: the route carries its own accepted set, whatever label led to its VRF; our own
 * addresses are routes like any other. And what came by a label never leaves by a tunnel again: a
 * route learnt from another PE is exported to nobody. Asked of labelled packets.
 */
static bool exported_this_way(const struct sl_worker *w, const struct sl_packet *p,
                              const struct sl_version_row *version)
{
	const struct sl_arrival *a = &p->arrival;
	const struct sl_accept_row *set = &w->tables->accept[sl_leaf_accept(p->leaf)];

	if (version->kind == SL_NH_TUNNEL)
		return false;
	if (p->lane == SL_LANE_DIRECT) /* the label's own set was all there is */
		return true;
	return likely(sl_accept_secured(set, a->protection, a->encap, a->sp_table)) ||
	       sl_accept_check(set, a->protection, a->encap, a->sp_table) == SL_ACCEPTED;
}

/* One of our addresses. On the interface's own TAP the kernel sees the frame as any host would. */
static void deliver(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p,
                    const struct sl_version_row *version)
{
	const struct sl_interface_row *row = sl_interface(w, p->interface);

	if (!p->from_host && !p->arrival.labelled && row->role == SL_ROLE_CE &&
	    row->vrf == version->vrf)
		sl_punt_frame(w, m);
	else
		sl_punt_packet(w, m, version->vrf);
}

static void discard(struct sl_worker *w, struct rte_mbuf *m, const struct sl_version_row *version)
{
	enum sl_drop_reason reason =
		version->drop_reason < SL_DROP_COUNT && version->drop_reason != 0
			? (enum sl_drop_reason)version->drop_reason
			: SL_DROP_blackhole;

	if (version->flags & SL_NHF_ICMP_UNREACHABLE)
		sl_icmp_error(w, m, reason, SL_ICMP_HOST_UNREACHABLE, 0);
	else
		sl_drop(w, m, reason);
}

/* What ends here: delivered, asked for, dropped. */
static void finish(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p,
                   const struct sl_version_row *version)
{
	switch (version->kind) {
	case SL_NH_RECEIVE:
		deliver(w, m, p, version);
		break;
	case SL_NH_GLEAN:
		sl_punt_resolve(w, m, version);
		break;
	case SL_NH_DROP:
		discard(w, m, version);
		break;
	default: /* row 0, which has no kind, or a kind of a later layout */
		sl_drop(w, m, SL_DROP_nexthop_unusable);
		break;
	}
}

/* True when the packet leaves by the version. */
static inline bool dispatch(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p)
{
	const struct sl_version_row *version = &w->tables->version[p->version];

	if (unlikely(p->leaf == SL_LEAF_NONE)) {
		sl_icmp_error(w, m, SL_DROP_no_route, SL_ICMP_NET_UNREACHABLE, 0);
		return false;
	}
	if (p->arrival.labelled && p->version != 0 && unlikely(!exported_this_way(w, p, version))) {
		sl_drop(w, m, SL_DROP_route_not_exported_this_way);
		return false;
	}
	p->lane = SL_LANE_TUNNEL;
	if (version->kind == SL_NH_TUNNEL)
		return true;
	p->lane = SL_LANE_LINK;
	if (likely(version->kind == SL_NH_ADJACENCY))
		return true;
	finish(w, m, p, version);
	return false;
}

uint16_t sl_stage_nexthop(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct sl_packet *p = sl_packet(packets[i]);

		p->version = sl_nexthop_active(w, sl_leaf_nexthop(p->leaf));
		rte_prefetch0(&w->tables->version[p->version]);
		rte_prefetch0(w->tables->version[p->version].template_bytes);
	}
	for (uint16_t i = 0; i < n; i++)
		if (likely(dispatch(w, packets[i], sl_packet(packets[i]))))
			packets[kept++] = packets[i];
	return kept;
}
