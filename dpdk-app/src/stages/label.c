/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The VPN label: which it is, whether it accepts the way the packet came, where it leads, what its TTL and TC do
 * to the inner packet (pipe: nothing), and the outer ECN, which always counts. A label that is swapped leaves
 * what is under it alone.
 */
#include "stages/ip_header.h"
#include "stages/label_run.h"
#include "tables/accept.h"

enum sl_drop_reason sl_check_arrival(const struct sl_worker *w, const struct sl_packet *p,
                                     uint32_t accept)
{
	const struct sl_accept_row *set = &w->tables->accept[accept];
	const struct sl_arrival *a = &p->arrival;

	return sl_accept_drop(
		sl_accept_check(set, a->protection, a->encap, a->sp_table, p->interface));
}

void sl_label_run_count(struct sl_worker *w, const struct sl_label_run *run)
{
	if (run->packets == 0)
		return;
	if (run->lane != SL_LANE_SWAP) { /* of no VRF */
		sl_vrf_counters(w, run->vrf)->from_core_packets += run->packets;
		sl_vrf_counters(w, run->vrf)->from_core_bytes += run->bytes;
	}
	sl_count_label(w, run->label, run->packets, run->bytes);
}

void sl_label_run_begin(struct sl_worker *w, const struct sl_packet *p, uint32_t label,
                        struct sl_label_run *run)
{
	uint64_t row = __atomic_load_n(&w->tables->label[label], __ATOMIC_ACQUIRE);
	uint32_t target = sl_label_target(row);

	sl_label_run_count(w, run);
	*run = (struct sl_label_run){
		.label = label, .arrival = sl_arrival_key(p), .reason = SL_DROP_label_unknown};
	if (p->arrival.protection == SL_PROT_MPLS_OTHER_SP) /* used or not: told them it was not */
		run->reason = SL_DROP_label_not_advertised;
	if (label < SL_MPLS_FIRST_UNRESERVED)
		return;
	if (sl_label_action(row) == SL_LABEL_VRF) {
		run->vrf = target & (SL_MAX_VRFS - 1);
		run->lane = SL_LANE_IP;
	} else if (sl_label_action(row) == SL_LABEL_NEXTHOP) {
		run->leaf = sl_leaf(target, 0, 0);
		run->vrf = w->tables->version[sl_nexthop_active(w, target)].vrf & (SL_MAX_VRFS - 1);
		run->lane = SL_LANE_DIRECT;
	} else if (sl_label_action(row) == SL_LABEL_SWAP) {
		run->leaf = sl_leaf(target, sl_label_out(row), 0);
		run->vrf = SL_VRF_CORE;
		run->lane = SL_LANE_SWAP;
	} else { /* not in use, or a transport label where none is taken */
		return;
	}
	if (run->lane != SL_LANE_SWAP) /* what is under a swapped label is not looked at */
		run->flags = sl_vrf_flags(w, run->vrf) & (SL_VRF_TTL_UNIFORM | SL_VRF_TC_UNIFORM);
	run->reason = sl_check_arrival(w, p, sl_label_accept(row));
	run->plain = run->lane == SL_LANE_IP && run->reason == SL_DROP_none &&
	             !(run->flags & SL_VRF_TTL_UNIFORM);
}

/* Read the stack; notes the VPN label's entry and moves to the inner packet. */
static enum sl_drop_reason read_stack(struct rte_mbuf *m, struct sl_packet *p)
{
	const uint8_t *stack = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->upper_offset);
	struct sl_mpls mpls;

	/* explicit null above the label: out of an SA alone (policy-model 5) */
	switch (sl_mpls_parse(stack, (size_t)(m->data_len - p->upper_offset),
	                      p->arrival.sp_table != 0, &mpls)) {
	case SL_MPLS_OK:
		p->label = mpls.entry;
		p->l3_offset = (uint16_t)(p->upper_offset + mpls.length);
		return SL_DROP_none;
	case SL_MPLS_TRUNCATED:
		return SL_DROP_label_truncated;
	case SL_MPLS_STACK:
	default:
		return SL_DROP_label_stack;
	}
}

/* The packet under the label. Multicast, OSPF and link-local traffic have no place in a VPN SA (P8). */
static enum sl_drop_reason check_inner(struct rte_mbuf *m, struct sl_packet *p, uint8_t ecn)
{
	enum sl_drop_reason reason;
	enum sl_scope scope;

	if (m->data_len == p->l3_offset)
		return SL_DROP_label_truncated;
	p->family = *sl_l3(m, p) >> 4;
	if (p->family != 4 && p->family != 6)
		return SL_DROP_inner_not_ip;
	reason = sl_check_ip(m, p);
	if (reason != SL_DROP_none)
		return reason;
	scope = sl_ip_scope(m, p);
	return likely(scope == SL_SCOPE_ROUTED) ? sl_take_ecn(m, p, ecn)
	                                        : sl_scope_drop(m, p, scope);
}

/*
 * Uniform models: the label's TTL and TC go on in the inner packet (RFC 3443 5.3, RFC 3270 3.3.1). TTL
 * only downwards, so that no label can make a packet immortal; forwarding decrements it as always.
 */
static void apply_uniform(const struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p,
                          uint32_t flags)
{
	uint8_t *ip = sl_l3(m, p);
	uint8_t ttl = sl_mpls_ttl(p->label), tc = sl_mpls_tc(p->label);
	bool four = p->family == 4;
	uint8_t dscp = four ? (uint8_t)(ip[1] >> 2) : sl_ip6_dscp(ip);

	if (flags & SL_VRF_TTL_UNIFORM && sl_lower_ttl(ip, p->family, ttl))
		p->ttl_source = ttl;
	if (flags & SL_VRF_TC_UNIFORM && sl_tc_of_dscp(w, dscp) != tc) {
		if (four)
			sl_ip4_set_dscp(ip, sl_dscp_of_tc(w, tc));
		else
			sl_ip6_set_dscp(ip, sl_dscp_of_tc(w, tc));
	}
}

/*
 * The packet under a swapped label, whatever it is, and the label's TTL for one hop more. Congestion is reported by
 * the outer header of the next tunnel; where that has none, or none that its egress reads, by a loss.
 */
static enum sl_drop_reason check_swap(const struct sl_worker *w, struct rte_mbuf *m,
                                      struct sl_packet *p, uint64_t leaf, uint8_t ecn)
{
	uint32_t version = sl_nexthop_active(w, sl_leaf_nexthop(leaf));

	if (sl_mpls_ttl(p->label) <= 1)
		return SL_DROP_label_ttl_expired;
	if (ecn == SL_ECN_CE && !(w->tables->version[version].tos_copy & SL_TOS_ECN))
		return SL_DROP_ecn_not_ect;
	p->family = 0;
	p->outer_ecn = ecn;
	return m->data_len == p->l3_offset ? SL_DROP_label_truncated : SL_DROP_none;
}

/* In clear, what nearly every packet is. False: nothing has been done. */
static inline bool pop_plain(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p,
                             struct sl_label_run *run)
{
	const uint8_t *stack = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->upper_offset);
	uint32_t room = (uint32_t)m->data_len - p->upper_offset, total;

	if (unlikely(room < SL_MPLS_LEN + SL_IP4_LEN))
		return false;
	total = sl_label_plain(w, m, p, stack, room, sl_arrival_key(p), run);
	if (unlikely(total == 0))
		return false;
	sl_label_pop_plain(m, p, stack, p->upper_offset, total, run);
	return true;
}

static bool pop(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p,
                struct sl_label_run *run)
{
	uint8_t ecn = sl_outer_ecn(m, p);
	enum sl_drop_reason reason = read_stack(m, p);

	if (unlikely(reason != SL_DROP_none))
		goto drop;
	if (unlikely(sl_mpls_label(p->label) != run->label || sl_arrival_key(p) != run->arrival))
		sl_label_run_begin(w, p, sl_mpls_label(p->label), run);
	reason = run->reason;
	if (unlikely(reason != SL_DROP_none))
		goto drop;
	reason =
		SL_DROP_label_ttl_expired; /* 0 is never sent, whatever the model (RFC 3032 2.4.1) */
	if (unlikely(sl_mpls_ttl(p->label) == 0))
		goto drop;
	reason = unlikely(run->lane == SL_LANE_SWAP) ? check_swap(w, m, p, run->leaf, ecn)
	                                             : check_inner(m, p, ecn);
	if (unlikely(reason != SL_DROP_none))
		goto drop;
	p->vrf = run->vrf;
	p->lane = run->lane;
	p->leaf = run->leaf;
	if (unlikely(run->flags != 0))
		apply_uniform(w, m, p, run->flags);
	run->packets++;
	run->bytes += sl_l3_len(m, p);
	return true;
drop:
	sl_drop(w, m, reason);
	return false;
}

uint16_t sl_stage_label(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	struct sl_label_run run = {.label = 0};
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct sl_packet *p = sl_packet(packets[i]);

		if (p->lane != SL_LANE_MPLS ||
		    (SL_PLAIN && likely(pop_plain(w, packets[i], p, &run))) ||
		    pop(w, packets[i], p, &run))
			packets[kept++] = packets[i];
	}
	sl_label_run_count(w, &run);
	return kept;
}
