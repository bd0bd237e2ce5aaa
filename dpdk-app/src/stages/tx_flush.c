/* SPDX-License-Identifier: Apache-2.0 */
/* What is queued, to its port: at the end of a round, and when its time has come. */
#include "stages/pass.h"
#include "stages/queue.h"
#include "stages/tx_port.h"
#include "tables/clock.h"

/*
 * Send what may be sent of what waits for an interface, or, `at_once`, all of it as if it were time. Returns how many
 * frames that was, a burst at most.
 */
static uint32_t drain(struct sl_worker *w, uint32_t interface, uint64_t now, bool at_once)
{
	const struct sl_egress *egress = &w->egress[interface];
	uint32_t port = sl_interface(w, interface)->port & (SL_MAX_PORTS - 1);
	struct sl_tx_queue *queue = &w->tx[port];
	struct rte_mbuf *m;
	uint16_t sent;

	if (!sl_queue_begin(w, interface, now))
		return 0;
	if (unlikely(w->ports[port].dpdk_port == RTE_MAX_ETHPORTS)) {
		sl_queue_lose(w, interface, SL_DROP_tx_no_port);
		return 0;
	}
	if (queue->count != 0)
		sl_tx_flush(w, port);
	while (queue->count < SL_TX_QUEUE &&
	       (m = sl_queue_take(w, interface, at_once ? egress->free_at : now)) != NULL) {
		queue->note[queue->count].interface = interface;
		queue->note[queue->count].bytes = m->pkt_len;
		sl_tx_note(queue, queue->count, interface, m->pkt_len);
		queue->frames[queue->count++] = m;
	}
	if (queue->count == 0)
		return 0;
	sent = sl_tx_hand_over(w, port);
	sl_queue_refused(w, interface, queue->frames + sent, (uint16_t)(queue->count - sent));
	queue->count = 0;
	return sent;
}

/* The same for all interfaces for which something waits. */
static uint32_t drain_all(struct sl_worker *w)
{
	struct sl_queues *queues = &w->queues;
	uint64_t now = sl_clock(w->now_tsc, w->clock_scale);
	uint32_t sent = 0;

	queues->next = now + SL_CLOCK_SKEW;
	for (uint32_t i = queues->interfaces; i-- > 0;) {
		uint32_t interface = queues->interface[i];
		struct sl_egress *egress = &w->egress[interface];

		sent += drain(w, interface, now, false);
		if (egress->count == 0) {
			egress->listed = false;
			queues->interface[i] = queues->interface[--queues->interfaces];
		} else if (egress->refused.count != 0) {
			queues->next = now;
		} else if ((int64_t)(egress->free_at - queues->next) < 0) {
			queues->next = egress->free_at;
		}
	}
	return sent;
}

void sl_queues_end(struct sl_worker *w)
{
	uint64_t now = sl_clock(w->now_tsc, w->clock_scale);

	for (; w->queues.interfaces != 0; w->queues.interfaces--) {
		uint32_t interface = w->queues.interface[w->queues.interfaces - 1];

		while (drain(w, interface, now, true) != 0)
			;
		sl_queue_lose(w, interface, SL_DROP_queue_gone);
		w->egress[interface].listed = false;
	}
}

uint32_t sl_pipeline_flush(struct sl_worker *w)
{
	uint32_t drained = 0;

	if (unlikely(w->queues.interfaces != 0))
		drained = drain_all(w);
	for (uint32_t word = 0; word < SL_MAX_PORTS / 64; word++)
		while (w->tx_pending[word] != 0)
			sl_tx_flush(w, word * 64 + (uint32_t)__builtin_ctzll(w->tx_pending[word]));
	sl_pass_flush(w);
	return drained;
}
