/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP of the kernel out of an SA of application BGP: esp_open.c has checked everything.
 *
 *   | Ethernet | IP, options | ESP, IV | TCP |  -->  | Ethernet | IP | TCP |  to the TAP it came by
 *
 * IPv4 options and IPv6 extension headers in front of ESP are not covered by its integrity: the kernel does
 * not get to see them. TTL and DSCP stay: GTSM counts on the first.
 */
#include "stages/ip_header.h"
#include "stages/stage.h"

static void restore(struct rte_mbuf *m, struct sl_packet *p)
{
	uint16_t header = p->family == 4 ? SL_IP4_LEN : SL_IP6_LEN;
	uint16_t start = (uint16_t)(p->upper_offset - header - p->l3_offset);
	uint16_t segment = (uint16_t)(m->data_len - p->upper_offset);
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *), *ip;

	memmove(frame + start, frame, (size_t)p->l3_offset + header);
	rte_pktmbuf_adj(m, start);
	sl_poison_around(m);
	ip = sl_l3(m, p);
	if (p->family == 6) {
		sl_put16(ip + 4, segment);
		ip[6] = SL_PROTO_TCP;
		return;
	}
	ip[0] = 0x45;
	sl_put16(ip + 2, (uint16_t)(header + segment));
	ip[9] = SL_PROTO_TCP;
	sl_put16(ip + 10, 0);
	sl_put16(ip + 10, (uint16_t)~sl_sum_fold(sl_sum(ip, SL_IP4_LEN, 0)));
}

uint16_t sl_stage_host_tcp(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	uint16_t kept = 0;

	w->opened_tcp = false;
	for (uint16_t i = 0; i < n; i++) {
		struct sl_packet *p = sl_packet(packets[i]);

		if (likely(p->lane != SL_LANE_TCP)) {
			packets[kept++] = packets[i];
			continue;
		}
		restore(packets[i], p);
		sl_punt_frame(w, packets[i]);
	}
	return kept;
}
