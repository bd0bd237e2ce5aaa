/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of an SA will be needed some stages on, fetched for a whole burst at once: with thousands of SAs none of it is
 * in the cache, and waiting for a dozen lines one after the other takes many times as long as the rest of the path.
 */
#ifndef SEALANE_STAGES_SA_PREFETCH_H
#define SEALANE_STAGES_SA_PREFETCH_H

#include <rte_prefetch.h>

#include "esp/sa_key.h"
#include "worker.h"

#define SL_LINE 64u

/* Row, counters and the place of the key's address of an outbound SA; 0, which is none, does no harm. */
static inline void sl_prefetch_sa_out(const struct sl_worker *w, uint32_t sa)
{
	const struct sl_sa_row *row = &w->tables->sa_out[sa & (SL_MAX_SAS - 1)];

	rte_prefetch0(&row->generation);
	rte_prefetch0(&row->packet_limit);
	rte_prefetch0(&w->state->sa_out[sa & (SL_MAX_SAS - 1)]);
	rte_prefetch0(&w->keys_out[sa & (SL_MAX_SAS - 1)]);
}

/* The same of an inbound one, and the word of its replay window where `sequence` is. */
static inline void sl_prefetch_sa_in(const struct sl_worker *w, uint32_t sa, uint32_t sequence)
{
	const struct sl_sa_in_state *state = &w->state->sa_in[sa & (SL_MAX_SAS - 1)];

	rte_prefetch0(&w->tables->sa_in[sa & (SL_MAX_SAS - 1)]);
	rte_prefetch0(state);
	rte_prefetch0(&state->window[sequence / 64 % SL_REPLAY_WORDS]);
	rte_prefetch0(&w->keys_in[sa & (SL_MAX_SAS - 1)]);
}

/*
 * The key of a row, as long as a short packet needs it: round keys, the first powers of the hash key, and what is
 * behind them. `keys`: of the worker, by direction.
 */
static inline void sl_prefetch_key(struct sl_sa_key *const *keys, uint32_t sa)
{
	const struct sl_sa_key *key =
		__atomic_load_n(&keys[sa & (SL_MAX_SAS - 1)], __ATOMIC_RELAXED);

	if (key == NULL)
		return;
	for (unsigned int at = 0; at < 8 * SL_LINE; at += SL_LINE)
		rte_prefetch0((const uint8_t *)key + at);
	rte_prefetch0(&key->seal);
}

#endif
