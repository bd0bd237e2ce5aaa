/* SPDX-License-Identifier: Apache-2.0 */
/* IP packets that the kernel routed into a VRF's host TAP: from one of our own addresses in that VRF. */
#include "stages/ip_header.h"
#include "stages/stage.h"

static bool accept(struct sl_worker *w, struct rte_mbuf *m)
{
	struct sl_packet *p = sl_packet(m);
	uint32_t interface = p->interface;
	enum sl_scope scope;

	memset(p, 0, sizeof(*p));
	p->interface = interface;
	p->vrf = sl_interface(w, interface)->vrf & (SL_MAX_VRFS - 1);
	p->from_host = 1;
	p->lane = SL_LANE_IP;
	sl_poison_around(m);
	p->family = m->data_len == 0 ? 0 : *rte_pktmbuf_mtod(m, uint8_t *) >> 4;
	if (m->nb_segs != 1 || (p->family != 4 && p->family != 6) ||
	    sl_check_ip(m, p) != SL_DROP_none) {
		sl_drop(w, m, SL_DROP_inject_malformed);
		return false;
	}
	scope = sl_ip_scope(m, p);
	if (scope !=
	    SL_SCOPE_ROUTED) { /* router solicitations and the like: nobody is on this link */
		sl_drop(w, m, sl_scope_drop(m, p, scope));
		return false;
	}
	sl_interface_counters(w, interface)->injected++;
	return true;
}

uint16_t sl_stage_host(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++)
		if (accept(w, packets[i]))
			packets[kept++] = packets[i];
	return kept;
}
