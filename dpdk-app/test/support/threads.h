/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second packet thread beside world.worker, which is the first: own counters, cryptography and rings. The two share the
 * ports, whose one queue is the first thread's, so what the second sends goes through the first. Tests run the
 * threads' rounds by hand, in turn, or each in a thread of its own.
 */
#ifndef SEALANE_TEST_THREADS_H
#define SEALANE_TEST_THREADS_H

#include "stages/pass.h"
#include "support/scene.h"

#define THREADS_RING 64u /* holds one packet less */

static struct sl_worker second;
static struct sl_pass pass_there, pass_back;

static inline void threads_join(struct sl_worker *from, struct sl_worker *to, struct sl_pass *pass)
{
	struct rte_ring *ring = pass->ring;

	if (ring == NULL)
		ring = rte_ring_create(pass == &pass_there ? "there" : "back", THREADS_RING,
		                       SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	world_check(ring != NULL && rte_ring_empty(ring), "ring between threads");
	*pass = (struct sl_pass){.ring = ring};
	from->pass_to[to->index] = pass;
	to->pass_from[from->index] = pass;
}

/* After scene_set(). */
static inline void threads_set(void)
{
	struct sl_worker *w = &world.worker;
	struct IMB_MGR *crypto = second.crypto;
	struct sl_tx_queue *tx = second.tx;
	uint64_t *asked = second.hold.asked_tsc;

	if (crypto == NULL) {
		crypto = alloc_mb_mgr(0);
		world_check(crypto != NULL, "alloc_mb_mgr");
		init_mb_mgr_auto(crypto, NULL);
		tx = calloc(SL_MAX_PORTS, sizeof(*tx));
		asked = world_map(SL_MAX_NEXTHOPS * sizeof(*asked));
	}
	w->threads = 2;
	second = (struct sl_worker){.tables = w->tables,
	                            .state = w->state,
	                            .block = &world.state->lcore[1].block,
	                            .crypto = crypto,
	                            .pool = w->pool,
	                            .jumbo = w->jumbo,
	                            .buckets = w->buckets,
	                            .egress = w->egress,
	                            .clock_scale = w->clock_scale,
	                            .sa_index = w->sa_index,
	                            .too_big = w->too_big,
	                            .ports = w->ports,
	                            .tx = tx,
	                            .punt = w->punt,
	                            .acquire = w->acquire,
	                            .keys_out = w->keys_out,
	                            .keys_in = w->keys_in,
	                            .now_tsc = 1,
	                            .labels_backed = w->labels_backed,
	                            .index = 1,
	                            .threads = 2,
	                            .waiting = sl_waiting_most,
	                            .takes_udp = w->takes_udp,
	                            .hold.asked_tsc = asked};
	threads_join(w, &second, &pass_there);
	threads_join(&second, w, &pass_back);
}

/* What a packet thread does between its ports: take, and hand on. Returns how many packets it found. */
static inline uint32_t threads_round(struct sl_worker *w)
{
	uint32_t n = sl_pipeline_take(w);

	if (n > 0)
		sl_pipeline_flush(w);
	return n;
}

/* In turn, until nothing is on its way between them. */
static inline void threads_settle(void)
{
	while (threads_round(&second) + threads_round(&world.worker) > 0)
		;
}

static inline void threads_receive(struct sl_worker *w, uint32_t port, const struct build *built)
{
	struct rte_mbuf *m = world_frame(built->room + built->at, built->end - built->at);

	sl_pipeline_receive(w, port, &m, 1);
	sl_pipeline_flush(w);
}

#endif
