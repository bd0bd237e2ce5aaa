/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IP packets from a CE. Nothing a CE sends touches core SAs, labels or sockets: ESP, GRE, protocol 137
 * and IKE are ordinary packets here, for this VRF's addresses or beyond (policy-model 19).
 */
#include "stages/ip_header.h"
#include "stages/stage.h"

/* Packets of one VRF that follow each other: counted when the run ends. */
struct run {
	uint32_t vrf;
	uint64_t packets, bytes;
};

static void count_run(struct sl_worker *w, const struct run *run)
{
	if (run->packets == 0)
		return;
	sl_vrf_counters(w, run->vrf)->from_ce_packets += run->packets;
	sl_vrf_counters(w, run->vrf)->from_ce_bytes += run->bytes;
}

/* Why the packet is not routed; SL_DROP_none: it is. False: it was given to the kernel. */
static bool check(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p,
                  enum sl_drop_reason *reason)
{
	enum sl_scope scope;

	*reason = sl_check_ip(m, p);
	if (*reason != SL_DROP_none)
		return true;
	scope = sl_ip_scope(m, p);
	if (scope == SL_SCOPE_LINK) {
		sl_punt_frame(w, m);
		return false;
	}
	if (unlikely(scope != SL_SCOPE_ROUTED))
		*reason = sl_scope_drop(m, p, scope);
	else if (p->l2_group) /* a unicast address is not routed then (RFC 1122 3.3.6) */
		*reason = SL_DROP_rx_not_our_mac;
	return true;
}

static inline bool accept(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p,
                          struct run *run)
{
	enum sl_drop_reason reason;
	uint32_t length = sl_l3_len(m, p);

	if (likely(p->family == 4 && !p->l2_group))
		length = sl_ip4_plain(sl_l3(m, p), length);
	else
		length = 0;
	if (likely(length != 0)) {
		sl_end_at(m, (uint16_t)(p->l3_offset + length));
	} else {
		if (!check(w, m, p, &reason))
			return false;
		if (unlikely(reason != SL_DROP_none)) {
			sl_drop(w, m, reason);
			return false;
		}
		length = sl_l3_len(m, p);
	}
	if (unlikely(p->vrf != run->vrf)) {
		count_run(w, run);
		*run = (struct run){.vrf = p->vrf};
	}
	run->packets++;
	run->bytes += length;
	p->lane = SL_LANE_IP;
	return true;
}

uint16_t sl_stage_ce(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	struct run run = {.vrf = 0};
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct sl_packet *p = sl_packet(packets[i]);

		if (p->lane != SL_LANE_CE || accept(w, packets[i], p, &run))
			packets[kept++] = packets[i];
	}
	count_run(w, &run);
	return kept;
}
