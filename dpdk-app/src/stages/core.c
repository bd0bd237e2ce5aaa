/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IP packets from the core. A PE is no transit router: what is not for us is dropped. ESP goes to its
 * SA, which names the addresses it accepts; everything else is found local first (local.c).
 */
#include "stages/ip_header.h"
#include "stages/stage.h"

/*
 * From under transport labels, so perhaps from routers away: it must not look like a neighbour's. Its TTL
 * becomes the labels' where that is lower (RFC 3443 5.3), so that 255 still says what it says (RFC 5082),
 * and what concerns a link alone has come by none.
 */
static enum sl_drop_reason come_to_light(struct rte_mbuf *m, struct sl_packet *p,
                                         enum sl_scope scope)
{
	sl_lower_ttl(sl_l3(m, p), p->family, p->ttl_source);
	p->ttl_source = 0;
	return scope == SL_SCOPE_LINK ? sl_scope_drop(m, p, scope) : SL_DROP_none;
}

static bool classify(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p)
{
	enum sl_drop_reason reason = sl_check_ip(m, p);
	struct sl_upper upper;
	enum sl_scope scope;

	if (unlikely(reason != SL_DROP_none))
		goto drop;
	scope = sl_ip_scope(m, p);
	if (unlikely(p->ttl_source != 0)) {
		reason = come_to_light(m, p, scope);
		if (reason != SL_DROP_none)
			goto drop;
	}
	if (unlikely(scope == SL_SCOPE_LINK)) {
		sl_punt_frame(w, m);
		return false;
	}
	if (unlikely(scope != SL_SCOPE_ROUTED)) {
		reason = sl_scope_drop(m, p, scope);
		goto drop;
	}
	if (unlikely(p->l2_group)) {
		reason = SL_DROP_rx_not_our_mac;
		goto drop;
	}
	p->lane = SL_LANE_LOCAL;
	if (likely(sl_find_upper(m, p, &upper) && upper.protocol == SL_PROTO_ESP &&
	           !upper.fragment)) {
		p->lane = SL_LANE_ESP;
		p->upper_offset = upper.offset;
	}
	return true;
drop:
	sl_drop(w, m, reason);
	return false;
}

uint16_t sl_stage_core(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct sl_packet *p = sl_packet(packets[i]);

		if (p->lane != SL_LANE_CORE || classify(w, packets[i], p))
			packets[kept++] = packets[i];
	}
	return kept;
}
