/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IP packets from a CE. Nothing a CE sends touches core SAs, labels or sockets: ESP, GRE, protocol 137
 * and IKE are ordinary packets here, for this VRF's addresses or beyond (policy-model 19).
 */
#include "stages/ip_header.h"
#include "stages/stage.h"

static bool accept(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p)
{
	enum sl_drop_reason reason = sl_check_ip(m, p);
	enum sl_scope scope;

	if (unlikely(reason != SL_DROP_none))
		goto drop;
	scope = sl_ip_scope(m, p);
	if (unlikely(scope == SL_SCOPE_LINK)) {
		sl_punt_frame(w, m);
		return false;
	}
	if (unlikely(scope != SL_SCOPE_ROUTED)) {
		reason = sl_scope_drop(m, p, scope);
		goto drop;
	}
	/* a unicast address in a multicast frame is not for routing (RFC 1122 3.3.6) */
	if (unlikely(p->l2_group)) {
		reason = SL_DROP_rx_not_our_mac;
		goto drop;
	}
	sl_vrf_counters(w, p->vrf)->from_ce_packets++;
	sl_vrf_counters(w, p->vrf)->from_ce_bytes += sl_l3_len(m, p);
	return true;
drop:
	sl_drop(w, m, reason);
	return false;
}

uint16_t sl_stage_ce(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct sl_packet *p = sl_packet(packets[i]);

		if (p->lane != SL_LANE_IP || accept(w, packets[i], p))
			packets[kept++] = packets[i];
	}
	return kept;
}
