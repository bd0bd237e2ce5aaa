/* SPDX-License-Identifier: Apache-2.0 */
/* VLAN tags of frames to and from the kernel, whose TAPs have none. */
#ifndef SEALANE_STAGES_TAGS_H
#define SEALANE_STAGES_TAGS_H

#include "net/eth.h"
#include "stages/packet.h"

/* Put the interface's tag or tags into a frame from its TAP. False: no room in front. */
static inline bool sl_push_tags(struct rte_mbuf *m, const struct sl_interface_row *row)
{
	uint16_t tags = row->svlan != 0 ? 2 * SL_VLAN_LEN : SL_VLAN_LEN;
	uint8_t *frame = (uint8_t *)rte_pktmbuf_prepend(m, tags);

	sl_unpoison(m);
	if (unlikely(frame == NULL))
		return false;
	memmove(frame, frame + tags, 2 * SL_MAC_LEN);
	if (row->svlan != 0) {
		sl_put16(frame + 12, row->stag_type);
		sl_put16(frame + 14, row->svlan & 0x0fffu);
	}
	frame += tags - SL_VLAN_LEN;
	sl_put16(frame + 12, SL_ETHERTYPE_VLAN);
	sl_put16(frame + 14, row->vlan & 0x0fffu);
	return true;
}

/* The TAP of a VLAN's interface is untagged: the MAC addresses move up over the tags. */
static inline void sl_pop_tags(struct rte_mbuf *m, struct sl_packet *p)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	uint16_t tags = (uint16_t)(p->l3_offset - SL_ETH_LEN);

	memmove(frame + tags, frame, 2 * SL_MAC_LEN);
	rte_pktmbuf_adj(m, tags);
	p->l3_offset = SL_ETH_LEN;
}

#endif
