/* SPDX-License-Identifier: Apache-2.0 */
/* Queueing on ports. */
#include "net/eth.h"
#include "stages/pass.h"
#include "stages/queue.h"
#include "stages/stage.h"
#include "stages/tags.h"
#include "stages/tx_port.h"

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
		sl_tx_flush(w, port);
	if (queue->count == 0)
		w->tx_pending[port / 64] |= 1ull << port % 64;
	queue->note[queue->count].interface = interface;
	queue->note[queue->count].bytes = m->pkt_len;
	sl_tx_note(queue, queue->count, interface, m->pkt_len);
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
		sl_tx_flush(w, port);
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
	sl_tx_note(queue, from, interface, bytes);
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
