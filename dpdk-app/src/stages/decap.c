/* SPDX-License-Identifier: Apache-2.0 */
/* GRE, out of an SA or in clear. MPLS-in-IP has no header of its own. */
#include "net/gre.h"
#include "stages/packet.h"
#include "stages/stage.h"

static bool decapsulate(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p)
{
	const uint8_t *gre = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->upper_offset);

	switch (sl_gre_parse(gre, (size_t)(m->data_len - p->upper_offset))) {
	case SL_GRE_MPLS:
		p->upper_offset = (uint16_t)(p->upper_offset + SL_GRE_LEN);
		p->lane = SL_LANE_MPLS;
		return true;
	case SL_GRE_PROTOCOL:
		sl_drop(w, m, SL_DROP_gre_protocol);
		return false;
	case SL_GRE_HEADER:
	default:
		sl_drop(w, m, SL_DROP_gre_header);
		return false;
	}
}

uint16_t sl_stage_decap(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct sl_packet *p = sl_packet(packets[i]);

		if (p->lane != SL_LANE_GRE || decapsulate(w, packets[i], p))
			packets[kept++] = packets[i];
	}
	return kept;
}
