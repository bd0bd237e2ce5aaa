/* SPDX-License-Identifier: Apache-2.0 */
/* From the route found to the active version of its next hop, and what ends there; TTL, MTU and most link headers. */
#include "stages/fetch.h"
#include "stages/hold.h"
#include "stages/plain_forward.h"
#include "stages/stage.h"
#include "tables/accept.h"

static void count_run(struct sl_worker *w, const struct sl_route_run *run)
{
	if (run->packets == 0)
		return;
	sl_vrf_counters(w, run->vrf)->local_packets += run->packets;
	sl_vrf_counters(w, run->vrf)->local_bytes += run->bytes;
}

/*
 * Policy-model 2: the route carries its own accepted set, whatever label led to its VRF; our own
 * addresses are routes like any other. And what came by a label never leaves by a tunnel again: a
 * route learnt from another PE is exported to nobody. But for a label that is swapped: it was advertised
 * for this very next hop, and its own set says to whom.
 */
static bool exported_this_way(const struct sl_worker *w, const struct sl_packet *p,
                              const struct sl_version_row *version)
{
	const struct sl_arrival *a = &p->arrival;

	if (!a->labelled || p->version == 0)
		return true;
	if (p->lane == SL_LANE_SWAP)
		return true;
	if (version->kind == SL_NH_TUNNEL)
		return false;
	if (p->lane == SL_LANE_DIRECT) /* the label's own set was all there is */
		return true;
	return sl_accept_check(&w->tables->accept[sl_leaf_accept(p->leaf)], a->protection, a->encap,
	                       a->sp_table, p->interface) == SL_ACCEPTED;
}

/* Decide for a packet that differs from the one before. */
static void begin_run(struct sl_worker *w, const struct sl_packet *p, struct sl_route_run *run)
{
	const struct sl_version_row *version = &w->tables->version[p->version];
	bool one_header = true;

	count_run(w, run);
	*run = (struct sl_route_run){.leaf = p->leaf,
	                             .arrival = sl_arrival_key(p),
	                             .lane = p->lane,
	                             .version = p->version,
	                             .vrf = p->vrf,
	                             .mtu = version->mtu,
	                             .header = version->template_bytes,
	                             .header_len = version->template_len};
	run->exported = exported_this_way(w, p, version);
	if (version->kind == SL_NH_TUNNEL) {
		run->leaves_by = SL_LANE_TUNNEL;
	} else if (version->kind == SL_NH_ADJACENCY && p->lane != SL_LANE_SWAP) {
		run->leaves_by = SL_LANE_LINK;
		one_header = version->template_len >= SL_LINK_MIN &&
		             version->template_len <= SL_LINK_MAX;
	}
	run->plain = run->exported && run->leaves_by != 0 && one_header &&
	             !(sl_vrf_flags(w, p->vrf) & SL_VRF_CLAMP_MSS);
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

static void discard(struct sl_worker *w, struct rte_mbuf *m, const struct sl_packet *p,
                    const struct sl_version_row *version)
{
	enum sl_drop_reason reason =
		version->drop_reason < SL_DROP_COUNT && version->drop_reason != 0
			? (enum sl_drop_reason)version->drop_reason
			: SL_DROP_blackhole;

	if (reason == SL_DROP_sa_missing)
		sl_hold_or_drop(w, m, sl_leaf_nexthop(p->leaf));
	else if (version->flags & SL_NHF_ICMP_UNREACHABLE && p->lane != SL_LANE_SWAP)
		sl_icmp_error(w, m, reason, SL_ICMP_HOST_UNREACHABLE, 0);
	else
		sl_drop(w, m, reason);
}

/* What ends here: delivered, asked for, dropped. */
static void finish(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p,
                   const struct sl_version_row *version)
{
	/* what is under a swapped label is no packet of ours: not to deliver, nor to resolve for */
	bool mine = p->lane != SL_LANE_SWAP || version->kind == SL_NH_DROP;

	switch (mine ? version->kind : 0) {
	case SL_NH_RECEIVE:
		deliver(w, m, p, version);
		break;
	case SL_NH_GLEAN:
		sl_punt_resolve(w, m, version);
		break;
	case SL_NH_DROP:
		discard(w, m, p, version);
		break;
	default: /* row 0, which has no kind, a kind of a later layout, no way for a swapped label */
		sl_drop(w, m,
		        sl_leaf_is_group(p->leaf) ? SL_DROP_group_unknown
		                                  : SL_DROP_nexthop_unusable);
		break;
	}
}

/* True when the packet leaves by the version. `run`: the packet's. */
static bool dispatch(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p,
                     const struct sl_route_run *run)
{
	if (unlikely(p->leaf == SL_LEAF_NONE)) {
		sl_icmp_error(w, m, SL_DROP_no_route, SL_ICMP_NET_UNREACHABLE, 0);
		return false;
	}
	if (unlikely(!run->exported)) {
		sl_drop(w, m, SL_DROP_route_not_exported_this_way);
		return false;
	}
	if (unlikely(run->leaves_by == 0)) {
		finish(w, m, p, &w->tables->version[p->version]);
		return false;
	}
	p->lane = run->leaves_by;
	return true;
}

/*
 * Note the active version of each packet's next hop. Of a route with several ways one is chosen for
 * the packet's flow, and the packet goes on as if its route had that one alone. Returns how often it was another than before.
 */
static uint32_t find_versions(const struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	uint64_t leaf = SL_LEAF_NONE;
	uint32_t version = 0, versions = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct sl_packet *p = sl_packet(packets[i]);

		if (unlikely(p->leaf != leaf)) {
			if (unlikely(sl_leaf_is_group(p->leaf)))
				version = sl_multipath(w, packets[i], p);
			else
				version = sl_nexthop_active(w, sl_leaf_nexthop(p->leaf));
			leaf = p->leaf;
			sl_fetch_version(w, version);
			versions++;
		}
		p->version = version;
	}
	return versions;
}

/* What is needed of the SAs of tunnels that packets go to, when there are several. */
static void fetch_sas(const struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	uint32_t sa[SL_BURST], bytes[SL_BURST], version = 0;
	uint16_t count = 0;

	for (uint16_t i = 0; i < n; i++) {
		const struct sl_packet *p = sl_packet(packets[i]);

		if (p->version == version)
			continue;
		version = p->version;
		sa[count] = w->tables->version[version].sa;
		bytes[count] = packets[i]->data_len;
		if (sa[count] != 0)
			sl_touch(&w->keys_out[sa[count++] & (SL_MAX_SAS - 1)]);
	}
	for (uint16_t i = 0; i < count; i++)
		sl_fetch_sa_out(w, sa[i], bytes[i]);
}

uint16_t sl_stage_nexthop(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	struct sl_route_run run = {.leaf = SL_LEAF_NONE};
	uint32_t lanes = 0;
	uint16_t kept = 0;

	if (unlikely(find_versions(w, packets, n) > 1))
		fetch_sas(w, packets, n);
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = packets[i];
		struct sl_packet *p = sl_packet(m);

		if (unlikely(p->leaf != run.leaf || p->version != run.version ||
		             p->vrf != run.vrf || sl_arrival_key(p) != run.arrival ||
		             p->lane != run.lane))
			begin_run(w, p, &run);
		if (!(SL_PLAIN && likely(sl_forward_plain(m, p, &run))) &&
		    (!dispatch(w, m, p, &run) || !sl_take_hop(w, m, p)))
			continue;
		lanes |= 1u << p->lane;
		packets[kept++] = m;
	}
	count_run(w, &run);
	w->lanes = lanes;
	return kept;
}
