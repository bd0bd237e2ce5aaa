/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What nearly every frame is, done in one go: IPv4 without options, from a CE to be looked up, or from the core around
 * ESP whose SA is found and whose sequence number is new. What is decided for packets that follow each other is decided
 * once. The stages rx, ce, core and esp_sa do all of this for any frame, one after the other; here nothing is dropped,
 * and nothing written before everything is known: what is not plain is theirs.
 */
#ifndef SEALANE_STAGES_PLAIN_RX_H
#define SEALANE_STAGES_PLAIN_RX_H

#include "esp/esp.h"
#include "esp/replay.h"
#include "net/eth.h"
#include "stages/offload.h"
#include "stages/sa_run.h"
#include "stages/stage.h"

/* The interface of the packet before, and what came by it: mostly the next one's too. */
struct sl_rx_run {
	const struct sl_interface_row *row;
	uint32_t id;             /* 0 = none */
	uint32_t tags;           /* svlan << 16 | vlan */
	uint64_t packets, bytes; /* frames */
	uint64_t mac; /* as in the first octets of a frame, which are the lowest here: x86 */
	uint64_t ip_packets, ip_bytes; /* plain ones from a CE */
	uint32_t vrf;
	uint8_t lane; /* of its packets: CE or CORE */
	struct sl_sa_run sa;
};

/* Begin a run for the interface with these tags on the port. */
void sl_rx_run_begin(struct sl_worker *w, uint32_t port, uint32_t tags, struct sl_rx_run *run);

/*
 * Where the IP header is, and the frame's VLAN; 0: it is not IPv4, or has two tags. `strips`: the port was asked to take
 * tags off, so that one that is still there is a second one.
 */
static __rte_always_inline uint32_t sl_plain_l2(const struct rte_mbuf *m, const uint8_t *frame,
                                                bool strips, uint32_t *vlan)
{
	uint32_t l2 = SL_ETH_LEN;

	*vlan = 0;
	if (unlikely(m->data_len < SL_ETH_LEN + SL_VLAN_LEN + SL_IP4_LEN))
		return 0;
	if (strips) {
		if (sl_is_stripped(m))
			*vlan = m->vlan_tci & 0x0fffu;
	} else if (unlikely(sl_is_stripped(m))) {
		return 0;
	} else if (sl_get16(frame + 12) == SL_ETHERTYPE_VLAN) {
		*vlan = sl_get16(frame + SL_ETH_LEN) & 0x0fffu;
		l2 = SL_ETH_LEN + SL_VLAN_LEN;
	}
	return likely(sl_get16(frame + l2 - 2) == SL_ETHERTYPE_IP4) ? l2 : 0;
}

static __rte_always_inline void sl_note_plain(struct rte_mbuf *m, struct sl_packet *p,
                                              const struct sl_rx_run *run, uint32_t l2,
                                              uint32_t total)
{
	memset(p, 0, sizeof(*p)); /* the notes start from nothing */
	p->interface = run->id;
	p->vrf = run->vrf;
	p->l3_offset = (uint16_t)l2;
	p->family = 4;
	sl_end_at(m, (uint16_t)(l2 + total));
}

/* ESP that is no fragment, by an SA that is ready: whether the addresses are its own says all about them. */
static __rte_always_inline bool sl_admit_plain(struct sl_worker *w, struct rte_mbuf *m,
                                               struct sl_rx_run *run, const uint8_t *ip,
                                               uint32_t l2, uint32_t total)
{
	const uint8_t *esp = ip + SL_IP4_LEN;
	struct sl_sa_run *sa = &run->sa;
	struct sl_packet *p = sl_packet(m);
	uint32_t spi, sequence;
	uint64_t ends;

	if (unlikely(ip[9] != SL_PROTO_ESP || sl_ip4_is_fragment(ip) ||
	             total < SL_IP4_LEN + SL_ESP_MIN_LEN))
		return false;
	spi = sl_esp_spi(esp);
	if (unlikely(spi != sa->spi || !sa->begun))
		sl_sa_run_begin(w, spi, sa);
	memcpy(&ends, ip + 12, sizeof(ends));
	if (unlikely(!sa->plain || ends != sa->ends))
		return false;
	sequence = sl_esp_sequence(esp);
	if (unlikely(!sl_replay_check(sa->state, sa->row->replay_window, sequence)))
		return false;
	sl_note_plain(m, p, run, l2, total);
	p->lane = SL_LANE_SEALED;
	p->upper_offset = (uint16_t)(l2 + SL_IP4_LEN);
	p->key = sa->key;
	p->sa = sa->id;
	sl_esp_read_nonce(esp, sa->key->salt, p->nonce);
	return true;
}

/* False: nothing has been done. `strips`: the port does; a constant, so that others pay nothing for it. */
static __rte_always_inline bool sl_receive_plain(struct sl_worker *w, uint32_t port,
                                                 struct rte_mbuf *m, struct sl_rx_run *run,
                                                 bool strips)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *), *ip;
	uint32_t length = m->data_len, vlan, l2 = sl_plain_l2(m, frame, strips, &vlan), total;
	uint64_t mac;

	if (unlikely(l2 == 0))
		return false;
	if (unlikely(vlan != run->tags))
		sl_rx_run_begin(w, port, vlan, run);
	memcpy(&mac, frame, sizeof(mac));
	if (unlikely((mac ^ run->mac) << 16 != 0 || run->id == 0))
		return false;
	ip = frame + l2;
	total = strips && sl_nic_summed(&w->ports[port], m)
	                ? sl_ip4_plain_shape(ip, length - l2, true)
	                : sl_ip4_plain_header(ip, length - l2);
	if (unlikely(total == 0))
		return false;
	if (run->lane == SL_LANE_CE) {
		if (unlikely(!sl_ip4_plain_ends(ip)))
			return false;
		sl_note_plain(m, sl_packet(m), run, l2, total);
		sl_packet(m)->lane = SL_LANE_IP;
		run->ip_packets++;
		run->ip_bytes += total;
	} else if (unlikely(!sl_admit_plain(w, m, run, ip, l2, total))) {
		return false;
	}
	run->packets++;
	run->bytes += length;
	if (strips && sl_is_stripped(m))
		run->bytes += SL_VLAN_LEN;
	return true;
}

#endif
