/* SPDX-License-Identifier: Apache-2.0 */
/* What a driver has noted about a frame that it received, so that it need not be found out again: docs/adr/0034-offloads.md. */
#ifndef SEALANE_STAGES_OFFLOAD_H
#define SEALANE_STAGES_OFFLOAD_H

#include "net/eth.h"
#include "stages/packet.h"

/*
 * Has the NIC summed the IPv4 header behind the frame's Ethernet header, and found it good? Asked only where that has
 * no tags, or had one: several drivers say "good" of whatever their NIC found no fault with, headers included that it never
 * got at. Whatever else a driver says, the header is summed.
 */
static inline bool sl_nic_summed(const struct sl_port *port, const struct rte_mbuf *m)
{
	return (m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD &&
	       port->sums;
}

static inline bool sl_is_stripped(const struct rte_mbuf *m)
{
	return (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0;
}

/* Put a tag that the driver took off back into the frame. False: there was none, or there is no room for it. */
static inline bool sl_restore_tag(struct rte_mbuf *m)
{
	uint8_t *frame;

	if (!sl_is_stripped(m) || m->data_len < 2 * SL_MAC_LEN)
		return false;
	sl_unpoison(m);
	frame = (uint8_t *)rte_pktmbuf_prepend(m, SL_VLAN_LEN);
	if (frame == NULL)
		return false;
	memmove(frame, frame + SL_VLAN_LEN, 2 * SL_MAC_LEN);
	sl_put16(frame + 2 * SL_MAC_LEN, SL_ETHERTYPE_VLAN);
	sl_put16(frame + 2 * SL_MAC_LEN + 2, m->vlan_tci);
	m->ol_flags &= ~(RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED);
	sl_poison_around(m);
	return true;
}

#endif
