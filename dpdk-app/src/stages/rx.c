/* SPDX-License-Identifier: Apache-2.0 */
/* First stage: from frame to interface. */
#include <rte_ether.h>

#include "net/mpls.h"
#include "stages/fetch.h"
#include "stages/jumbo.h"
#include "stages/plain_rx.h"

static void count_run(struct sl_worker *w, const struct sl_rx_run *run)
{
	sl_interface_counters(w, run->id)->rx_packets += run->packets;
	sl_interface_counters(w, run->id)->rx_bytes += run->bytes;
	if (run->ip_packets == 0)
		return;
	sl_vrf_counters(w, run->vrf)->from_ce_packets += run->ip_packets;
	sl_vrf_counters(w, run->vrf)->from_ce_bytes += run->ip_bytes;
}

void sl_rx_run_begin(struct sl_worker *w, uint32_t port, uint32_t tags, struct sl_rx_run *run)
{
	const struct sl_interface_row *row;

	count_run(w, run);
	run->tags = tags;
	run->packets = run->bytes = run->ip_packets = run->ip_bytes = 0;
	run->id = sl_port_interface(&w->ports[port], (uint16_t)(tags >> 16), (uint16_t)tags) &
	          (SL_MAX_INTERFACES - 1);
	run->row = row = sl_interface(w, run->id);
	run->vrf = row->vrf & (SL_MAX_VRFS - 1);
	run->lane = row->role == SL_ROLE_CE ? SL_LANE_CE : SL_LANE_CORE;
	run->mac = 0;
	memcpy(&run->mac, row->mac, SL_MAC_LEN);
	if (!sl_interface_live(row))
		run->id = 0;
	if (unlikely(__atomic_load_n(&row->police, __ATOMIC_RELAXED) != SL_POLICE_NONE))
		w->policed = true;
}

/*
 * Plain MPLS: from a neighbour inside our own SP, or from another SP's by labels advertised to it, and not
 * by multicast (policy-model 4). Transport labels are the own SP's alone.
 */
static enum sl_drop_reason take_mpls(struct sl_worker *w, struct rte_mbuf *m,
                                     const struct sl_interface_row *row, struct sl_packet *p)
{
	uint32_t flags = sl_interface_flags(row);

	if (row->role != SL_ROLE_CORE || !(flags & (SL_IF_MPLS_OWN_SP | SL_IF_MPLS_OTHER_SP)))
		return SL_DROP_mpls_not_accepted;
	if (p->l2_group)
		return SL_DROP_rx_not_our_mac;
	p->lane = SL_LANE_MPLS;
	p->upper_offset = p->l3_offset;
	p->arrival.encap = SL_ENCAP_NONE;
	p->arrival.labelled = 1;
	if (!(flags & SL_IF_MPLS_OWN_SP)) {
		p->arrival.protection = SL_PROT_MPLS_OTHER_SP;
		return SL_DROP_none;
	}
	p->arrival.protection = SL_PROT_MPLS;
	return sl_pop_transport(w, m, p);
}

/* What is neither IPv4 nor IPv6. True when the packet goes on to the next stage. */
static bool receive_other(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p,
                          const struct sl_interface_row *row, uint16_t type)
{
	enum sl_drop_reason reason = SL_DROP_rx_ethertype;

	if (type == SL_ETHERTYPE_ARP) {
		sl_punt_frame(w, m);
		return false;
	}
	if (type == SL_ETHERTYPE_MPLS)
		reason = take_mpls(w, m, row, p);
	if (reason == SL_DROP_none)
		return true;
	sl_drop(w, m, reason);
	return false;
}

/* Find the interface, and count the frame, which had `bytes` on the wire. */
static enum sl_drop_reason enter(struct sl_worker *w, uint32_t port, const struct sl_eth *eth,
                                 uint32_t bytes, struct sl_rx_run *run)
{
	uint32_t tags = (uint32_t)eth->svlan << 16 | eth->vlan;

	if (tags != run->tags)
		sl_rx_run_begin(w, port, tags, run);
	if (unlikely(run->id == 0))
		return SL_DROP_rx_unknown_vlan;
	run->packets++;
	run->bytes += bytes;
	return SL_DROP_none;
}

/* Read the Ethernet header, whose tag the driver may have taken off, and find the interface. */
static enum sl_drop_reason find(struct sl_worker *w, uint32_t port, struct rte_mbuf *m,
                                struct sl_rx_run *run, struct sl_eth *eth)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);

	if (sl_is_stripped(m))
		return sl_eth_parse_stripped(frame, m->data_len, m->vlan_tci, eth)
		               ? enter(w, port, eth, m->data_len + SL_VLAN_LEN, run)
		               : SL_DROP_rx_truncated;
	if (unlikely(!sl_eth_parse(frame, m->data_len, eth)))
		return SL_DROP_rx_truncated;
	return enter(w, port, eth, m->data_len, run);
}

/* True when the packet goes on to the next stage. */
static bool receive(struct sl_worker *w, uint32_t port, struct rte_mbuf *m, struct sl_rx_run *run)
{
	struct sl_packet *p = sl_packet(m);
	enum sl_drop_reason reason;
	const uint8_t *frame;
	struct sl_eth eth;

	memset(p, 0, sizeof(*p)); /* the notes start from nothing */
	reason = find(w, port, m, run, &eth);
	if (unlikely(reason != SL_DROP_none))
		goto drop;
	p->interface = run->id;
	p->vrf = run->vrf;
	p->l3_offset = eth.length;
	frame = rte_pktmbuf_mtod(m, const uint8_t *);
	if (unlikely(!sl_mac_equal(frame, run->row->mac))) {
		reason = SL_DROP_rx_not_our_mac;
		if (!sl_mac_is_group(frame))
			goto drop;
		p->l2_group = 1;
	}
	p->lane = run->lane;
	p->family = 4;
	if (likely(eth.type == SL_ETHERTYPE_IP4))
		return true;
	p->family = 6;
	return eth.type == SL_ETHERTYPE_IP6 || receive_other(w, m, p, run->row, eth.type);
drop:
	sl_drop(w, m, reason);
	return false;
}

/*
 * A burst of many peers, as the one before it was: everything of their SAs is asked for before any is waited for. What
 * is read here may be anything, and decides nothing but what is fetched.
 */
static void fetch_sas(const struct sl_worker *w, uint32_t port, struct rte_mbuf **frames,
                      uint16_t n)
{
	struct {
		uint32_t spi, sequence, id, bytes;
	} fetched[SL_BURST];
	uint16_t count = 0;

	for (uint16_t i = 0; i < n; i++) {
		const uint8_t *frame = rte_pktmbuf_mtod(frames[i], const uint8_t *);
		uint32_t vlan, l2 = sl_plain_l2(frames[i], frame, w->ports[port].strips, &vlan);

		if (l2 == 0 || frames[i]->data_len < l2 + SL_IP4_LEN + SL_ESP_HEADER_LEN ||
		    frame[l2 + 9] != SL_PROTO_ESP)
			continue;
		fetched[count].spi = sl_esp_spi(frame + l2 + SL_IP4_LEN);
		fetched[count].sequence = sl_esp_sequence(frame + l2 + SL_IP4_LEN);
		fetched[count].bytes = frames[i]->data_len;
		sl_touch(&w->tables->spi[fetched[count++].spi & (SL_SPI_SLOTS - 1)]);
	}
	for (uint16_t i = 0; i < count; i++) {
		fetched[i].id = sl_sa_row_of(w, fetched[i].spi);
		sl_touch(&w->keys_in[fetched[i].id]);
	}
	for (uint16_t i = 0; i < count; i++)
		sl_fetch_sa_in(w, fetched[i].id, fetched[i].sequence, fetched[i].bytes);
}

static __rte_always_inline uint16_t receive_all(struct sl_worker *w, uint32_t port,
                                                struct rte_mbuf **frames, uint16_t n,
                                                struct sl_rx_run *run, bool strips)
{
	uint32_t lanes = 0;
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = frames[i];

		/* no byte format looks beyond the first buffer */
		if (unlikely(m->nb_segs != 1) && (m = sl_join_chain(w, m)) == NULL)
			continue;
		sl_poison_around(m);
		if ((SL_PLAIN && likely(sl_receive_plain(w, port, m, run, strips))) ||
		    receive(w, port, m, run)) {
			lanes |= 1u << sl_packet(m)->lane;
			frames[kept++] = m;
		}
	}
	w->lanes = lanes;
	return kept;
}

uint16_t sl_stage_rx(struct sl_worker *w, uint32_t port, struct rte_mbuf **frames, uint16_t n)
{
	struct sl_rx_run run = {.tags = UINT32_MAX};

	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(frames[i], void *));
	if (unlikely(w->sa_runs > 1))
		fetch_sas(w, port, frames, n);
	n = w->ports[port].strips ? receive_all(w, port, frames, n, &run, true)
	                          : receive_all(w, port, frames, n, &run, false);
	count_run(w, &run);
	if (run.sa.runs != 0) /* some were from the core */
		w->sa_runs = run.sa.runs;
	return n;
}
