/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that leave by an adjacency: CE to CE on this PE (P2), out of a tunnel, from the host. */
#include "stages/packet.h"
#include "stages/stage.h"

/* 14 bytes, or 18 with a tag, without a call: the first eight, the last eight, those between. */
static inline void copy_header(uint8_t *to, const uint8_t *from, unsigned int length)
{
	memcpy(to, from, 8);
	memcpy(to + length - 8, from + length - 8, 8);
	if (unlikely(length > 16))
		memcpy(to + 8, from + 8, 8);
}

uint16_t sl_stage_link(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = packets[i];
		struct sl_packet *p = sl_packet(m);
		const struct sl_version_row *v = &w->tables->version[p->version];
		uint16_t length = sl_l3_len(m, p);
		uint8_t *frame = sl_begin_before_l3(m, p, v->template_len);

		if (unlikely(frame == NULL)) {
			sl_drop(w, m, SL_DROP_no_mbuf);
			continue;
		}
		copy_header(frame, v->template_bytes, v->template_len);
		if (!p->arrival.labelled && !p->from_host) {
			sl_vrf_counters(w, p->vrf)->local_packets++;
			sl_vrf_counters(w, p->vrf)->local_bytes += length;
		}
		packets[kept++] = m;
	}
	return kept;
}
