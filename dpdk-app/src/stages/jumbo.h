/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets that need more than an ordinary buffer. No stage and no byte format looks beyond the first buffer
 * of a packet, so what a driver brings in several is copied into one, once, as it comes in; and what grows out
 * of its buffer on the way is moved. ADR 30.
 */
#ifndef SEALANE_STAGES_JUMBO_H
#define SEALANE_STAGES_JUMBO_H

#include <rte_mbuf.h>

#include "sealane/drop_reasons.h"
#include "worker.h"

/* What a buffer keeps free behind a packet: the longest ESP trailer and ICV. */
#define SL_JUMBO_TAIL 64u

/* The pool for packets of `length` bytes. */
static inline struct rte_mempool *sl_pool_for(const struct sl_worker *w, uint32_t length)
{
	if (SL_HEADROOM + length + SL_JUMBO_TAIL <= rte_pktmbuf_data_room_size(w->pool) ||
	    w->jumbo == NULL)
		return w->pool;
	return w->jumbo;
}

/*
 * The packet with its notes in one buffer, with room for `more` bytes behind it; the buffers it came in are given
 * back. NULL with *reason: it is where it was.
 */
struct rte_mbuf *sl_move(struct sl_worker *w, struct rte_mbuf *m, uint32_t more,
                         enum sl_drop_reason *reason);

/* The same for a packet that the packet path has not had yet; for any thread. */
struct rte_mbuf *sl_move_new(const struct sl_worker *w, struct rte_mbuf *m, uint32_t more,
                             enum sl_drop_reason *reason);

/* A received frame in several buffers, notes not begun: in one, or NULL, and it is dropped. */
struct rte_mbuf *sl_join_chain(struct sl_worker *w, struct rte_mbuf *m);

#endif
