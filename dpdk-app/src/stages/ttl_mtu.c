/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TTL and MTU of packets that leave by an adjacency or a tunnel. Both are checked before the packet
 * is touched, because an ICMP error quotes it as it came.
 */
#include "stages/packet.h"
#include "stages/stage.h"

/* Does the packet end here? What may be fragmented does not: it is counted, and goes to fragment.c. */
static bool too_big(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p, uint16_t mtu)
{
	const uint8_t *ip = sl_l3(m, p);

	if (likely(sl_l3_len(m, p) <= mtu))
		return false;
	if (p->family == 4 && !(sl_get16(ip + 6) & SL_IP4_DF)) {
		w->oversized++;
		return false;
	}
	sl_icmp_error(w, m, SL_DROP_mtu_exceeded, SL_ICMP_TOO_BIG, mtu);
	return true;
}

/* Under a swapped label: nobody to answer, as the packet's VRF is another PE's. */
static bool forward_swapped(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p)
{
	if (likely(sl_l3_len(m, p) <= w->tables->version[p->version].mtu))
		return true;
	sl_drop(w, m, SL_DROP_mtu_exceeded);
	return false;
}

bool sl_take_hop(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p)
{
	uint8_t *ip = sl_l3(m, p), ttl;

	if (unlikely(p->family == 0))
		return forward_swapped(w, m, p);
	ttl = p->family == 4 ? ip[8] : ip[7];
	/* RFC 4291 2.5.6: never forwarded beyond its link */
	if (p->family == 6 && unlikely(sl_ip6_is_linklocal(ip + 8))) {
		sl_drop(w, m, SL_DROP_ip_source);
		return false;
	}
	if (unlikely(ttl <= 1 && !p->from_host)) {
		sl_icmp_error(w, m, p->ttl_source ? SL_DROP_label_ttl_expired : SL_DROP_ttl_expired,
		              SL_ICMP_TIME_EXCEEDED, 0);
		return false;
	}
	if (unlikely(too_big(w, m, p, w->tables->version[p->version].mtu)))
		return false;
	if (unlikely(sl_vrf_flags(w, p->vrf) & SL_VRF_CLAMP_MSS))
		sl_clamp_mss(w, m, p);
	if (unlikely(p->from_host)) /* it starts here: RFC 1122 3.2.1.7 */
		return true;
	if (p->family == 4)
		sl_ip4_decrement_ttl(ip);
	else
		ip[7]--;
	return true;
}
