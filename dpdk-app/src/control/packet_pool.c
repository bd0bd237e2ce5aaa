/* SPDX-License-Identifier: Apache-2.0 */
#include "control/packet_pool.h"

#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>

#include "control/budget.h"

_Static_assert(sizeof(struct sl_packet) % RTE_MBUF_PRIV_ALIGN == 0, "mbufs need aligned notes");

/*
 * Like rte_pktmbuf_pool_create(), but where I/O addresses are virtual addresses buffers may cross pages.
 * With ordinary pages of 4 KiB each would otherwise take a page of its own, and all of them would compete
 * for the same few sets of the first-level cache.
 */
struct rte_mempool *sl_packet_pool(const char *name, unsigned int count, uint16_t bytes,
                                   unsigned int threads)
{
	struct rte_pktmbuf_pool_private private = {.mbuf_data_room_size = bytes,
	                                           .mbuf_priv_size = sizeof(struct sl_packet)};
	unsigned int flags = rte_eal_iova_mode() == RTE_IOVA_VA ? RTE_MEMPOOL_F_NO_IOVA_CONTIG : 0;
	struct rte_mempool *pool;

	pool = rte_mempool_create_empty(
		name, count, sizeof(struct rte_mbuf) + sizeof(struct sl_packet) + bytes,
		sl_budget_cache(count, threads), sizeof(private), (int)rte_socket_id(), flags);
	if (pool == NULL)
		return NULL;
	rte_pktmbuf_pool_init(pool, &private);
	/* With more threads than CPUs one may be interrupted in the pool; with these operations nobody waits for it. */
	if (rte_mempool_set_ops_byname(
		    pool, threads > 1 ? "ring_mt_rts" : rte_mbuf_best_mempool_ops(), NULL) != 0 ||
	    rte_mempool_populate_default(pool) < 0) {
		rte_mempool_free(pool);
		return NULL;
	}
	rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
	return pool;
}
