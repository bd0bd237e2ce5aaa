/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues of CE interfaces: one for the kernel's frames, one for each class that has one. Strict priority, then deficit
 * round robin by bytes; together at the interface's rate. An interface's queues are one thread's, sl_queue_owner(): others
 * pass it their finished frames. docs/adr/0031-queues.md.
 */
#ifndef SEALANE_STAGES_QUEUE_H
#define SEALANE_STAGES_QUEUE_H

#include "stages/packet.h"

/* Frames, linked by their notes. */
struct sl_fifo {
	struct rte_mbuf *first, *last;
	uint32_t count;
};

static inline void sl_fifo_push(struct sl_fifo *queue, struct rte_mbuf *m)
{
	sl_packet(m)->behind = NULL;
	if (queue->count++ == 0)
		queue->first = m;
	else
		sl_packet(queue->last)->behind = m;
	queue->last = m;
}

static inline struct rte_mbuf *sl_fifo_pop(struct sl_fifo *queue)
{
	struct rte_mbuf *m = queue->first;

	queue->first = sl_packet(m)->behind;
	queue->count--;
	return m;
}

/* What waits for one interface. Zeros: nothing, of no generation. */
struct sl_egress {
	struct sl_fifo queue[SL_INTERFACE_QUEUES];
	struct sl_fifo refused; /* chosen and accounted for, but the port took no more */
	uint64_t free_at;       /* clock.h: when the frames sent so far are through, at the rate */
	uint32_t fraction;      /* of `free_at`, 2^-28 ns */
	uint32_t generation;    /* of sl_egress_row, of those that wait */
	uint32_t change;        /* of sl_egress_row, that `turn` follows */
	uint32_t count;         /* packets in all queues */
	uint32_t packets[2];    /* the same, in ordinary and in large buffers */
	/* deficit round robin: weighted queues with packets, in the order of their turns */
	uint32_t deficit[SL_INTERFACE_QUEUES]; /* bytes */
	uint8_t turn[SL_INTERFACE_QUEUES];
	uint8_t turns;
	bool begun;  /* turn[0] has had its quantum */
	bool listed; /* in sl_queues.interface */
};

/* Queues hold a quarter of the buffers of each pool at most, all together; one interface half of that. */
#define SL_QUEUES_SHARE 4u

/* The thread that has an interface's queues; its port has transmit queues up to `last`. */
static inline unsigned int sl_queue_owner(uint32_t interface, uint16_t last)
{
	return interface % (last + 1u);
}

/* Put a finished frame into its queue; false: it is dropped. `interface` has queues, and they are this thread's. */
bool sl_queue_put(struct sl_worker *w, struct rte_mbuf *m, uint32_t interface);

/*
 * Once a round, before frames are taken: the packets that wait for `interface` may be sent by it still, and what has changed
 * is taken note of. False: the interface has gone, and they are dropped.
 */
bool sl_queue_begin(struct sl_worker *w, uint32_t interface, uint64_t now);

/* The frame that is next by `now`; NULL: none is, at that rate, or none waits. Its counters count it. */
struct rte_mbuf *sl_queue_take(struct sl_worker *w, uint32_t interface, uint64_t now);

/* The port has not taken these, which came of sl_queue_take() since sl_queue_begin(), all others being gone. */
void sl_queue_refused(struct sl_worker *w, uint32_t interface, struct rte_mbuf **frames,
                      uint16_t n);

/* Drop all that waits for an interface. */
void sl_queue_lose(struct sl_worker *w, uint32_t interface, enum sl_drop_reason reason);

/*
 * This thread sends no more: what waits goes at once, whatever the rate, and what the ports do not take is dropped. In
 * tx.c.
 */
void sl_queues_end(struct sl_worker *w);

/* Nanoseconds until something may be sent, `most` at most: 0 = now. */
uint32_t sl_queues_wait_ns(const struct sl_worker *w, uint64_t now, uint32_t most);

#endif
