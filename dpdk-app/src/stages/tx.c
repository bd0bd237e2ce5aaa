/* SPDX-License-Identifier: Apache-2.0 */
/* Queueing on ports, and handing the queues to them at the end of a round. */
#include <rte_ethdev.h>

#include "net/eth.h"
#include "stages/packet.h"
#include "stages/stage.h"

/* One burst to the driver; what it does not take is dropped: a queue that waits would only grow. */
static void flush_port(struct sl_worker *w, uint32_t port)
{
	struct sl_tx_queue *queue = &w->tx[port];
	uint16_t sent;

	sent = rte_eth_tx_burst(w->ports[port].dpdk_port, w->ports[port].queue, queue->frames,
	                        queue->count);
	for (uint16_t i = 0; i < sent; i++) { /* the mbufs are the driver's now */
		struct sl_interface_counters *c =
			sl_interface_counters(w, queue->note[i].interface);

		c->tx_packets++;
		c->tx_bytes += queue->note[i].bytes;
	}
	for (uint16_t i = sent; i < queue->count; i++)
		sl_drop(w, queue->frames[i], SL_DROP_tx_full);
	queue->count = 0;
	w->tx_pending[port / 64] &= ~(1ull << port % 64);
}

/* Queue a finished frame for an interface. False: it has no running port, and the frame is dropped. */
static bool enqueue(struct sl_worker *w, struct rte_mbuf *m, uint32_t interface)
{
	uint32_t port = sl_interface(w, interface)->port & (SL_MAX_PORTS - 1);
	struct sl_tx_queue *queue = &w->tx[port];

	if (unlikely(port == 0 || w->ports[port].dpdk_port == RTE_MAX_ETHPORTS)) {
		sl_drop(w, m, SL_DROP_tx_no_port);
		return false;
	}
	if (unlikely(queue->count == SL_TX_QUEUE))
		flush_port(w, port);
	queue->note[queue->count].interface = interface;
	queue->note[queue->count].bytes = m->pkt_len;
	queue->frames[queue->count++] = m;
	sl_unpoison(m);
	w->tx_pending[port / 64] |= 1ull << port % 64;
	return true;
}

uint16_t sl_stage_tx(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		enqueue(w, packets[i],
		        w->tables->version[sl_packet(packets[i])->version].interface);
	return 0;
}

/* Put the interface's 802.1Q tag into a frame from its TAP. False: no room in front. */
static bool push_vlan(struct rte_mbuf *m, uint16_t vlan)
{
	uint8_t *frame = (uint8_t *)rte_pktmbuf_prepend(m, SL_VLAN_LEN);

	sl_unpoison(m);
	if (unlikely(frame == NULL))
		return false;
	memmove(frame, frame + SL_VLAN_LEN, 2 * SL_MAC_LEN);
	sl_put16(frame + 12, SL_ETHERTYPE_VLAN);
	sl_put16(frame + 14, vlan & 0x0fffu);
	return true;
}

uint16_t sl_stage_inject(struct sl_worker *w, struct rte_mbuf **frames, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = frames[i];
		uint32_t id = sl_packet(m)->interface;
		const struct sl_interface_row *row = sl_interface(w, id);

		if (unlikely(m->nb_segs != 1 || m->data_len < SL_ETH_LEN))
			sl_drop(w, m, SL_DROP_inject_malformed);
		else if (row->vlan != 0 && unlikely(!push_vlan(m, row->vlan)))
			sl_drop(w, m, SL_DROP_no_mbuf);
		else if (likely(enqueue(w, m, id)))
			sl_interface_counters(w, id)->injected++;
	}
	return 0;
}

void sl_pipeline_flush(struct sl_worker *w)
{
	for (uint32_t word = 0; word < SL_MAX_PORTS / 64; word++)
		while (w->tx_pending[word] != 0)
			flush_port(w, word * 64 + (uint32_t)__builtin_ctzll(w->tx_pending[word]));
}
