/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inbound SA of an ESP packet, which is mostly that of the packet before: found once for packets that follow each
 * other. plain_rx.h asks it about nearly every packet, esp_sa.c about the others.
 */
#ifndef SEALANE_STAGES_SA_RUN_H
#define SEALANE_STAGES_SA_RUN_H

#include "esp/sa_key.h"
#include "stages/packet.h"

struct sl_sa_run {
	const struct sl_sa_row *row;
	const struct sl_sa_key *key; /* NULL = not ready */
	struct sl_sa_in_state *state;
	uint32_t id; /* 0 = no SA has this SPI */
	uint32_t spi;
	bool begun;
	/* IPv4, not in UDP, this thread's, AES-GCM or AES-GMAC without extended sequence numbers */
	bool plain;
	uint16_t runs; /* of this burst */
	uint64_t ends; /* plain: source and destination address as in the packet */
};

/* The row that the table of SPIs names; 0 = none. */
static inline uint32_t sl_sa_row_of(const struct sl_worker *w, uint32_t spi)
{
	return __atomic_load_n(&w->tables->spi[spi & (SL_SPI_SLOTS - 1)], __ATOMIC_ACQUIRE) &
	       (SL_MAX_SAS - 1);
}

/* Is the SA of row `id` installed, and the key the one of its present generation? */
static inline const struct sl_sa_key *sl_sa_ready_key(const struct sl_worker *w, uint32_t id)
{
	uint64_t generation = __atomic_load_n(&w->tables->sa_in[id].generation, __ATOMIC_ACQUIRE);

	if (unlikely(generation == 0 || __atomic_load_n(&w->state->sa_in[id].ready_generation,
	                                                __ATOMIC_ACQUIRE) != generation))
		return NULL;
	return __atomic_load_n(&w->keys_in[id], __ATOMIC_ACQUIRE);
}

static inline void sl_sa_run_begin(const struct sl_worker *w, uint32_t spi, struct sl_sa_run *run)
{
	uint32_t id = sl_sa_row_of(w, spi);
	const struct sl_sa_row *row = &w->tables->sa_in[id];

	run->row = row;
	run->key = NULL;
	run->state = &w->state->sa_in[id];
	run->id = 0;
	run->spi = spi;
	run->begun = true;
	run->plain = false;
	run->runs++;
	if (id == 0 || row->spi != spi)
		return;
	run->id = id;
	run->key = sl_sa_ready_key(w, id);
	if (run->key == NULL)
		return;
	rte_prefetch0(&run->key->gcm);
	run->plain = row->family == 4 && row->udp_source_port == 0 && !run->key->special &&
	             run->key->owner == w->index;
	memcpy(&run->ends, row->source, 4);
	memcpy((uint8_t *)&run->ends + 4, row->destination, 4);
}

#endif
