/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The VPN label: which it is, whether it accepts the way the packet came, where it leads, and what its
 * TTL and TC do to the inner packet (pipe: nothing).
 */
#include "net/mpls.h"
#include "stages/ip_header.h"
#include "stages/stage.h"
#include "tables/accept.h"

static enum sl_drop_reason check_arrival(const struct sl_accept_row *set,
                                         const struct sl_arrival *a)
{
	return sl_accept_drop(sl_accept_check(set, a->protection, a->encap, a->sp_table, 0));
}

/*
 * What a label means to packets that came in one way, and how many there were: mostly that of the
 * packet before. Counted when the run ends.
 */
struct run {
	uint32_t label;   /* 0 = none yet: explicit null never gets here */
	uint32_t arrival; /* struct sl_arrival as a word */
	enum sl_drop_reason reason;
	enum sl_lane lane;
	uint64_t leaf; /* SL_LANE_DIRECT */
	uint32_t vrf;
	uint32_t flags; /* of the VRF */
	uint64_t packets, bytes;
};

static void count_run(struct sl_worker *w, const struct run *run)
{
	if (run->packets == 0)
		return;
	sl_vrf_counters(w, run->vrf)->from_core_packets += run->packets;
	sl_vrf_counters(w, run->vrf)->from_core_bytes += run->bytes;
	if (run->label < __atomic_load_n(&w->labels_backed, __ATOMIC_ACQUIRE)) {
		w->block->label[run->label].packets += run->packets;
		w->block->label[run->label].bytes += run->bytes;
	}
}

/* Look the label up and check its accepted set against the arrival. */
static void find_label(struct sl_worker *w, const struct sl_packet *p, uint32_t label,
                       struct run *run)
{
	uint64_t row = __atomic_load_n(&w->tables->label[label], __ATOMIC_ACQUIRE);
	uint32_t target = sl_label_target(row);

	count_run(w, run);
	*run = (struct run){
		.label = label, .arrival = sl_arrival_word(p), .reason = SL_DROP_label_unknown};
	if (label < SL_MPLS_FIRST_UNRESERVED)
		return;
	if (sl_label_action(row) == SL_LABEL_VRF) {
		run->vrf = target & (SL_MAX_VRFS - 1);
		run->lane = SL_LANE_IP;
	} else if (sl_label_action(row) == SL_LABEL_NEXTHOP) {
		run->leaf = sl_leaf(target, 0, 0);
		run->vrf = w->tables->version[sl_nexthop_active(w, target)].vrf & (SL_MAX_VRFS - 1);
		run->lane = SL_LANE_DIRECT;
	} else {
		return;
	}
	run->flags = sl_vrf_flags(w, run->vrf) & (SL_VRF_TTL_UNIFORM | SL_VRF_TC_UNIFORM);
	run->reason = check_arrival(&w->tables->accept[sl_label_accept(row)], &p->arrival);
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
static enum sl_drop_reason check_inner(struct rte_mbuf *m, struct sl_packet *p)
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
	return likely(scope == SL_SCOPE_ROUTED) ? SL_DROP_none : sl_scope_drop(m, p, scope);
}

/*
 * Uniform models: the label's TTL and TC go on in the inner packet (RFC 3443 5.3, RFC 3270 3.3.1). TTL
 * only downwards, so that no label can make a packet immortal; forwarding decrements it as always.
 */
static void apply_uniform(struct rte_mbuf *m, struct sl_packet *p, uint32_t flags)
{
	uint8_t *ip = sl_l3(m, p);
	uint8_t ttl = sl_mpls_ttl(p->label), tc = sl_mpls_tc(p->label);
	bool four = p->family == 4;
	uint8_t dscp = four ? (uint8_t)(ip[1] >> 2) : sl_ip6_dscp(ip);

	if (flags & SL_VRF_TTL_UNIFORM && ttl < (four ? ip[8] : ip[7])) {
		p->ttl_source = ttl;
		if (four)
			sl_ip4_set_ttl(ip, ttl);
		else
			ip[7] = ttl;
	}
	if (flags & SL_VRF_TC_UNIFORM && dscp >> 3 != tc) {
		if (four)
			sl_ip4_set_dscp(ip, (uint8_t)(tc << 3));
		else
			sl_ip6_set_dscp(ip, (uint8_t)(tc << 3));
	}
}

static inline bool pop(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p,
                       struct run *run)
{
	enum sl_drop_reason reason = read_stack(m, p);

	if (unlikely(reason != SL_DROP_none))
		goto drop;
	if (unlikely(sl_mpls_label(p->label) != run->label || sl_arrival_word(p) != run->arrival))
		find_label(w, p, sl_mpls_label(p->label), run);
	reason = run->reason;
	if (unlikely(reason != SL_DROP_none))
		goto drop;
	reason =
		SL_DROP_label_ttl_expired; /* 0 is never sent, whatever the model (RFC 3032 2.4.1) */
	if (unlikely(sl_mpls_ttl(p->label) == 0))
		goto drop;
	reason = check_inner(m, p);
	if (unlikely(reason != SL_DROP_none))
		goto drop;
	p->vrf = run->vrf;
	p->lane = run->lane;
	p->leaf = run->leaf;
	if (unlikely(run->flags != 0))
		apply_uniform(m, p, run->flags);
	run->packets++;
	run->bytes += sl_l3_len(m, p);
	return true;
drop:
	sl_drop(w, m, reason);
	return false;
}

uint16_t sl_stage_label(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	struct run run = {.label = 0};
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct sl_packet *p = sl_packet(packets[i]);

		if (p->lane != SL_LANE_MPLS || pop(w, packets[i], p, &run))
			packets[kept++] = packets[i];
	}
	count_run(w, &run);
	return kept;
}
