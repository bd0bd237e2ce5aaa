/* SPDX-License-Identifier: Apache-2.0 */
/* The frames that wait for a port within a round: counted, and handed to its driver. */
#ifndef SEALANE_STAGES_TX_PORT_H
#define SEALANE_STAGES_TX_PORT_H

#include <rte_ethdev.h>

#include "stages/capture.h"
#include "stages/packet.h"

/* Count frames that the driver took of several interfaces; the mbufs are its own now, so the queue's notes are read. */
static inline void sl_tx_count_each(struct sl_worker *w, const struct sl_tx_queue *queue,
                                    uint16_t sent)
{
	for (uint16_t i = 0; i < sent; i++) {
		struct sl_interface_counters *c =
			sl_interface_counters(w, queue->note[i].interface);

		c->tx_packets++;
		c->tx_bytes += queue->note[i].bytes;
	}
}

/* The same of the interface that all frames of the queue are of, or of each. */
static inline void sl_tx_count(struct sl_worker *w, const struct sl_tx_queue *queue, uint16_t sent)
{
	struct sl_interface_counters *c = sl_interface_counters(w, queue->note[0].interface);
	uint64_t bytes = queue->bytes;

	if (unlikely(!queue->alike)) {
		sl_tx_count_each(w, queue, sent);
		return;
	}
	for (uint16_t i = sent; i < queue->count; i++)
		bytes -= queue->note[i].bytes;
	c->tx_packets += sent;
	c->tx_bytes += bytes;
}

/* Note the frames from `from` on, just put in, which leave by one interface. */
static inline void sl_tx_note(struct sl_tx_queue *queue, uint32_t from, uint32_t interface,
                              uint64_t bytes)
{
	if (from == 0) {
		queue->alike = true;
		queue->bytes = bytes;
	} else {
		queue->alike &= queue->note[0].interface == interface;
		queue->bytes += bytes;
	}
}

/* One burst to the driver. Returns how many it took, and counts them. */
static inline uint16_t sl_tx_hand_over(struct sl_worker *w, uint32_t port)
{
	struct sl_tx_queue *queue = &w->tx[port];
	uint16_t sent;

	if (unlikely(w->capture != NULL))
		sl_capture_sent(w, queue);
	sent = rte_eth_tx_burst(w->ports[port].dpdk_port, (uint16_t)w->index, queue->frames,
	                        queue->count);
	sl_tx_count(w, queue, sent);
	return sent;
}

/* What the driver does not take is dropped: a queue that waits would only grow. */
static inline void sl_tx_flush(struct sl_worker *w, uint32_t port)
{
	struct sl_tx_queue *queue = &w->tx[port];
	uint16_t sent = sl_tx_hand_over(w, port);

	if (unlikely(sent < queue->count))
		w->block->tx_full[port] += (uint64_t)(queue->count - sent);
	for (uint16_t i = sent; i < queue->count; i++)
		sl_drop(w, queue->frames[i], SL_DROP_tx_full);
	queue->count = 0;
	w->tx_pending[port / 64] &= ~(1ull << port % 64);
}

#endif
