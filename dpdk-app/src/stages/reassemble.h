/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnel packets that the core has fragmented, put together again in bounded memory: reassemble.c. */
#ifndef SEALANE_STAGES_REASSEMBLE_H
#define SEALANE_STAGES_REASSEMBLE_H

#include "stages/ip_header.h"

/*
 * Take the fragment `m` of a tunnel packet for us. Returns the packet, with the lane and arrival noted in `m`
 * and its upper-layer header at upper_offset, when this was the last that was missing; else NULL, and `m` is
 * kept or dropped.
 */
struct rte_mbuf *sl_reassemble(struct sl_worker *w, struct rte_mbuf *m,
                               const struct sl_upper *upper);

/* Once per round: drop what has waited too long. */
void sl_reassembly_look(struct sl_worker *w);

/* Nothing will come any more: drop all fragments. */
void sl_reassembly_end(struct sl_worker *w);

#endif
