/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that wait for an SA: hold.c. */
#ifndef SEALANE_STAGES_HOLD_H
#define SEALANE_STAGES_HOLD_H

#include "stages/packet.h"

/*
 * Have an SA asked for and keep the packet until the next hop has one; when a packet waits for that next
 * hop already, or there are too many of them, it is dropped (sa_missing). Consumes the packet.
 */
void sl_hold_or_drop(struct sl_worker *w, struct rte_mbuf *m, uint32_t nexthop);

/*
 * Give the packets that would not be held any more to `forward`, which looks them up as if they had just
 * come; drop those that are too old. Returns how many it was.
 */
uint32_t sl_hold_look(struct sl_worker *w,
                      void (*forward)(struct sl_worker *w, struct rte_mbuf *packet));

/* Nothing will come any more: drop what still waits. */
void sl_hold_end(struct sl_worker *w);

#endif
