/* SPDX-License-Identifier: Apache-2.0 */
/* The inbound SA of an ESP packet: by SPI, the outer addresses compared, the replay window asked. */
#include "esp/esp.h"
#include "esp/replay.h"
#include "esp/suite.h"
#include "sealane/fib.h"
#include "stages/packet.h"
#include "stages/pass.h"
#include "stages/sa_run.h"
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
                                        const struct sl_packet *p, const struct sl_sa_run *run,
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
                                   struct sl_sa_run *run)
{
	const uint8_t *esp = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->upper_offset);
	enum sl_drop_reason reason;
	uint64_t sequence;

	if (unlikely(m->data_len < p->upper_offset + SL_ESP_LEAST_LEN))
		return SL_DROP_esp_truncated;
	if (unlikely(sl_esp_spi(esp) != run->spi || !run->begun))
		sl_sa_run_begin(w, sl_esp_spi(esp), run);
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
	p->lane = SL_LANE_SEALED;
	return SL_DROP_none;
}

static inline bool admit(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p,
                         struct sl_sa_run *run)
{
	enum sl_drop_reason reason = find_sa(w, m, p, run);

	if (likely(reason == SL_DROP_none))
		return true;
	if (reason != SL_PASSED)
		sl_drop(w, m, is_for_us(w, m, p) ? reason : SL_DROP_core_transit);
	return false;
}

uint16_t sl_stage_esp_sa(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	struct sl_sa_run run = {.begun = false};
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct sl_packet *p = sl_packet(packets[i]);

		if (p->lane != SL_LANE_ESP || admit(w, packets[i], p, &run))
			packets[kept++] = packets[i];
	}
	return kept;
}
