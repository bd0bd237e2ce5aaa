/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outbound SAs of the VPN by SPI and destination, and what they have sent of late: what a message about one of their
 * packets is judged by (policy-model 21, docs/adr/0027-path-mtu.md). Written by the control thread as it installs
 * and withdraws SAs, read by packet threads; never large: a chain holds rows whose hashes agree, and the hash
 * begins with a secret, so that peers, who choose SPIs, cannot fill one.
 */
#ifndef SEALANE_TABLES_SA_INDEX_H
#define SEALANE_TABLES_SA_INDEX_H

#include <stdint.h>

#include "sealane/state.h"
#include "sealane/tables.h"

/* How long a number counts as recently sent: between one and two of these. */
#define SL_SENT_TICK_NS 5000000000ull
/* Nor may more packets than these have been sent since: what 100 Gbit/s of full packets are in 125 ms. */
#define SL_SENT_RECENTLY (1u << 20)

/* Of one outbound SA row. All words are atomic. */
struct sl_sa_note {
	uint32_t next;           /* row; 0 = last of its chain */
	uint32_t chain;          /* 1 + its number; 0 = in none. The control thread's */
	uint64_t sent_before[2]; /* last sequence number at the last tick, and at the one before */
	uint64_t told_tsc;       /* when a message about it was last believed; 0 = never */
	uint64_t told_mtu;       /* what it told */
};

struct sl_sa_index {
	uint32_t *head;          /* [SL_MAX_SAS] */
	struct sl_sa_note *note; /* [SL_MAX_SAS] by row */
	uint64_t next_tick_ns;
	uint64_t secret;
};

/* 0, or -1: no memory. `secret` is random. */
int sl_sa_index_init(struct sl_sa_index *index, uint64_t secret);
void sl_sa_index_free(struct sl_sa_index *index);

/* Enter row `id`, which has sent up to `last_sequence`, if it is an SA of the VPN; in the place of what it was. */
void sl_sa_index_enter(struct sl_sa_index *index, uint32_t id, const struct sl_sa_row *row,
                       uint64_t last_sequence);
void sl_sa_index_leave(struct sl_sa_index *index, uint32_t id);

/* Every SL_SENT_TICK_NS: what rows 1..rows-1 of `state` have sent so far is what they had sent before. */
void sl_sa_index_tick(struct sl_sa_index *index, const struct sl_state *state, uint32_t rows,
                      uint64_t now_ns);

/* Row of the SA with this SPI to `destination` (4 or 16 bytes) whose key is ready; 0 = none. */
uint32_t sl_sa_index_find(const struct sl_sa_index *index, const struct sl_tables *tables,
                          const struct sl_state *state, uint32_t spi, uint8_t family,
                          const uint8_t *destination);

/* Has row `id`, whose last sequence number is `last`, sent the one whose lower half is `sequence` of late? */
static inline int sl_sa_sent_recently(const struct sl_sa_index *index, uint32_t id, uint64_t last,
                                      uint32_t sequence)
{
	uint32_t since =
		(uint32_t)last - sequence; /* sent after it; one of the future is far back */
	uint64_t before = __atomic_load_n(&index->note[id].sent_before[1], __ATOMIC_RELAXED);

	return since < SL_SENT_RECENTLY && since < last && last - since > before;
}

#endif
