/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEALANE_CONTROL_PACKET_POOL_H
#define SEALANE_CONTROL_PACKET_POOL_H

#include <rte_mempool.h>
#include <stdint.h>

/*
 * A pool of `count` mbufs with the notes of a packet and `bytes` bytes of buffer each, headroom included, for so many
 * packet threads besides the control thread; of one name there is one. NULL: no memory for it, rte_errno says why.
 */
struct rte_mempool *sl_packet_pool(const char *name, unsigned int count, uint16_t bytes,
                                   unsigned int threads);

#endif
