/* SPDX-License-Identifier: Apache-2.0 */
/* Queueing on ports, and handing the queues to them at the end of a round. */
#include <rte_ethdev.h>

#include "net/eth.h"
#include "stages/capture.h"
#include "stages/packet.h"
#include "stages/pass.h"
#include "stages/queue.h"
#include "stages/stage.h"
#include "stages/tags.h"
#include "tables/clock.h"

/* Count frames that the driver took of several interfaces; the mbufs are its own now, so the queue's notes are read. */
static void count_each(struct sl_worker *w, const struct sl_tx_queue *queue, uint16_t sent)
{
	for (uint16_t i = 0; i < sent; i++) {
		struct sl_interface_counters *c =
			sl_interface_counters(w, queue->note[i].interface);

		c->tx_packets++;
		c->tx_bytes += queue->note[i].bytes;
	}
}

/* The same of the interface that all frames of the queue are of, or of each. */
static void count_sent(struct sl_worker *w, const struct sl_tx_queue *queue, uint16_t sent)
{
	struct sl_interface_counters *c = sl_interface_counters(w, queue->note[0].interface);
	uint64_t bytes = queue->bytes;

	if (unlikely(!queue->alike)) {
		count_each(w, queue, sent);
		return;
	}
	for (uint16_t i = sent; i < queue->count; i++)
		bytes -= queue->note[i].bytes;
	c->tx_packets += sent;
	c->tx_bytes += bytes;
}

/* Note the frames from `from` on, just put in, which leave by one interface. */
static inline void note_run(struct sl_tx_queue *queue, uint32_t from, uint32_t interface,
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
static uint16_t hand_over(struct sl_worker *w, uint32_t port)
{
	struct sl_tx_queue *queue = &w->tx[port];
	uint16_t sent;

	if (unlikely(w->capture != NULL))
		sl_capture_sent(w, queue);
	sent = rte_eth_tx_burst(w->ports[port].dpdk_port, (uint16_t)w->index, queue->frames,
	                        queue->count);
	count_sent(w, queue, sent);
	return sent;
}

/* What the driver does not take is dropped: a queue that waits would only grow. */
static void flush_port(struct sl_worker *w, uint32_t port)
{
	struct sl_tx_queue *queue = &w->tx[port];
	uint16_t sent = hand_over(w, port);

	if (unlikely(sent < queue->count))
		w->block->tx_full[port] += (uint64_t)(queue->count - sent);
	for (uint16_t i = sent; i < queue->count; i++)
		sl_drop(w, queue->frames[i], SL_DROP_tx_full);
	queue->count = 0;
	w->tx_pending[port / 64] &= ~(1ull << port % 64);
}

/* With the port's number: it has no queue for this thread. */
#define SL_QUEUE_ELSEWHERE (1u << 31)

/* With the port's number: the interface has queues of its own (stages/queue.h). */
#define SL_QUEUE_OF_CLASS (1u << 30)

/* The port that frames for an interface are queued on; 0 = it has none that runs. */
static uint32_t output_port(struct sl_worker *w, uint32_t interface)
{
	const struct sl_interface_row *row = sl_interface(w, interface);
	uint32_t port = row->port & (SL_MAX_PORTS - 1);

	if (unlikely(w->ports[port].dpdk_port == RTE_MAX_ETHPORTS))
		return 0;
	if (unlikely(__atomic_load_n(&row->queues, __ATOMIC_RELAXED) != 0))
		return port | SL_QUEUE_OF_CLASS;
	if (unlikely(w->index > w->ports[port].last_tx_queue))
		return port | SL_QUEUE_ELSEWHERE;
	return port;
}

/*
 * A frame that does not go to this thread's queue of a port: the interface has queues of its own, or another thread has
 * its port's (true), or nobody has.
 */
static bool send_elsewhere(struct sl_worker *w, struct rte_mbuf *m, uint32_t port,
                           uint32_t interface)
{
	unsigned int owner = w->ports[port & (SL_MAX_PORTS - 1)].last_tx_queue;

	if (port == 0) {
		sl_drop(w, m, SL_DROP_tx_no_port);
		return false;
	}
	if ((port & SL_QUEUE_OF_CLASS) != 0)
		owner = sl_queue_owner(interface, (uint16_t)owner);
	if (owner == w->index)
		return sl_queue_put(w, m, interface);
	sl_packet(m)->interface = interface;
	sl_pass(w, m, owner, SL_LANE_PORT);
	return true;
}

/* Queue a finished frame on what output_port() said. False: on nothing, and the frame is dropped. */
static inline bool enqueue(struct sl_worker *w, struct rte_mbuf *m, uint32_t port,
                           uint32_t interface)
{
	struct sl_tx_queue *queue = &w->tx[port & (SL_MAX_PORTS - 1)];

	if (unlikely(port - 1 >= SL_MAX_PORTS - 1))
		return send_elsewhere(w, m, port, interface);
	if (unlikely(queue->count == SL_TX_QUEUE))
		flush_port(w, port);
	if (queue->count == 0)
		w->tx_pending[port / 64] |= 1ull << port % 64;
	queue->note[queue->count].interface = interface;
	queue->note[queue->count].bytes = m->pkt_len;
	note_run(queue, queue->count, interface, m->pkt_len);
	queue->frames[queue->count++] = m;
	sl_unpoison(m);
	return true;
}

/*
 * Queue the first packets on a port, as many as leave by the version of the first and as there is room for. Returns how
 * many; the queue's count is stored once.
 */
static inline uint16_t enqueue_run(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n,
                                   uint32_t port, uint32_t interface)
{
	struct sl_tx_queue *queue = &w->tx[port];
	uint32_t version = sl_packet(packets[0])->version, count = queue->count, from;
	uint64_t bytes = 0;
	uint16_t done = 0;

	if (unlikely(count == SL_TX_QUEUE)) {
		flush_port(w, port);
		count = 0;
	}
	if (count == 0)
		w->tx_pending[port / 64] |= 1ull << port % 64;
	from = count;
	do {
		struct rte_mbuf *m = packets[done++];
		uint32_t length = m->pkt_len;

		queue->note[count].interface = interface;
		queue->note[count].bytes = length;
		bytes += length;
		queue->frames[count++] = m;
		sl_unpoison(m);
	} while (done < n && count < SL_TX_QUEUE && sl_packet(packets[done])->version == version);
	queue->count = (uint16_t)count;
	note_run(queue, from, interface, bytes);
	return done;
}

uint16_t sl_stage_tx(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	uint32_t interface = 0, port = 0; /* of the packets before: most go the same way */
	uint16_t i = 0;

	while (i < n) {
		uint32_t next = w->tables->version[sl_packet(packets[i])->version].interface;

		if (unlikely(next != interface || i == 0)) {
			interface = next;
			port = output_port(w, interface);
		}
		if (likely(port - 1 < SL_MAX_PORTS - 1))
			i = (uint16_t)(i + enqueue_run(w, packets + i, (uint16_t)(n - i), port,
			                               interface));
		else
			send_elsewhere(w, packets[i++], port, interface);
	}
	return 0;
}

uint16_t sl_stage_tx_passed(struct sl_worker *w, struct rte_mbuf **frames, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		uint32_t interface = sl_packet(frames[i])->interface & (SL_MAX_INTERFACES - 1);

		enqueue(w, frames[i], output_port(w, interface), interface);
	}
	return 0;
}

uint16_t sl_stage_inject(struct sl_worker *w, struct rte_mbuf **frames, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = frames[i];
		uint32_t id = sl_packet(m)->interface;
		const struct sl_interface_row *row = sl_interface(w, id);

		sl_packet(m)->family = 0; /* not looked at: for stages/queue.c it is the kernel's */
		if (unlikely(m->nb_segs != 1 || m->data_len < SL_ETH_LEN))
			sl_drop(w, m, SL_DROP_inject_malformed);
		else if (row->vlan != 0 && unlikely(!sl_push_tags(m, row)))
			sl_drop(w, m, SL_DROP_no_mbuf);
		else if (likely(enqueue(w, m, output_port(w, id), id)))
			sl_interface_counters(w, id)->injected++;
	}
	return 0;
}

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
		flush_port(w, port);
	while (queue->count < SL_TX_QUEUE &&
	       (m = sl_queue_take(w, interface, at_once ? egress->free_at : now)) != NULL) {
		queue->note[queue->count].interface = interface;
		queue->note[queue->count].bytes = m->pkt_len;
		note_run(queue, queue->count, interface, m->pkt_len);
		queue->frames[queue->count++] = m;
	}
	if (queue->count == 0)
		return 0;
	sent = hand_over(w, port);
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
			flush_port(w, word * 64 + (uint32_t)__builtin_ctzll(w->tx_pending[word]));
	sl_pass_flush(w);
	return drained;
}
