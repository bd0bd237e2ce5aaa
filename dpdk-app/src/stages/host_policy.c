/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BGP of the kernel inside its own SA (policy-model 18), outbound and in clear:
 *
 *   from a core interface's TAP   | Ethernet | IP | TCP |
 *   to its port                   | Ethernet | IP | ESP, IV | TCP | padding, trailer | ICV room |
 *
 * What a host policy names leaves so or not at all. Encryption follows in esp_seal.c. What arrives in
 * clear and should not is found here for local.c; what arrives inside an SA is host_tcp.c's.
 */
#include "tables/host_policy.h"

#include "esp/esp.h"
#include "esp/sequence.h"
#include "net/eth.h"
#include "stages/ip_header.h"
#include "stages/stage.h"

#define SL_TCP_PORTS_LEN 4u
#define SL_ICMP_LEN 8u

static const struct sl_host_policy_row *find(const struct sl_worker *w, const uint8_t *ip,
                                             uint8_t family, bool outbound)
{
	const uint8_t *source = ip + (family == 4 ? 12 : 8);
	const uint8_t *destination = ip + (family == 4 ? 16 : 24);

	return outbound ? sl_host_policy_find(w->tables, family, source, destination)
	                : sl_host_policy_find(w->tables, family, destination, source);
}

/* ---- Outbound ---- */

/* The outer header of what has become ESP; `ip` has no extension headers. */
static void finish_ip(uint8_t *ip, uint8_t family, uint16_t length)
{
	if (family == 6) {
		sl_put16(ip + 4, (uint16_t)(length - SL_IP6_LEN));
		ip[6] = SL_PROTO_ESP;
		return;
	}
	sl_put16(ip + 2, length);
	ip[9] = SL_PROTO_ESP;
	sl_put16(ip + 10, 0);
	sl_put16(ip + 10, (uint16_t)~sl_sum_fold(sl_sum(ip, sl_ip4_header_len(ip), 0)));
}

/* Lay the segment at `upper` out for the SA of `word`, all but the encryption. */
static enum sl_drop_reason protect(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p,
                                   uint64_t word, uint16_t upper)
{
	uint32_t id = sl_host_sa_row(word);
	const struct sl_sa_row *row = &w->tables->sa_out[id];
	const struct sl_sa_key *key = __atomic_load_n(&w->keys_out[id], __ATOMIC_ACQUIRE);
	uint64_t generation = sl_host_sa_generation(word), sequence;
	unsigned int payload = m->data_len - upper, trailer = sl_esp_trailer_len(payload);
	uint32_t more = SL_ESP_FRONT_LEN + trailer + SL_ESP_ICV_LEN;
	struct sl_sa_out_state *state = &w->state->sa_out[id];
	uint8_t *frame;

	if (unlikely(word == 0))
		return SL_DROP_host_policy_no_sa;
	if (unlikely(key == NULL || row->application != SL_APP_BGP ||
	             __atomic_load_n(&row->generation, __ATOMIC_ACQUIRE) != generation ||
	             __atomic_load_n(&state->ready_generation, __ATOMIC_ACQUIRE) != generation))
		return SL_DROP_sa_not_ready;
	/* the socket's segment size leaves room; what has another one is not the speaker's */
	if (unlikely(sl_l3_len(m, p) + more > sl_interface(w, p->interface)->mtu))
		return SL_DROP_mtu_exceeded;
	if (unlikely(m->data_off < SL_ESP_FRONT_LEN ||
	             rte_pktmbuf_tailroom(m) < trailer + SL_ESP_ICV_LEN))
		return SL_DROP_no_mbuf;
	if (unlikely(sl_esp_reserve(state, row->packet_limit, 1, &sequence) == 0))
		return SL_DROP_sa_exhausted;
	m->data_off = (uint16_t)(m->data_off - SL_ESP_FRONT_LEN);
	sl_end_at(m, (uint16_t)(m->data_len + more));
	frame = rte_pktmbuf_mtod(m, uint8_t *);
	memmove(frame, frame + SL_ESP_FRONT_LEN, upper);
	finish_ip(frame + p->l3_offset, p->family, sl_l3_len(m, p));
	sl_put32(frame + upper, row->spi);
	sl_esp_write_sequence(frame + upper, sequence, key->salt, p->nonce);
	sl_esp_write_trailer(frame + upper + SL_ESP_FRONT_LEN + payload, trailer, SL_PROTO_TCP);
	p->key = key;
	p->sa = id;
	p->upper_offset = upper;
	state->packets++;
	state->bytes += sl_l3_len(m, p);
	return SL_DROP_none;
}

/* A frame from the kernel: in clear as it is, laid out for its SA, or why neither. */
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
	policy = find(w, sl_l3(m, p), p->family, true);
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
		else
			sl_drop(w, frames[i], reason);
	}
	return kept;
}

/* ---- Inbound, in clear ---- */

/*
 * Is this the error message about a segment of a protected flow? Routers between have seen ESP alone, so
 * it is forged, and could end a connection or shrink its segments.
 */
static bool quotes_protected(const struct sl_worker *w, const uint8_t *icmp, size_t length,
                             uint8_t family)
{
	const uint8_t *ip = icmp + SL_ICMP_LEN;
	const struct sl_host_policy_row *policy;
	size_t header = family == 4 ? SL_IP4_LEN : SL_IP6_LEN;
	bool error;

	if (length < SL_ICMP_LEN + header)
		return false; /* the kernel finds no connection by it either */
	error = family == 4 ? icmp[0] == 3 || icmp[0] == 4 || icmp[0] == 5 || icmp[0] == 11 ||
	                              icmp[0] == 12
	                    : icmp[0] < 128 || icmp[0] == 137; /* 137, 5: redirects */
	policy = error ? find(w, ip, family, true) : NULL;
	if (policy == NULL)
		return false;
	if (family == 4)
		header = sl_ip4_header_len(ip);
	if ((family == 4 ? ip[9] : ip[6]) != policy->protocol)
		return family == 6 && ip[6] != SL_PROTO_ESP && ip[6] != SL_PROTO_UDP &&
		       ip[6] != SL_PROTO_ICMP6; /* TCP may be behind it */
	return length < SL_ICMP_LEN + header + SL_TCP_PORTS_LEN ||
	       sl_host_policy_has_port(policy, ip + header);
}

/* A fragment of IPv6 whose first header is an extension header: what is behind it only the kernel sees. */
static bool hides(const struct sl_packet *p, const struct sl_upper *upper)
{
	if (p->family != 6 || !upper->fragment)
		return false;
	switch (upper->protocol) {
	case SL_PROTO_HOPOPTS:
	case SL_PROTO_ROUTING:
	case SL_PROTO_FRAGMENT:
	case SL_PROTO_DSTOPTS:
		return true;
	default:
		return false;
	}
}

bool sl_host_policy_forbids(const struct sl_worker *w, struct rte_mbuf *m,
                            const struct sl_packet *p, const struct sl_upper *upper)
{
	const struct sl_host_policy_row *policy = find(w, sl_l3(m, p), p->family, false);
	const uint8_t *at;

	if (upper != NULL) {
		at = rte_pktmbuf_mtod_offset(m, const uint8_t *, upper->offset);
		if (upper->protocol == (p->family == 4 ? SL_PROTO_ICMP : SL_PROTO_ICMP6))
			return !upper->fragment &&
			       quotes_protected(w, at, m->data_len - upper->offset, p->family);
	}
	if (likely(policy == NULL))
		return false;
	/* headers that we do not walk, the kernel may */
	if (upper == NULL || upper->protocol == SL_PROTO_AH || hides(p, upper))
		return true;
	if (upper->protocol != policy->protocol)
		return false;
	return upper->fragment || m->data_len < upper->offset + SL_TCP_PORTS_LEN ||
	       sl_host_policy_has_port(policy, at);
}
