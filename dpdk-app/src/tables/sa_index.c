/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/sa_index.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* More rows of one chain are not looked at. Peers cannot bring it about; a reader that meets a change may. */
#define SL_CHAIN_MAX 32u

int sl_sa_index_init(struct sl_sa_index *index, uint64_t secret)
{
	*index = (struct sl_sa_index){.secret = secret};
	index->head = calloc(SL_MAX_SAS, sizeof(*index->head));
	index->note = calloc(SL_MAX_SAS, sizeof(*index->note));
	return index->head == NULL || index->note == NULL ? -1 : 0;
}

void sl_sa_index_free(struct sl_sa_index *index)
{
	free(index->head);
	free(index->note);
	*index = (struct sl_sa_index){0};
}

static size_t address_len(uint8_t family) { return family == 4 ? 4 : 16; }

/* The finalizer of MurmurHash3 over the secret and each word. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash ^= word;
	hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdull;
	hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53ull;
	return hash ^ hash >> 33;
}

static uint32_t chain_of(const struct sl_sa_index *index, uint32_t spi, uint8_t family,
                         const uint8_t *destination)
{
	uint64_t words[2] = {0};

	memcpy(words, destination, address_len(family));
	return (uint32_t)mix(mix(mix(index->secret, spi), words[0]), words[1]) & (SL_MAX_SAS - 1);
}

static uint32_t load(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
/* NOLINTNEXTLINE(readability-non-const-parameter): the builtin writes to it */
static void store(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}
/* NOLINTNEXTLINE(readability-non-const-parameter): the builtin writes to it */
static void store64(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

void sl_sa_index_leave(struct sl_sa_index *index, uint32_t id)
{
	struct sl_sa_note *note = &index->note[id];
	uint32_t *link;

	if (note->chain == 0)
		return;
	for (link = &index->head[note->chain - 1]; *link != id; link = &index->note[*link].next)
		;
	store(link, note->next);
	note->chain = 0;
}

void sl_sa_index_enter(struct sl_sa_index *index, uint32_t id, const struct sl_sa_row *row,
                       uint64_t last_sequence)
{
	struct sl_sa_note *note = &index->note[id];
	uint32_t chain = chain_of(index, row->spi, row->family, row->destination);

	sl_sa_index_leave(index, id);
	if (row->application != SL_APP_VPN)
		return;
	store64(&note->sent_before[0], last_sequence);
	store64(&note->sent_before[1], last_sequence);
	store64(&note->told_tsc, 0);
	store64(&note->told_mtu, 0);
	note->chain = chain + 1;
	store(&note->next, index->head[chain]);
	store(&index->head[chain], id);
}

void sl_sa_index_tick(struct sl_sa_index *index, const struct sl_state *state, uint32_t rows,
                      uint64_t now_ns)
{
	if (now_ns < index->next_tick_ns)
		return;
	index->next_tick_ns = now_ns + SL_SENT_TICK_NS;
	for (uint32_t id = 1; id < rows && id < SL_MAX_SAS; id++) {
		struct sl_sa_note *note = &index->note[id];

		if (note->chain == 0)
			continue;
		store64(&note->sent_before[1], note->sent_before[0]);
		store64(&note->sent_before[0],
		        __atomic_load_n(&state->sa_out[id].last_sequence, __ATOMIC_RELAXED));
	}
}

/* A row of which the key is ready; a row that is being written anew has another generation, or none. */
static bool is_that(const struct sl_sa_row *row, const struct sl_sa_out_state *state, uint32_t spi,
                    uint8_t family, const uint8_t *destination)
{
	uint64_t generation = __atomic_load_n(&row->generation, __ATOMIC_ACQUIRE);
	bool same = row->spi == spi && row->family == family &&
	            memcmp(row->destination, destination, address_len(family)) == 0;

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return same && generation != 0 &&
	       __atomic_load_n(&row->generation, __ATOMIC_RELAXED) == generation &&
	       __atomic_load_n(&state->ready_generation, __ATOMIC_ACQUIRE) == generation;
}

uint32_t sl_sa_index_find(const struct sl_sa_index *index, const struct sl_tables *tables,
                          const struct sl_state *state, uint32_t spi, uint8_t family,
                          const uint8_t *destination)
{
	uint32_t id = load(&index->head[chain_of(index, spi, family, destination)]);

	for (unsigned int i = 0; id != 0 && i < SL_CHAIN_MAX; i++) {
		if (is_that(&tables->sa_out[id], &state->sa_out[id], spi, family, destination))
			return id;
		id = load(&index->note[id].next);
	}
	return 0;
}
