/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decrypt and check, in the order of RFC 4303 3.4: integrity, replay window, padding; then what
 * RFC 4301 5.2 asks for: is what came out what the SA was negotiated for (policy-model 17)?
 */
#include "esp/suite.h"
#include "stages/plain_open.h"

/* ICV and window. */
static enum sl_drop_reason authenticate(struct sl_worker *w, struct rte_mbuf *m,
                                        const struct sl_packet *p, const uint8_t *esp)
{
	struct sl_sa_in_state *state = &w->state->sa_in[p->sa];

	if (unlikely(!p->opened)) {
		state->auth_failed++;
		return SL_DROP_esp_auth_failed;
	}
	if (unlikely(!sl_replay_update(state, w->tables->sa_in[p->sa].replay_window,
	                               (uint64_t)p->sequence_high << 32 | sl_esp_sequence(esp)))) {
		state->replayed++;
		return SL_DROP_esp_replayed;
	}
	state->packets++;
	state->bytes += sl_l3_len(m, p);
	return SL_DROP_none;
}

#define SL_TCP_LEN 20u /* without options */

/* An SA of BGP yields TCP with the ports it was negotiated for, 179 one of them: never a label. */
static enum sl_drop_reason select_tcp(struct sl_worker *w, const struct sl_sa_row *row,
                                      struct sl_packet *p, const struct sl_esp_trailer *trailer,
                                      const uint8_t *tcp)
{
	uint16_t source, destination;

	if (trailer->next_header != SL_PROTO_TCP || row->selector_protocol != SL_PROTO_TCP ||
	    trailer->payload_len < SL_TCP_LEN)
		return SL_DROP_esp_selector;
	source = sl_get16(tcp);
	destination = sl_get16(tcp + 2);
	if ((row->source_port != 0 && source != row->source_port) ||
	    (row->destination_port != 0 && destination != row->destination_port) ||
	    (source != SL_PORT_BGP && destination != SL_PORT_BGP))
		return SL_DROP_esp_selector;
	p->lane = SL_LANE_TCP;
	w->opened_tcp = true;
	return SL_DROP_none;
}

/* What a path MTU probe says first; a dummy packet of anybody else's begins with anything. */
#define SL_PROBE_ROUND_LEN 4u

/* A dummy packet (RFC 4303 2.6): nobody's data, but the other end may want to know how large it was when it came. */
static enum sl_drop_reason note_dummy(struct sl_worker *w, const struct sl_packet *p,
                                      const struct sl_esp_trailer *trailer, const uint8_t *payload,
                                      uint32_t bytes)
{
	struct sl_sa_in_state *state = &w->state->sa_in[p->sa];
	uint32_t round;

	if (trailer->payload_len < SL_PROBE_ROUND_LEN)
		return SL_DROP_esp_dummy;
	round = sl_get32(payload);
	if (sl_probe_seen_round(state->probe) != round || sl_probe_seen_bytes(state->probe) < bytes)
		__atomic_store_n(&state->probe, sl_probe_seen(round, bytes), __ATOMIC_RELEASE);
	return SL_DROP_esp_dummy;
}

/* Application and selectors; notes what the label lookup is told about the packet. */
static enum sl_drop_reason select_lane(struct sl_worker *w, struct sl_packet *p,
                                       const struct sl_esp_trailer *trailer, const uint8_t *payload,
                                       uint32_t bytes)
{
	const struct sl_sa_row *row = &w->tables->sa_in[p->sa];
	uint8_t next_header = trailer->next_header;

	if (unlikely(next_header == SL_PROTO_NONE))
		return note_dummy(w, p, trailer, payload, bytes);
	if (row->application == SL_APP_BGP)
		return select_tcp(w, row, p, trailer, payload);
	if (row->application != SL_APP_VPN)
		return SL_DROP_esp_application;
	if (next_header != row->selector_protocol ||
	    (next_header != SL_PROTO_GRE && next_header != SL_PROTO_MPLS))
		return SL_DROP_esp_selector;
	p->arrival.protection = row->protection;
	p->arrival.encap = next_header == SL_PROTO_GRE ? SL_ENCAP_GRE : SL_ENCAP_IP;
	p->arrival.sp_table = row->sp_table;
	p->arrival.labelled = 1;
	p->lane = next_header == SL_PROTO_GRE ? SL_LANE_GRE : SL_LANE_MPLS;
	return SL_DROP_none;
}

static bool open_packet(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p)
{
	const uint8_t *esp = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->upper_offset);
	uint16_t front = p->key->front_len;
	size_t length = (size_t)m->data_len - p->upper_offset - front - p->key->icv_len;
	struct sl_esp_trailer trailer;
	enum sl_drop_reason reason = authenticate(w, m, p, esp);

	if (unlikely(reason != SL_DROP_none))
		goto drop;
	reason = SL_DROP_esp_padding;
	if (unlikely(!sl_esp_read_trailer(esp + front, length, &trailer)))
		goto drop;
	reason = select_lane(w, p, &trailer, esp + front, sl_l3_len(m, p));
	if (unlikely(reason != SL_DROP_none))
		goto drop;
	p->leaf = SL_LEAF_NONE; /* takes the key's place again */
	p->upper_offset = (uint16_t)(p->upper_offset + front);
	sl_end_at(m, (uint16_t)(p->upper_offset + trailer.payload_len));
	return true;
drop:
	sl_drop(w, m, reason);
	return false;
}

/* Those of special keys, together and beforehand. */
static void open_special(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	struct sl_esp_job jobs[SL_ESP_JOBS_MAX];
	struct sl_packet *notes[SL_ESP_JOBS_MAX];
	unsigned int count = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct sl_packet *p = sl_packet(packets[i]);

		if (p->lane != SL_LANE_SEALED || !p->key->special)
			continue;
		notes[count] = p;
		jobs[count++] = (struct sl_esp_job){
			.key = p->key,
			.esp = rte_pktmbuf_mtod_offset(packets[i], uint8_t *, p->upper_offset),
			.length = (size_t)packets[i]->data_len - p->upper_offset -
		                  p->key->front_len - p->key->icv_len,
			.high = p->sequence_high,
		};
	}
	sl_esp_open_jobs(w->crypto, jobs, count);
	for (unsigned int i = 0; i < count; i++)
		notes[i]->opened = jobs[i].done;
	w->special_keys = false;
}

/* Decrypt those of ordinary keys: all of them before what came out of the first is read, for that would wait. */
static void decrypt(struct rte_mbuf **packets, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct sl_packet *p = sl_packet(packets[i]);
		uint8_t *esp = rte_pktmbuf_mtod_offset(packets[i], uint8_t *, p->upper_offset);

		if (p->lane == SL_LANE_SEALED && likely(!p->key->special))
			p->opened = sl_esp_open(p->key, esp,
			                        (size_t)packets[i]->data_len - p->upper_offset -
			                                SL_ESP_FRONT_LEN - SL_ESP_ICV_LEN,
			                        p->nonce);
	}
}

uint16_t sl_stage_esp_open(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	struct sl_label_run label = {.label = 0};
	struct sl_open_run run = {.key = NULL};
	uint32_t lanes = 0;
	uint16_t kept = 0;

	if (unlikely(w->special_keys))
		open_special(w, packets, n);
	decrypt(packets, n);
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = packets[i];
		struct sl_packet *p = sl_packet(m);

		if (p->lane == SL_LANE_SEALED &&
		    !(SL_PLAIN && likely(sl_open_plain(w, m, p, &run, &label))) &&
		    !open_packet(w, m, p))
			continue;
		lanes |= 1u << p->lane;
		packets[kept++] = m;
	}
	w->lanes = lanes;
	sl_label_run_count(w, &label);
	return kept;
}
