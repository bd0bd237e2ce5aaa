/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets that leave by an adjacency: CE to CE on this PE (P2), out of a tunnel, from the host. Most have got their header
 * in nexthop.c already.
 */
#include "stages/packet.h"
#include "stages/stage.h"

uint16_t sl_stage_link(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = packets[i];
		struct sl_packet *p = sl_packet(m);
		const struct sl_version_row *v = &w->tables->version[p->version];
		uint16_t length = sl_l3_len(m, p);
		uint8_t *frame;

		if (p->lane == SL_LANE_SENT) {
			packets[kept++] = m;
			continue;
		}
		frame = sl_begin_before_l3(m, p, v->template_len);
		if (unlikely(frame == NULL)) {
			sl_drop(w, m, SL_DROP_no_mbuf);
			continue;
		}
		sl_put_link_header(frame, v->template_bytes, v->template_len);
		if (!p->arrival.labelled && !p->from_host) {
			sl_vrf_counters(w, p->vrf)->local_packets++;
			sl_vrf_counters(w, p->vrf)->local_bytes += length;
		}
		packets[kept++] = m;
	}
	return kept;
}
