/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets from one packet thread to another: an SA's sequence numbers and window belong to one of them, and so do
 * a datagram's fragments (policy-model 23). Between any two threads there is a ring with one writer and one reader,
 * so what one thread passes to another stays in order.
 *
 *   thread that received it                         thread that owns the SA
 *   ... SPI found, not mine ------ lane ESP ------> SPI looked up anew, window, decryption, label, ...
 *   ... template chosen, not mine - lane TUNNEL --> sequence number, encryption, transmit
 *   ... fragment for us --------- lane LOCAL -----> reassembly, then as if it had come here
 *   frame of the kernel --------- lane HOST ------> host policy
 *   finished frame -------------- lane PORT ------> transmit: the port has a queue for that thread alone
 *
 * What the first thread has looked up goes with the packet (next-hop version, route, interface), so that thread's epoch
 * stays behind until the other is done with the packet: nothing it names can be reused meanwhile.
 */
#ifndef SEALANE_STAGES_PASS_H
#define SEALANE_STAGES_PASS_H

#include "stages/stage.h"
#include "worker.h"

/* Not a drop: the packet is another thread's now. Returned where a reason is asked for. */
#define SL_PASSED SL_DROP_COUNT

/* Give the packet to thread `owner`, another one than this: it goes on there as one of `lane`. */
void sl_pass(struct sl_worker *w, struct rte_mbuf *m, unsigned int owner, enum sl_lane lane);

/* The packet was refused for `reason`: give it to the owner of `key` when that is SL_PASSED, else drop it. */
void sl_pass_or_drop(struct sl_worker *w, struct rte_mbuf *m, const struct sl_sa_key *key,
                     enum sl_lane lane, enum sl_drop_reason reason);

/* Put what was given since the last call into the rings, and say what of theirs is done with. Once per round. */
void sl_pass_flush(struct sl_worker *w);

/* Up to SL_BURST packets that thread `from` has passed to this one, in order. */
uint16_t sl_pass_take(struct sl_worker *w, unsigned int from, struct rte_mbuf **packets);

/*
 * The epoch this thread may publish, being at `now`: the last one while other threads have packets that it passed
 * to them before it saw `now`. Asked between rounds, when `now` differs from what is published.
 */
uint64_t sl_pass_epoch(struct sl_worker *w, uint64_t now);

/* Do other threads have nothing more that this one passed to them? Before it goes offline. */
bool sl_pass_settled(const struct sl_worker *w);

#endif
