/* SPDX-License-Identifier: Apache-2.0 */
/* The inbound SA of an ESP packet: by SPI, the outer addresses compared, the replay window asked. */
#include "esp/esp.h"
#include "esp/replay.h"
#include "esp/suite.h"
#include "sealane/fib.h"
#include "stages/packet.h"
#include "stages/pass.h"
#include "stages/sa_prefetch.h"
#include "stages/stage.h"

/* Is the packet for an address of ours in the core's table? Asked about packets no SA claims. */
static bool is_for_us(const struct sl_worker *w, struct rte_mbuf *m, const struct sl_packet *p)
{
	const uint8_t *ip = sl_l3(m, p);
	uint32_t root = sl_fib_root(w->tables, SL_VRF_CORE, p->family);
	uint64_t leaf = p->family == 4 ? sl_fib4_lookup(w->tables, root, sl_get32(ip + 16))
	                               : sl_fib6_lookup(w->tables, root, ip + 24);
	const struct sl_version_row *version =
		&w->tables->version[sl_nexthop_active(w, sl_leaf_nexthop(leaf))];

	return leaf != SL_LEAF_NONE && !sl_leaf_is_group(leaf) && version->kind == SL_NH_RECEIVE &&
	       version->vrf == SL_VRF_CORE;
}

static bool same_addresses(const struct sl_sa_row *row, const uint8_t *ip, uint8_t family)
{
	if (row->family != family)
		return false;
	if (family == 4)
		return memcmp(row->source, ip + 12, 4) == 0 &&
		       memcmp(row->destination, ip + 16, 4) == 0;
	return memcmp(row->source, ip + 8, 16) == 0 && memcmp(row->destination, ip + 24, 16) == 0;
}

/* The SA of the packet before: mostly the next one's too. */
struct run {
	const struct sl_sa_row *row;
	const struct sl_sa_key *key; /* NULL = not ready */
	struct sl_sa_in_state *state;
	uint32_t id; /* 0 = no SA has this SPI */
	uint32_t spi;
	bool begun;
	uint16_t runs; /* of this burst */
};

/* Is the SA of row `id` installed, and the key the one of its present generation? */
static const struct sl_sa_key *ready_key(const struct sl_worker *w, uint32_t id)
{
	uint64_t generation = __atomic_load_n(&w->tables->sa_in[id].generation, __ATOMIC_ACQUIRE);

	if (unlikely(generation == 0 || __atomic_load_n(&w->state->sa_in[id].ready_generation,
	                                                __ATOMIC_ACQUIRE) != generation))
		return NULL;
	return __atomic_load_n(&w->keys_in[id], __ATOMIC_ACQUIRE);
}

static uint32_t row_of(const struct sl_worker *w, uint32_t spi)
{
	return __atomic_load_n(&w->tables->spi[spi & (SL_SPI_SLOTS - 1)], __ATOMIC_ACQUIRE) &
	       (SL_MAX_SAS - 1);
}

static void find_spi(const struct sl_worker *w, uint32_t spi, struct run *run)
{
	uint32_t id = row_of(w, spi);

	*run = (struct run){.spi = spi,
	                    .runs = (uint16_t)(run->runs + 1),
	                    .begun = true,
	                    .row = &w->tables->sa_in[id],
	                    .state = &w->state->sa_in[id]};
	if (id == 0 || run->row->spi != spi)
		return;
	run->id = id;
	run->key = ready_key(w, id);
	if (run->key != NULL)
		rte_prefetch0(&run->key->gcm);
}

/* Whether a packet of a special key has the length that its suite wants (RFC 4303 2.4). */
static bool has_its_length(const struct rte_mbuf *m, const struct sl_packet *p,
                           const struct sl_sa_key *key)
{
	size_t around = (size_t)p->upper_offset + key->front_len + key->icv_len;

	return m->data_len >= around + SL_ESP_TRAILER_MIN &&
	       ((m->data_len - around) & (key->align - 1u)) == 0;
}

/* The special part of find_sa(): lengths, and the whole sequence number. */
static enum sl_drop_reason find_special(struct sl_worker *w, const struct rte_mbuf *m,
                                        const struct sl_packet *p, const struct run *run,
                                        uint64_t *sequence)
{
	if (unlikely(!has_its_length(m, p, run->key)))
		return SL_DROP_esp_truncated;
	if (run->key->esn &&
	    unlikely(!sl_esn_guess(run->state->highest_sequence, run->row->replay_window,
	                           (uint32_t)*sequence, sequence)))
		return SL_DROP_esp_replayed;
	w->special_keys = true;
	return SL_DROP_none;
}

/* Note the SA and its key, the replay window permitting. SL_PASSED: another thread does. */
static enum sl_drop_reason find_sa(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p,
                                   struct run *run)
{
	const uint8_t *esp = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->upper_offset);
	enum sl_drop_reason reason;
	uint64_t sequence;

	if (unlikely(m->data_len < p->upper_offset + SL_ESP_LEAST_LEN))
		return SL_DROP_esp_truncated;
	if (unlikely(sl_esp_spi(esp) != run->spi || !run->begun))
		find_spi(w, sl_esp_spi(esp), run);
	if (unlikely(run->id == 0))
		return SL_DROP_esp_unknown_spi;
	if (unlikely(!same_addresses(run->row, sl_l3(m, p), p->family)))
		return SL_DROP_esp_outer_address;
	if (unlikely(run->key == NULL))
		return SL_DROP_esp_not_ready;
	if (unlikely((run->row->udp_source_port != 0) != (p->in_udp != 0)))
		return SL_DROP_esp_udp;
	if (unlikely(run->key->owner != w->index)) { /* whose the window is */
		sl_pass(w, m, run->key->owner, SL_LANE_ESP);
		return SL_PASSED;
	}
	sequence = sl_esp_sequence(esp);
	if (unlikely(run->key->special)) {
		reason = find_special(w, m, p, run, &sequence);
		if (reason != SL_DROP_none)
			return reason;
	} else if (unlikely(m->data_len < p->upper_offset + SL_ESP_MIN_LEN)) {
		return SL_DROP_esp_truncated;
	}
	if (unlikely(!sl_replay_check(run->state, run->row->replay_window, sequence))) {
		run->state->replayed++;
		return SL_DROP_esp_replayed;
	}
	p->sa = run->id;
	p->key = run->key;
	p->sequence_high = (uint32_t)(sequence >> 32);
	sl_esp_read_nonce(esp, run->key->salt, p->nonce);
	return SL_DROP_none;
}

static inline bool admit(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p,
                         struct run *run)
{
	enum sl_drop_reason reason = find_sa(w, m, p, run);

	if (likely(reason == SL_DROP_none))
		return true;
	if (reason != SL_PASSED)
		sl_drop(w, m, is_for_us(w, m, p) ? reason : SL_DROP_core_transit);
	return false;
}

/*
 * A burst of many peers, as the one before it was: everything of their SAs is asked for before any is waited for. What
 * is fetched is only ever looked at by find_sa().
 */
static void fetch_sas(const struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	struct {
		uint32_t spi, sequence, id;
	} fetched[SL_BURST];
	uint16_t count = 0;

	for (uint16_t i = 0; i < n; i++) {
		const struct sl_packet *p = sl_packet(packets[i]);
		const uint8_t *esp =
			rte_pktmbuf_mtod_offset(packets[i], const uint8_t *, p->upper_offset);

		if (p->lane != SL_LANE_ESP ||
		    packets[i]->data_len < p->upper_offset + SL_ESP_HEADER_LEN)
			continue;
		fetched[count].spi = sl_esp_spi(esp);
		fetched[count].sequence = sl_esp_sequence(esp);
		rte_prefetch0(&w->tables->spi[fetched[count++].spi & (SL_SPI_SLOTS - 1)]);
	}
	for (uint16_t i = 0; i < count; i++) {
		fetched[i].id = row_of(w, fetched[i].spi);
		sl_prefetch_sa_in(w, fetched[i].id, fetched[i].sequence);
	}
	for (uint16_t i = 0; i < count; i++)
		sl_prefetch_key(w->keys_in, fetched[i].id);
}

uint16_t sl_stage_esp_sa(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	struct run run = {.begun = false};
	uint16_t kept = 0;

	if (unlikely(w->sa_runs > 1))
		fetch_sas(w, packets, n);
	for (uint16_t i = 0; i < n; i++) {
		struct sl_packet *p = sl_packet(packets[i]);

		if (p->lane != SL_LANE_ESP || admit(w, packets[i], p, &run))
			packets[kept++] = packets[i];
	}
	w->sa_runs = run.runs;
	return kept;
}
