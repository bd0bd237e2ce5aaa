/* SPDX-License-Identifier: Apache-2.0 */
/* What esp_open.c does to nearly every packet that it has decrypted: esp_open, decap and label in one go. */
#ifndef SEALANE_STAGES_PLAIN_OPEN_H
#define SEALANE_STAGES_PLAIN_OPEN_H

#include "esp/esp.h"
#include "esp/replay.h"
#include "net/gre.h"
#include "stages/label_run.h"

/* The SA of the packet before. */
struct sl_open_run {
	const struct sl_sa_key *key; /* NULL = none yet */
	struct sl_sa_in_state *state;
	uint32_t window;
	struct sl_arrival arrival; /* of packets out of it */
	uint64_t arrival_key;
	bool plain; /* carries GRE, in AES-GCM or AES-GMAC */
};

static inline void sl_open_run_begin(const struct sl_worker *w, const struct sl_packet *p,
                                     struct sl_open_run *run)
{
	const struct sl_sa_row *row = &w->tables->sa_in[p->sa];

	run->key = p->key;
	run->state = &w->state->sa_in[p->sa];
	run->window = row->replay_window;
	run->arrival = (struct sl_arrival){.protection = row->protection,
	                                   .encap = SL_ENCAP_GRE,
	                                   .sp_table = row->sp_table,
	                                   .labelled = 1};
	run->arrival_key = sl_arrival_key(&(struct sl_packet){.arrival = run->arrival});
	run->plain = row->application == SL_APP_VPN && row->selector_protocol == SL_PROTO_GRE &&
	             !p->key->special;
}

#define SL_PLAIN_MIN (SL_GRE_LEN + SL_MPLS_LEN + SL_IP4_LEN + SL_ESP_TRAILER_MIN)

/*
 * What nearly every opened packet is, done in one go: GRE around one label and IPv4. False: nothing has been done, and
 * esp_open.c and the stages decap and label say what it is.
 */
static __rte_always_inline bool sl_open_plain(struct sl_worker *w, struct rte_mbuf *m,
                                              struct sl_packet *p, struct sl_open_run *run,
                                              struct sl_label_run *label)
{
	uint32_t offset = (uint32_t)p->upper_offset + SL_ESP_FRONT_LEN, total;
	uint32_t length = m->data_len - offset - SL_ESP_ICV_LEN, padding;
	const uint8_t *payload = rte_pktmbuf_mtod_offset(m, const uint8_t *, offset);

	if (unlikely(p->key != run->key))
		sl_open_run_begin(w, p, run);
	if (unlikely(!run->plain || !p->opened || length < SL_PLAIN_MIN))
		return false;
	padding = sl_esp_short_padding(payload + length);
	if (unlikely(padding > SL_ESP_SHORT_PADDING || payload[length - 1] != SL_PROTO_GRE ||
	             !sl_gre_is_mpls(payload)))
		return false;
	p->arrival = run->arrival;
	total = sl_label_plain(w, m, p, payload + SL_GRE_LEN,
	                       length - SL_ESP_TRAILER_MIN - padding - SL_GRE_LEN, run->arrival_key,
	                       label);
	if (unlikely(total == 0) ||
	    unlikely(!sl_replay_update(run->state, run->window,
	                               sl_esp_sequence(payload - SL_ESP_FRONT_LEN)))) {
		p->arrival = (struct sl_arrival){0};
		return false;
	}
	run->state->packets++;
	run->state->bytes += sl_l3_len(m, p);
	sl_label_pop_plain(m, p, payload + SL_GRE_LEN, offset + SL_GRE_LEN, total, label);
	return true;
}

#endif
