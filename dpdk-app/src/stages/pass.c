/* SPDX-License-Identifier: Apache-2.0 */
#include "stages/pass.h"

#include "esp/sa_key.h"
#include "stages/packet.h"

/* How many more may wait. Asks every reader, so only when those that were known of have been passed. */
static void count_room(struct sl_worker *w)
{
	uint32_t waiting = 0;

	for (unsigned int i = 0; i < w->threads; i++)
		if (w->pass_to[i] != NULL)
			waiting += rte_ring_count(w->pass_to[i]->ring);
	w->pass_room = w->waiting.pass - RTE_MIN(waiting, w->waiting.pass);
}

/* Put a batch into the ring; what does not fit is dropped: a thread that waits would stop everybody's packets. */
static void put(struct sl_worker *w, unsigned int to)
{
	struct sl_pass_batch *batch = &w->pass_batch[to];
	struct sl_pass *pass = w->pass_to[to];
	unsigned int sent;

	if (unlikely(batch->count > w->pass_room))
		count_room(w);
	sent = rte_ring_sp_enqueue_burst(pass->ring, (void **)batch->packets,
	                                 RTE_MIN(batch->count, w->pass_room), NULL);
	w->pass_room -= sent;
	pass->put += sent;
	w->block->passed += sent;
	for (unsigned int i = sent; i < batch->count; i++)
		sl_drop(w, batch->packets[i], SL_DROP_pass_full);
	batch->count = 0;
	w->pass_pending &= ~(1u << to);
}

void sl_pass(struct sl_worker *w, struct rte_mbuf *m, unsigned int owner, enum sl_lane lane)
{
	struct sl_pass_batch *batch = &w->pass_batch[owner];

	sl_packet(m)->lane = (uint8_t)lane;
	sl_unpoison(m);
	batch->packets[batch->count++] = m;
	w->pass_pending |= 1u << owner;
	if (batch->count == SL_BURST)
		put(w, owner);
}

void sl_pass_or_drop(struct sl_worker *w, struct rte_mbuf *m, const struct sl_sa_key *key,
                     enum sl_lane lane, enum sl_drop_reason reason)
{
	if (reason == SL_PASSED)
		sl_pass(w, m, key->owner, lane);
	else
		sl_drop(w, m, reason);
}

void sl_pass_flush(struct sl_worker *w)
{
	while (w->pass_pending != 0)
		put(w, (unsigned int)__builtin_ctz(w->pass_pending));
	for (; w->pass_taken != 0; w->pass_taken &= w->pass_taken - 1) {
		struct sl_pass *pass = w->pass_from[__builtin_ctz(w->pass_taken)];

		/* Nothing of these packets is read any more: the epoch of who passed them may go on. */
		__atomic_store_n(&pass->done, pass->taken, __ATOMIC_RELEASE);
	}
}

uint16_t sl_pass_take(struct sl_worker *w, unsigned int from, struct rte_mbuf **packets)
{
	struct sl_pass *pass = w->pass_from[from];
	uint16_t n;

	if (pass == NULL || rte_ring_empty(pass->ring))
		return 0;
	n = (uint16_t)rte_ring_sc_dequeue_burst(pass->ring, (void **)packets, SL_BURST, NULL);
	pass->taken += n;
	w->pass_taken |= 1u << from;
	w->block->taken += n;
	for (uint16_t i = 0; i < n; i++)
		sl_poison_around(packets[i]);
	return n;
}

static bool is_done(const struct sl_pass *pass, uint64_t packets)
{
	return __atomic_load_n(&pass->done, __ATOMIC_ACQUIRE) >= packets;
}

uint64_t sl_pass_epoch(struct sl_worker *w, uint64_t now)
{
	/*
	 * Packets passed from here on were looked up after `now` was read, so they name nothing that was unpublished
	 * before. A newer epoch waits for its turn: else a busy writer could keep this one from ever being reached.
	 */
	if (w->epoch_next == 0) {
		w->epoch_next = now;
		for (unsigned int i = 0; i < w->threads; i++)
			if (w->pass_to[i] != NULL)
				w->pass_to[i]->mark = w->pass_to[i]->put;
	}
	for (unsigned int i = 0; i < w->threads; i++)
		if (w->pass_to[i] != NULL && !is_done(w->pass_to[i], w->pass_to[i]->mark))
			return w->block->epoch;
	now = w->epoch_next;
	w->epoch_next = 0;
	return now;
}

bool sl_pass_settled(const struct sl_worker *w)
{
	for (unsigned int i = 0; i < w->threads; i++)
		if (w->pass_to[i] != NULL && !is_done(w->pass_to[i], w->pass_to[i]->put))
			return false;
	return true;
}
