/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BGP of the kernel inside its own SA (policy-model 18), outbound:
 *
 *   from a core interface's TAP   | Ethernet | IP | TCP |
 *   to its port                   | Ethernet | IP | ESP, IV | TCP | padding, trailer | ICV room |
 *
 * What a host policy names leaves so or not at all. Encryption follows in esp_seal.c. What arrives in
 * clear is judged in host_clear.c; what arrives inside an SA is host_tcp.c's.
 */
#include "tables/host_policy.h"

#include "esp/esp.h"
#include "esp/sequence.h"
#include "net/eth.h"
#include "stages/ip_header.h"
#include "stages/pass.h"
#include "stages/stage.h"

/* The outer header of what has become ESP; `ip` has no extension headers. */
static void finish_ip(uint8_t *ip, uint8_t family, uint16_t length)
{
	if (family == 6) {
		sl_put16(ip + 4, (uint16_t)(length - SL_IP6_LEN));
		ip[6] = SL_PROTO_ESP;
		return;
	}
	sl_put16(ip + 2, length);
	/* the other end takes no fragments, whatever the socket asked for */
	sl_put16(ip + 6, SL_IP4_DF);
	ip[9] = SL_PROTO_ESP;
	sl_put16(ip + 10, 0);
	sl_put16(ip + 10, (uint16_t)~sl_sum_fold(sl_sum(ip, sl_ip4_header_len(ip), 0)));
}

/* The key of an SA of BGP, in the generation that the policy names; NULL: not ready. */
static const struct sl_sa_key *key_of(const struct sl_worker *w, uint32_t id, uint64_t generation)
{
	const struct sl_sa_row *row = &w->tables->sa_out[id];
	const struct sl_sa_key *key = __atomic_load_n(&w->keys_out[id], __ATOMIC_ACQUIRE);

	if (unlikely(key == NULL || row->application != SL_APP_BGP ||
	             __atomic_load_n(&row->generation, __ATOMIC_ACQUIRE) != generation ||
	             __atomic_load_n(&w->state->sa_out[id].ready_generation, __ATOMIC_ACQUIRE) !=
	                     generation))
		return NULL;
	return key;
}

/* Write ESP header, IV and trailer around the segment that was at `upper`; make room for the ICV. */
static void lay_out(struct rte_mbuf *m, struct sl_packet *p, const struct sl_sa_key *key,
                    uint64_t sequence, uint16_t upper)
{
	unsigned int payload = m->data_len - upper;
	unsigned int trailer = sl_esp_trailer_len(payload, key->align);
	uint8_t *frame;

	m->data_off = (uint16_t)(m->data_off - key->front_len);
	sl_end_at(m, (uint16_t)(m->data_len + key->front_len + trailer + key->icv_len));
	frame = rte_pktmbuf_mtod(m, uint8_t *);
	memmove(frame, frame + key->front_len, upper);
	finish_ip(frame + p->l3_offset, p->family, sl_l3_len(m, p));
	if (key->special) {
		p->sequence_high = key->esn ? (uint32_t)(sequence >> 32) : 0;
		sl_esp_write_number(key, frame + upper, sequence);
	} else {
		sl_esp_write_sequence(frame + upper, sequence, key->salt, p->nonce);
	}
	sl_esp_write_trailer(frame + upper + key->front_len + payload, trailer, SL_PROTO_TCP);
}

/* Lay the segment at `upper` out for the SA of `word`, all but the encryption. */
static enum sl_drop_reason protect(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p,
                                   uint64_t word, uint16_t upper)
{
	uint32_t id = sl_host_sa_row(word), behind, more;
	const struct sl_sa_row *row = &w->tables->sa_out[id];
	const struct sl_sa_key *key = key_of(w, id, sl_host_sa_generation(word));
	struct sl_sa_out_state *state = &w->state->sa_out[id];
	uint64_t sequence;

	if (unlikely(word == 0))
		return SL_DROP_host_policy_no_sa;
	if (unlikely(key == NULL))
		return SL_DROP_sa_not_ready;
	if (unlikely(key->owner != w->index)) {
		sl_pass(w, m, key->owner, SL_LANE_HOST);
		return SL_PASSED;
	}
	behind = sl_esp_trailer_len(m->data_len - upper, key->align) + key->icv_len;
	more = key->front_len + behind;
	/* the socket's segment size leaves room; what has another one is not the speaker's */
	if (unlikely(sl_l3_len(m, p) + more > sl_interface(w, p->interface)->mtu))
		return SL_DROP_mtu_exceeded;
	if (unlikely(m->data_off < key->front_len || rte_pktmbuf_tailroom(m) < behind))
		return SL_DROP_no_mbuf;
	if (unlikely(sl_esp_byte_room(state, row, 1, sl_l3_len(m, p) + more) == 0 ||
	             sl_esp_reserve(state, sl_esp_last_sequence(row), 1, &sequence) == 0))
		return SL_DROP_sa_exhausted;
	lay_out(m, p, key, sequence, upper);
	sl_put32(rte_pktmbuf_mtod_offset(m, uint8_t *, upper), row->spi);
	p->key = key;
	p->sa = id;
	p->upper_offset = upper;
	state->packets++;
	state->bytes += sl_l3_len(m, p);
	return SL_DROP_none;
}

/* A frame from the kernel: in clear as it is, laid out for its SA, or why neither; SL_PASSED: another thread does. */
static enum sl_drop_reason judge(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p)
{
	const struct sl_host_policy_row *policy;
	struct sl_upper upper;
	struct sl_eth eth;
	bool walked;

	if (m->nb_segs != 1 || !sl_eth_parse(rte_pktmbuf_mtod(m, uint8_t *), m->data_len, &eth) ||
	    (eth.type != SL_ETHERTYPE_IP4 && eth.type != SL_ETHERTYPE_IP6))
		return SL_DROP_none;
	p->family = eth.type == SL_ETHERTYPE_IP4 ? 4 : 6;
	p->l3_offset = eth.length;
	if (sl_check_ip(m, p) != SL_DROP_none)
		return SL_DROP_none;
	policy = sl_host_policy_of(w->tables, p->family, sl_l3(m, p), true);
	if (likely(policy == NULL))
		return SL_DROP_none;
	walked = sl_find_upper(m, p, &upper);
	if (walked && upper.protocol != policy->protocol)
		return SL_DROP_none;
	if (!walked || upper.fragment || m->data_len < upper.offset + SL_TCP_PORTS_LEN ||
	    (p->family == 6 && upper.offset != p->l3_offset + SL_IP6_LEN))
		return SL_DROP_host_policy_fragment;
	const uint8_t *tcp = rte_pktmbuf_mtod_offset(m, const uint8_t *, upper.offset);

	if (!sl_host_policy_has_port(policy, tcp))
		return SL_DROP_none;
	return protect(w, m, p, sl_host_policy_sa(policy, tcp), upper.offset);
}

uint16_t sl_stage_host_policy(struct sl_worker *w, struct rte_mbuf **frames, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct sl_packet *p = sl_packet(frames[i]);
		enum sl_drop_reason reason = SL_DROP_none;

		p->sa = 0;
		if (sl_interface(w, p->interface)->role == SL_ROLE_CORE)
			reason = judge(w, frames[i], p);
		if (likely(reason == SL_DROP_none))
			frames[kept++] = frames[i];
		else if (reason != SL_PASSED)
			sl_drop(w, frames[i], reason);
	}
	return kept;
}
