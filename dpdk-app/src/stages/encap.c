/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything in front of and behind a packet that enters a tunnel, except the encryption:
 *
 *   | Ethernet | labels | outer IP | [UDP] ESP, IV | GRE | label | inner packet | padding, trailer | ICV room |
 *    \___________ one copy of the version's template ____________/
 *
 * An LSP has no outer IP header, and most tunnels no labels above theirs.
 *
 * Encryption follows in its own pass (esp_seal.c): an IV that was stored just before it is read by
 * the cipher costs more than the rest of this stage.
 */
#include "esp/esp.h"
#include "net/mpls.h"
#include "stages/jumbo.h"
#include "stages/packet.h"
#include "stages/pass.h"
#include "stages/stage.h"
#include "stages/tunnel.h"

/* Pipe model: label TTL as if this were the first hop of a path of its own (RFC 3443 3.3). */
#define SL_PIPE_TTL 255u

/* 16 to 128 bytes, without a branch per byte: whole vectors, then the last 16 again. */
static inline void copy_template(uint8_t *to, const uint8_t *from, unsigned int length)
{
	for (unsigned int i = 0; i + 16 <= length; i += 16)
		memcpy(to + i, from + i, 16);
	memcpy(to + length - 16, from + length - 16, 16);
}

/* Label, TC and TTL of the VPN label: RFC 3443 for TTL, pipe or uniform. One that is swapped keeps its TC. */
static uint32_t label_entry(const struct sl_packet *p, const uint8_t *inner, uint32_t flags,
                            uint8_t tc)
{
	uint8_t ttl = SL_PIPE_TTL;

	if (unlikely(p->family == 0))
		return sl_mpls_swap(p->label, sl_leaf_label(p->leaf));
	if (flags & SL_VRF_TTL_UNIFORM)
		ttl = p->family == 4 ? inner[8] : inner[7];
	return sl_mpls_entry(sl_leaf_label(p->leaf), tc, ttl);
}

/*
 * TC of the transport labels when the DSCP is copied. Their TTL is the tunnel's; in an LSP the packet's when
 * its VRF has the uniform model, as that of any label pushed with the VPN's (RFC 3443 3.1).
 */
static void mark_stack(const struct sl_packet *p, const struct sl_version_row *v, uint8_t *frame,
                       uint32_t flags, uint8_t tc)
{
	unsigned int end = v->ip_off != 0 ? v->ip_off : v->label_off;
	uint8_t ttl = 0;

	if (!(v->tos_copy & SL_TOS_DSCP))
		tc = 0; /* the template's stays */
	if (v->ip_off == 0 && p->family != 0 && flags & SL_VRF_TTL_UNIFORM)
		ttl = frame[v->label_off + 3];
	sl_mpls_mark(frame + end - (size_t)v->core_labels * SL_MPLS_LEN, v->core_labels, tc, ttl);
}

/*
 * Lengths, DSCP, ECN and checksum of the outer header; `length` counts from it to the end. Bits that `tos` has are
 * 0 in the template, so they are added to it, and to its sum.
 */
static void finish_outer(const struct sl_version_row *v, uint8_t *ip, uint16_t length, uint8_t tos)
{
	tos &= v->tos_copy;
	if (v->family == 4) {
		sl_put16(ip + 2, length);
		ip[1] = (uint8_t)(ip[1] | tos);
		sl_put16(ip + 10, (uint16_t)~sl_sum_fold((uint32_t)v->ip4_sum + length + tos));
	} else {
		sl_put16(ip + 4, (uint16_t)(length - SL_IP6_LEN));
		sl_put16(ip, (uint16_t)(sl_get16(ip) | (uint32_t)tos << 4));
	}
}

/* Write sequence, IV, nonce and trailer; make room for the ICV. False: no room behind the packet. */
static bool add_esp(struct rte_mbuf *m, struct sl_packet *p, struct tunnel *t, uint8_t *frame)
{
	const struct sl_sa_key *key = t->key;
	uint8_t *esp = frame + t->version->esp_off;
	unsigned int payload = m->data_len - t->version->esp_off - key->front_len;
	unsigned int trailer = sl_esp_trailer_len(payload, key->align);

	if (unlikely(rte_pktmbuf_tailroom(m) < trailer + key->icv_len))
		return false;
	sl_end_at(m, (uint16_t)(m->data_len + trailer + key->icv_len));
	sl_esp_write_trailer(esp + key->front_len + payload, trailer, t->next_header);
	if (unlikely(t->spi != 0))
		sl_put32(esp, t->spi);
	if (likely(!key->special)) {
		sl_esp_write_sequence(esp, t->sequence++, key->salt, p->nonce);
	} else {
		p->sequence_high = key->esn ? (uint32_t)(t->sequence >> 32) : 0;
		sl_esp_write_number(key, esp, t->sequence++);
	}
	p->key = key;
	p->upper_offset = t->version->esp_off;
	p->sa = t->sa;
	return true;
}

/*
 * DSCP and ECN that the outside may show, as in the TOS octet. In the pipe model the DSCP is the VRF's (RFC 2983 3). Of
 * a packet under a swapped label: the DSCP that its TC stands for, and the ECN of the outer header it came in,
 * so that two tunnels in a row carry what one would (RFC 6040 4).
 */
static inline uint8_t outside_tos(const struct sl_worker *w, const struct sl_packet *p,
                                  const uint8_t *inner, uint32_t flags)
{
	uint8_t tos;

	if (likely(p->family == 4))
		tos = inner[1];
	else if (p->family == 6)
		tos = sl_ip6_traffic_class(inner);
	else
		tos = (uint8_t)(sl_dscp_of_tc(w, sl_mpls_tc(p->label)) << 2 | p->outer_ecn);
	if (unlikely(flags & SL_VRF_DSCP_FIXED))
		tos = (uint8_t)((flags >> SL_VRF_DSCP_SHIFT & 0x3fu) << 2 | (tos & SL_TOS_ECN));
	return tos;
}

static bool encapsulate(struct sl_worker *w, struct rte_mbuf *m, struct tunnel *t)
{
	const struct sl_version_row *v = t->version;
	struct sl_packet *p = sl_packet(m);
	const uint8_t *inner = sl_l3(m, p);
	uint32_t flags = sl_vrf_flags(w, p->vrf);
	uint8_t tos = outside_tos(w, p, inner, flags), tc = sl_tc_of_dscp(w, tos >> 2);
	uint8_t *frame = sl_begin_before_l3(m, p, v->template_len);

	if (unlikely(frame == NULL))
		return false;
	copy_template(frame, v->template_bytes, v->template_len);
	sl_put32(frame + v->label_off, label_entry(p, inner, flags, tc));
	p->sa = 0;
	if (t->key != NULL && unlikely(!add_esp(m, p, t, frame)))
		return false;
	if (unlikely(v->core_labels != 0))
		mark_stack(p, v, frame, flags, p->family != 0 ? tc : sl_mpls_tc(p->label));
	if (unlikely(v->udp_off != 0)) /* its checksum stays 0 (RFC 3948 2.1) */
		sl_put16(frame + v->udp_off + 4, (uint16_t)(m->data_len - v->udp_off));
	if (likely(v->ip_off != 0))
		finish_outer(v, frame + v->ip_off, (uint16_t)(m->data_len - v->ip_off), tos);
	t->bytes += m->data_len - v->ip_off;
	return true;
}

/*
 * A packet with no room behind it for the trailer and the ICV, because a driver filled its buffer to the end: again, in
 * a larger buffer. Its front has been made already, and is made anew. NULL: it is dropped.
 */
static struct rte_mbuf *encapsulate_moved(struct sl_worker *w, struct rte_mbuf *m, struct tunnel *t)
{
	enum sl_drop_reason reason;
	struct rte_mbuf *moved = sl_move(w, m, 0, &reason);

	if (moved == NULL) {
		sl_drop(w, m, reason);
		return NULL;
	}
	if (encapsulate(w, moved, t))
		return moved;
	sl_drop(w, moved, SL_DROP_no_mbuf);
	return NULL;
}

uint16_t sl_stage_encap(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	uint16_t kept = 0, i = 0;

	while (i < n) {
		uint32_t id = sl_packet(packets[i])->version;
		enum sl_drop_reason reason = SL_DROP_none;
		uint16_t run = 1, sent = kept;
		uint32_t granted;
		struct tunnel t;

		while (i + run < n && sl_packet(packets[i + run])->version == id)
			run++;
		granted = open_tunnel(w, id, run, &t, &reason);
		for (uint16_t j = 0; j < run; j++, i++) {
			struct rte_mbuf *m = packets[i];

			if (unlikely(j >= granted)) {
				sl_pass_or_drop(w, m, t.key, SL_LANE_TUNNEL, reason);
				continue;
			}
			if (likely(encapsulate(w, m, &t)) ||
			    (m = encapsulate_moved(w, m, &t)) != NULL)
				packets[kept++] = m;
		}
		/* Not by nothing: when all were passed on, these are another thread's to write. */
		if (t.state != NULL && kept != sent) {
			t.state->packets += (uint64_t)(kept - sent);
			t.state->bytes += t.bytes;
		}
	}
	return kept;
}
