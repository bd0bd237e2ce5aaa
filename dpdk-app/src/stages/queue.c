/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rate is that of a link that is busy for as long as a frame takes. Looking late costs nothing while it is no more than
 * the row's depth: then frames are sent as if they had been on time.
 */
#include "stages/queue.h"

#include "net/eth.h"
#include "stages/turns.h"
#include "tables/clock.h"

/* No frame is under way for longer, at any rate: what seems to be is of 26 days ago, when the clock was on its way round. */
#define SL_QUEUE_LONGEST (128000000000ull << 12)

/* What an interface that has sent nothing yet has been idle for: longer than any depth. */
#define SL_QUEUE_UNUSED (1ull << 62)

static uint32_t word(const uint32_t *at) { return __atomic_load_n(at, __ATOMIC_RELAXED); }

static const struct sl_egress_row *row_of(const struct sl_worker *w, uint32_t interface)
{
	return &w->tables->egress[interface];
}

static struct sl_queue_counters *counters(struct sl_worker *w, uint32_t interface, uint32_t slot)
{
	return &w->block->queue[sl_queue_index(interface, slot)];
}

/* A frame that is in queues (1) or is not any more (-1). */
static void account(struct sl_worker *w, struct sl_egress *e, const struct rte_mbuf *m, int by)
{
	unsigned int large = m->pool == w->jumbo;

	e->count += (uint32_t)by;
	e->packets[large] += (uint32_t)by;
	w->queues.packets[large] += (uint32_t)by;
}

/* What a frame takes of the rate. */
static void pay(struct sl_egress *e, uint64_t cost, uint32_t bytes)
{
	unsigned __int128 time = (unsigned __int128)cost * bytes + e->fraction;

	e->free_at += (uint64_t)(time >> 16);
	e->fraction = (uint32_t)time & 0xffffu;
}

/* Its rate in 2^-28 ns for a byte; 0 = none, as when the queues have been taken away and are but emptied. */
static uint64_t cost_of(const struct sl_worker *w, uint32_t interface)
{
	if (__atomic_load_n(&sl_interface(w, interface)->queues, __ATOMIC_RELAXED) == 0)
		return 0;
	return __atomic_load_n(&row_of(w, interface)->cost, __ATOMIC_RELAXED);
}

static uint32_t slot_of(const struct sl_worker *w, const struct sl_egress_row *row,
                        struct rte_mbuf *m)
{
	const uint8_t *classes = w->tables->header.classes.class_of_dscp;
	const struct sl_packet *p = sl_packet(m);
	uint8_t class;

	if (p->family == 0) /* the kernel's: no other frame for a CE is without */
		return SL_QUEUE_KERNEL;
	class = __atomic_load_n(&classes[sl_dscp(m, p)], __ATOMIC_RELAXED);
	return __atomic_load_n(&row->queue_of_class[class & (SL_MAX_CLASSES - 1)],
	                       __ATOMIC_RELAXED) &
	       (SL_MAX_CLASSES - 1);
}

/* Is there a packet buffer to be kept in queues, of the same size as this one? */
static bool has_buffer(const struct sl_worker *w, const struct sl_egress *e,
                       const struct rte_mbuf *m)
{
	unsigned int large = m->pool == w->jumbo;
	uint32_t most = m->pool->size / SL_QUEUES_SHARE / w->threads;

	return w->queues.packets[large] < most && e->packets[large] < most / 2;
}

bool sl_queue_put(struct sl_worker *w, struct rte_mbuf *m, uint32_t interface)
{
	const struct sl_egress_row *row = row_of(w, interface);
	struct sl_egress *e = &w->egress[interface];
	uint32_t slot = slot_of(w, row, m), generation = word(&row->generation);
	struct sl_queue_counters *c = counters(w, interface, slot);
	struct sl_fifo *queue = &e->queue[slot];

	if (unlikely(e->generation != generation)) {
		sl_queue_lose(w, interface, SL_DROP_queue_gone);
		e->generation = generation;
		e->free_at = sl_clock(w->now_tsc, w->clock_scale) - SL_QUEUE_UNUSED;
	}
	if (queue->count >= word(&row->limit[slot]) || !has_buffer(w, e, m)) {
		c->dropped++;
		sl_drop(w, m,
		        queue->count >= word(&row->limit[slot]) ? SL_DROP_queue_full
		                                                : SL_DROP_queue_buffers);
		return false;
	}
	if (!e->listed) {
		e->listed = true;
		w->queues.interface[w->queues.interfaces++] = (uint16_t)interface;
	}
	sl_unpoison(m);
	sl_fifo_push(queue, m);
	account(w, e, m, 1);
	if (queue->count == 1)
		sl_turns_join(e, row, slot);
	c->depth = queue->count;
	if (queue->count > c->max_depth)
		c->max_depth = queue->count;
	return true;
}

bool sl_queue_begin(struct sl_worker *w, uint32_t interface, uint64_t now)
{
	const struct sl_interface_row *its = sl_interface(w, interface);
	const struct sl_egress_row *row = row_of(w, interface);
	struct sl_egress *e = &w->egress[interface];
	uint64_t cost = cost_of(w, interface), longest = SL_QUEUE_LONGEST, depth = 0;
	uint32_t change = __atomic_load_n(&row->change, __ATOMIC_ACQUIRE);
	int64_t behind = (int64_t)(now - e->free_at);

	if (!sl_interface_live(its) || word(&row->generation) != e->generation) {
		sl_queue_lose(w, interface, SL_DROP_queue_gone);
		return false;
	}
	if (unlikely(change != e->change)) {
		e->change = change;
		for (uint32_t slot = 0; slot < SL_INTERFACE_QUEUES; slot++)
			if (e->queue[slot].count != 0)
				sl_turns_join(e, row, slot);
		/* what was sent at a lower rate is through by now */
		longest = sl_policer_time(cost, its->mtu + SL_ETH_LEN + 2u * SL_VLAN_LEN);
	}
	if (cost == 0)
		longest = 0;
	else
		depth = __atomic_load_n(&row->depth, __ATOMIC_RELAXED);
	if (behind > (int64_t)depth)
		e->free_at = now - depth;
	else if (behind < -(int64_t)longest)
		e->free_at = now;
	return true;
}

struct rte_mbuf *sl_queue_take(struct sl_worker *w, uint32_t interface, uint64_t now)
{
	const struct sl_egress_row *row = row_of(w, interface);
	struct sl_egress *e = &w->egress[interface];
	struct sl_queue_counters *c;
	struct rte_mbuf *m;
	uint32_t slot;

	if (e->refused.count != 0) {
		m = sl_fifo_pop(&e->refused);
		account(w, e, m, -1);
		return m;
	}
	if (e->count == 0 || (int64_t)(e->free_at - now) > 0)
		return NULL;
	slot = sl_turns_choose(e, row);
	if (unlikely(slot == SL_INTERFACE_QUEUES)) /* the row is being changed */
		return NULL;
	m = sl_fifo_pop(&e->queue[slot]);
	account(w, e, m, -1);
	pay(e, cost_of(w, interface), m->pkt_len);
	sl_turns_sent(e, row, slot, m->pkt_len);
	c = counters(w, interface, slot);
	c->packets++;
	c->bytes += m->pkt_len;
	c->depth = e->queue[slot].count;
	return m;
}

void sl_queue_refused(struct sl_worker *w, uint32_t interface, struct rte_mbuf **frames, uint16_t n)
{
	struct sl_egress *e = &w->egress[interface];

	for (uint16_t i = 0; i < n; i++) {
		sl_fifo_push(&e->refused, frames[i]);
		account(w, e, frames[i], 1);
	}
}

static void lose_all(struct sl_worker *w, struct sl_egress *e, struct sl_fifo *queue,
                     enum sl_drop_reason reason)
{
	while (queue->count != 0) {
		struct rte_mbuf *m = sl_fifo_pop(queue);

		/* Where it came from may be another's row by now: the reason alone is counted. */
		account(w, e, m, -1);
		w->block->drops[reason]++;
		sl_free(m);
	}
}

void sl_queue_lose(struct sl_worker *w, uint32_t interface, enum sl_drop_reason reason)
{
	struct sl_egress *e = &w->egress[interface];

	lose_all(w, e, &e->refused, reason);
	for (uint32_t slot = 0; slot < SL_INTERFACE_QUEUES; slot++) {
		lose_all(w, e, &e->queue[slot], reason);
		counters(w, interface, slot)->depth = 0;
	}
	e->turns = 0;
	e->begun = false;
}

uint32_t sl_queues_wait_ns(const struct sl_worker *w, uint64_t now, uint32_t most)
{
	int64_t wait = (int64_t)(w->queues.next - now);

	if (w->queues.interfaces == 0)
		return most;
	return wait <= 0 ? 0 : (uint32_t)RTE_MIN((uint64_t)wait >> 12, (uint64_t)most);
}
