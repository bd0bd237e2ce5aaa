/* SPDX-License-Identifier: Apache-2.0 */
/* Fragments of tunnel packets that wait for the others: reassembly_table.c. */
#ifndef SEALANE_STAGES_REASSEMBLY_TABLE_H
#define SEALANE_STAGES_REASSEMBLY_TABLE_H

#include "stages/packet.h"

/* The datagram of the key; begun, in the place of another if need be, if there is none. */
struct sl_datagram *sl_datagram_find(struct sl_worker *w, const struct sl_datagram_key *key);

/* The oldest datagram but `but`, of this source if one is given; NULL: there is none. */
struct sl_datagram *sl_datagram_oldest(struct sl_reassembly *r, const uint8_t *source,
                                       const struct sl_datagram *but);

/*
 * Drop what waits of a datagram, or give it to the kernel if that may be whose it is. Its interfaces may be others' by now: the
 * reason alone is counted.
 */
void sl_datagram_lose_pieces(struct sl_worker *w, struct sl_datagram *d,
                             enum sl_drop_reason reason);

/* The same, and there is no such datagram any more. */
void sl_datagram_forget(struct sl_worker *w, struct sl_datagram *d, enum sl_drop_reason reason);

/*
 * reassembly_join.c: all of the datagram is there: append the others to the first, whose notes are `p`'s. NULL: it does not fit,
 * and is dropped.
 */
struct rte_mbuf *sl_datagram_join(struct sl_worker *w, struct sl_datagram *d,
                                  const struct sl_packet *p);

/*
 * reassembly_join.c: one packet again: lengths, and nothing of a fragment in its header. RFC 3168 5.3: congestion one of them
 * met.
 */
void sl_datagram_finish(struct rte_mbuf *m, struct sl_packet *p, bool congested);

/* The packet thread that a datagram's fragments meet in, wherever each was received. FNV-1a. */
unsigned int sl_datagram_thread(const struct sl_worker *w, const struct sl_datagram_key *key);

#endif
