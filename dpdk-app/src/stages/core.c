/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IP packets from the core. A PE is no transit router: what is not for us is dropped. ESP goes to its
 * SA, which names the addresses it accepts; everything else is found local first (local.c).
 */
#include "stages/ip_header.h"
#include "stages/stage.h"

/* A source of this link alone: fe80::/10 or 169.254.0.0/16 (RFC 4291 2.5.6, RFC 3927 2.6.2). */
static bool from_link(const uint8_t *ip, uint8_t family)
{
	return family == 4 ? sl_ip4_is_linklocal(sl_get32(ip + 12)) : sl_ip6_is_linklocal(ip + 8);
}

/*
 * From under transport labels, so perhaps from routers away: it must not look like a neighbour's. Its TTL
 * becomes the labels' where that is lower (RFC 3443 5.3), so that 255 still says what it says (RFC 5082),
 * and what concerns a link alone has come by none: OSPF is told by its protocol, wherever it is sent to.
 * `upper`: NULL when what is behind the headers is not seen.
 */
static enum sl_drop_reason come_to_light(struct rte_mbuf *m, struct sl_packet *p,
                                         enum sl_scope scope, const struct sl_upper *upper)
{
	uint8_t *ip = sl_l3(m, p);

	sl_lower_ttl(ip, p->family, p->ttl_source);
	p->ttl_source = 0;
	if (scope == SL_SCOPE_LINK)
		return sl_scope_drop(m, p, scope);
	if (from_link(ip, p->family))
		return SL_DROP_ip_source;
	if (upper == NULL || upper->protocol == SL_PROTO_OSPF || sl_upper_hides(p, upper))
		return SL_DROP_core_transit;
	return SL_DROP_none;
}

/* What concerns this link alone is the kernel's, but for what a host policy wants inside an SA. */
static void take_link(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p,
                      const struct sl_upper *upper)
{
	if (sl_host_policy_forbids(w, m, p, upper))
		sl_drop(w, m, SL_DROP_host_policy_clear);
	else
		sl_punt_frame(w, m);
}

/* What nearly all of them are: IPv4 without options around ESP that is no fragment. */
static inline bool classify_plain(struct rte_mbuf *m, struct sl_packet *p)
{
	const uint8_t *ip = sl_l3(m, p);
	uint32_t total;

	if (unlikely(p->family != 4 || p->l2_group || p->ttl_source != 0))
		return false;
	total = sl_ip4_plain(ip, sl_l3_len(m, p));
	if (unlikely(total == 0 || ip[9] != SL_PROTO_ESP || sl_ip4_is_fragment(ip)))
		return false;
	sl_end_at(m, (uint16_t)(p->l3_offset + total));
	p->upper_offset = (uint16_t)(p->l3_offset + SL_IP4_LEN);
	p->in_udp = 0;
	p->lane = SL_LANE_ESP;
	return true;
}

static bool classify(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p)
{
	enum sl_drop_reason reason = sl_check_ip(m, p);
	struct sl_upper upper;
	enum sl_scope scope;
	bool walked;

	if (unlikely(reason != SL_DROP_none))
		goto drop;
	walked = sl_find_upper(m, p, &upper);
	scope = sl_ip_scope(m, p);
	if (unlikely(p->ttl_source != 0)) {
		reason = come_to_light(m, p, scope, walked ? &upper : NULL);
		if (reason != SL_DROP_none)
			goto drop;
	}
	if (unlikely(scope == SL_SCOPE_LINK)) {
		take_link(w, m, p, walked ? &upper : NULL);
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
	if (likely(walked && upper.protocol == SL_PROTO_ESP && !upper.fragment)) {
		p->lane = SL_LANE_ESP;
		p->in_udp = 0;
		p->upper_offset = upper.offset;
	} else {
		w->unclaimed = true;
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

		if (p->lane != SL_LANE_CORE || likely(classify_plain(packets[i], p)) ||
		    classify(w, packets[i], p))
			packets[kept++] = packets[i];
	}
	return kept;
}
