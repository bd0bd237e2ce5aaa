/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of SAs and tunnels will be needed some stages on, fetched for a whole burst at once: with thousands of them none of it
 * is in the cache, and waiting for a dozen lines one after the other takes many times as long as the rest of the path.
 */
#ifndef SEALANE_STAGES_FETCH_H
#define SEALANE_STAGES_FETCH_H

#include <rte_prefetch.h>

#include "esp/sa_key.h"
#include "worker.h"

#define SL_LINE 64u

/*
 * By loads, of which many are under way at once as nothing depends on them. Prefetches were dropped by the dozen where so
 * many lines were asked for (Zen 4): AES-GCM with 65,536 SAs took half as long again (docs/adr/0036-plain-packets.md).
 */
static inline void sl_touch(const void *at)
{
#ifdef __SANITIZE_THREAD__ /* decides nothing, so it may race */
	rte_prefetch0(at);
#else
	(void)*(const volatile uint8_t *)at;
#endif
}

/* Both halves of a next-hop version that are asked for on the way out. */
static inline void sl_fetch_version(const struct sl_worker *w, uint32_t version)
{
	sl_touch(&w->tables->version[version]);
	sl_touch(w->tables->version[version].template_bytes);
}

/* Bytes of powers of the hash key, in AES-GCM's, with VAES and AVX-512: the highest power first. */
#define SL_GCM_POWERS_BYTES (48u * 16u)

/*
 * What a packet of `bytes` needs of a key: round keys, the powers of the hash key, one for each block (up to 48), and
 * what is behind them. ipsec-mb has eight powers, the lowest first, where the CPU lacks VAES and AVX-512.
 */
static inline void sl_fetch_key(const struct sl_worker *w, const struct sl_sa_key *key,
                                uint32_t bytes)
{
	const bool highest_first =
		(w->crypto->features & IMB_CPUFLAGS_AVX512_T2) == IMB_CPUFLAGS_AVX512_T2;
	const uint8_t *at = (const uint8_t *)key;
	uint32_t powers = RTE_MIN((bytes + 31) & ~15u, SL_GCM_POWERS_BYTES);
	uint32_t from = (uint32_t)sizeof(key->gcm) - powers;

	sl_touch(&key->seal);
	for (uint32_t line = 0; line < (highest_first ? 3 : 8); line++)
		sl_touch(at + (size_t)line * SL_LINE);
	if (!highest_first)
		return;
	for (uint32_t line = from / SL_LINE; line <= (sizeof(key->gcm) - 1) / SL_LINE; line++)
		sl_touch(at + (size_t)line * SL_LINE);
}

/*
 * Row, counters and key of an outbound SA. Only of one that has a key: memory for the others may not be there yet, which a
 * prefetch would not mind.
 */
static inline void sl_fetch_sa_out(const struct sl_worker *w, uint32_t sa, uint32_t bytes)
{
	const struct sl_sa_row *row = &w->tables->sa_out[sa & (SL_MAX_SAS - 1)];
	const struct sl_sa_key *key =
		__atomic_load_n(&w->keys_out[sa & (SL_MAX_SAS - 1)], __ATOMIC_ACQUIRE);

	if (key == NULL)
		return;
	sl_touch(&row->generation);
	sl_touch(&row->packet_limit);
	sl_touch(&w->state->sa_out[sa & (SL_MAX_SAS - 1)]);
	sl_fetch_key(w, key, bytes);
}

/* The same of an inbound one, and the word of its replay window where `sequence` is. */
static inline void sl_fetch_sa_in(const struct sl_worker *w, uint32_t sa, uint32_t sequence,
                                  uint32_t bytes)
{
	const struct sl_sa_in_state *state = &w->state->sa_in[sa & (SL_MAX_SAS - 1)];
	const struct sl_sa_key *key =
		__atomic_load_n(&w->keys_in[sa & (SL_MAX_SAS - 1)], __ATOMIC_ACQUIRE);

	if (key == NULL)
		return;
	sl_touch(&w->tables->sa_in[sa & (SL_MAX_SAS - 1)]);
	sl_touch(state);
	sl_touch(&state->window[sequence / 64 % SL_REPLAY_WORDS]);
	sl_fetch_key(w, key, bytes);
}

#endif
