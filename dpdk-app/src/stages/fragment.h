/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 packets without DF that are larger than their next hop's MTU: fragment.c. */
#ifndef SEALANE_STAGES_FRAGMENT_H
#define SEALANE_STAGES_FRAGMENT_H

#include "stages/packet.h"

/*
 * Hand the `n` packets (at most SL_BURST, all of them past ttl_mtu) to `leave`, in bursts and in their order,
 * those that are too large for their next hop in pieces.
 */
void sl_fragment(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n,
                 void (*leave)(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n));

#endif
