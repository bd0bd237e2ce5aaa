/* SPDX-License-Identifier: Apache-2.0 */
/* First stage: from frame to interface. */
#include <rte_ether.h>

#include "net/eth.h"
#include "net/mpls.h"
#include "stages/packet.h"
#include "stages/stage.h"

/* The notes of a received packet start from nothing. */
static struct sl_packet *new_notes(struct rte_mbuf *m)
{
	struct sl_packet *p = sl_packet(m);

	memset(p, 0, sizeof(*p));
	return p;
}

/* Read the Ethernet header, whose tag the driver may have taken off, and note interface and VRF. */
static enum sl_drop_reason find_interface(struct sl_worker *w, uint32_t port, struct rte_mbuf *m,
                                          struct sl_packet *p, struct sl_eth *eth)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const struct sl_interface_row *row;
	uint32_t id;

	/* chained buffers: no byte format looks beyond the first one */
	if (unlikely(m->nb_segs != 1) && rte_pktmbuf_linearize(m) != 0)
		return SL_DROP_no_mbuf;
	sl_poison_around(m);
	if (unlikely(!sl_eth_parse(frame, m->data_len, eth)))
		return SL_DROP_rx_truncated;
	if (unlikely(m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED))
		eth->vlan = m->vlan_tci & 0x0fffu;

	id = __atomic_load_n(&w->ports[port].interface_by_vlan[eth->vlan], __ATOMIC_RELAXED) &
	     (SL_MAX_INTERFACES - 1);
	row = sl_interface(w, id);
	if (unlikely(id == 0 || !sl_interface_live(row)))
		return SL_DROP_rx_unknown_vlan;
	p->interface = id;
	p->vrf = row->vrf & (SL_MAX_VRFS - 1);
	p->l3_offset = eth->length;
	sl_interface_counters(w, id)->rx_packets++;
	sl_interface_counters(w, id)->rx_bytes += m->pkt_len;

	p->l2_group = sl_mac_is_group(frame);
	if (unlikely(!p->l2_group && !sl_mac_equal(frame, row->mac)))
		return SL_DROP_rx_not_our_mac;
	return SL_DROP_none;
}

/* Plain MPLS: from a neighbour inside our own SP alone, and not by multicast (policy-model 4). */
static enum sl_drop_reason take_mpls(const struct sl_interface_row *row, struct sl_packet *p)
{
	if (row->role != SL_ROLE_CORE || !(sl_interface_flags(row) & SL_IF_MPLS_OWN_SP))
		return SL_DROP_mpls_not_accepted;
	if (p->l2_group)
		return SL_DROP_rx_not_our_mac;
	p->lane = SL_LANE_MPLS;
	p->upper_offset = p->l3_offset;
	p->arrival.protection = SL_PROT_MPLS;
	p->arrival.encap = SL_ENCAP_NONE;
	p->arrival.labelled = 1;
	return SL_DROP_none;
}

/* True when the packet goes on to the next stage. */
static bool receive(struct sl_worker *w, uint32_t port, struct rte_mbuf *m)
{
	struct sl_packet *p = new_notes(m);
	enum sl_drop_reason reason;
	const struct sl_interface_row *row;
	struct sl_eth eth;

	reason = find_interface(w, port, m, p, &eth);
	if (unlikely(reason != SL_DROP_none))
		goto drop;
	row = sl_interface(w, p->interface);
	switch (eth.type) {
	case SL_ETHERTYPE_IP4:
		p->family = 4;
		break;
	case SL_ETHERTYPE_IP6:
		p->family = 6;
		break;
	case SL_ETHERTYPE_ARP:
		sl_punt_frame(w, m);
		return false;
	case SL_ETHERTYPE_MPLS:
		reason = take_mpls(row, p);
		if (reason != SL_DROP_none)
			goto drop;
		return true;
	default:
		reason = SL_DROP_rx_ethertype;
		goto drop;
	}
	p->lane = row->role == SL_ROLE_CE ? SL_LANE_IP : SL_LANE_CORE;
	return true;
drop:
	sl_drop(w, m, reason);
	return false;
}

uint16_t sl_stage_rx(struct sl_worker *w, uint32_t port, struct rte_mbuf **frames, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(frames[i], void *));
	for (uint16_t i = 0; i < n; i++)
		if (likely(receive(w, port, frames[i])))
			frames[kept++] = frames[i];
	return kept;
}
