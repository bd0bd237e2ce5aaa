/* SPDX-License-Identifier: Apache-2.0 */
/* How the bytes around a packet that enters a tunnel are written: encap.c. */
#ifndef SEALANE_STAGES_TUNNEL_FRAME_H
#define SEALANE_STAGES_TUNNEL_FRAME_H

#include "net/mpls.h"
#include "stages/packet.h"
#include "stages/tunnel.h"

/* Pipe model: label TTL as if this were the first hop of a path of its own (RFC 3443 3.3). */
#define SL_PIPE_TTL 255u

/* 16 to 128 bytes, without a branch per byte: most templates are two vectors of 32 that overlap. */
static inline void sl_copy_template(uint8_t *to, const uint8_t *from, unsigned int length)
{
	if (unlikely(length < 32)) {
		memcpy(to, from, 16);
		memcpy(to + length - 16, from + length - 16, 16);
		return;
	}
	for (unsigned int i = 0; i + 32 < length; i += 32)
		memcpy(to + i, from + i, 32);
	memcpy(to + length - 32, from + length - 32, 32);
}

/* Label, TC and TTL of the VPN label: RFC 3443 for TTL, pipe or uniform. One that is swapped keeps its TC. */
static inline uint32_t sl_label_entry(const struct sl_packet *p, const uint8_t *inner,
                                      uint32_t flags, uint32_t tc)
{
	uint32_t ttl = SL_PIPE_TTL;

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
static inline void sl_mark_stack(const struct sl_packet *p, const struct sl_version_row *v,
                                 uint8_t *frame, uint32_t flags, uint32_t tc)
{
	unsigned int end = v->ip_off != 0 ? v->ip_off : v->label_off;
	uint8_t ttl = 0;

	if (!(v->tos_copy & SL_TOS_DSCP))
		tc = 0; /* the template's stays */
	if (v->ip_off == 0 && p->family != 0 && flags & SL_VRF_TTL_UNIFORM)
		ttl = frame[v->label_off + 3];
	sl_mpls_mark(frame + end - (size_t)v->core_labels * SL_MPLS_LEN, v->core_labels,
	             (uint8_t)tc, ttl);
}

/*
 * Lengths, DSCP, ECN and checksum of the outer header; `length` counts from it to the end. Bits that `tos` has are
 * 0 in the template, so they are added to it, and to its sum.
 */
static inline void sl_finish_outer(const struct sl_version_row *v, uint8_t *ip, uint32_t length,
                                   uint32_t tos)
{
	const uint8_t *template = v->template_bytes + v->ip_off; /* not what was just stored */

	tos &= v->tos_copy;
	if (v->family == 4) {
		uint16_t sum = sl_sum_fold(v->ip4_sum + length + tos);

		ip[1] = (uint8_t)(template[1] | tos);
		sl_put16(ip + 2, (uint16_t)length);
		sl_put16(ip + 10, (uint16_t)~sum);
	} else {
		sl_put16(ip, (uint16_t)(sl_get16(template) | tos << 4));
		sl_put16(ip + 4, (uint16_t)(length - SL_IP6_LEN));
	}
}

/* Entropy for the core is per SA (RFC 6438): that of the SA in the place of the one whose template it is. */
static inline void sl_put_flow_label(uint8_t *ip, uint32_t label)
{
	ip[1] = (uint8_t)((ip[1] & 0xf0u) | label >> 16);
	sl_put16(ip + 2, label & 0xffffu);
}

/* Sequence, IV, nonce and a trailer of `trailer` bytes behind the ESP payload of `payload` bytes. */
static inline void sl_write_esp(struct sl_packet *p, struct sl_tunnel *t, uint8_t *esp,
                                unsigned int payload, unsigned int trailer)
{
	const struct sl_sa_key *key = t->key;

	p->key = key;
	p->upper_offset = t->version->esp_off;
	if (unlikely(t->spi != 0))
		sl_put32(esp, t->spi);
	if (!key->special) {
		sl_esp_write_trailer(esp + SL_ESP_FRONT_LEN + payload, trailer, t->next_header);
		sl_esp_write_sequence(esp, t->sequence++, key->salt, p->nonce);
		return;
	}
	sl_esp_write_trailer(esp + key->front_len + payload, trailer, t->next_header);
	p->sequence_high = key->esn ? (uint32_t)(t->sequence >> 32) : 0;
	sl_esp_write_number(key, esp, t->sequence++);
}

/*
 * DSCP and ECN that the outside may show, as in the TOS octet. In the pipe model the DSCP is the VRF's (RFC 2983 3). Of
 * a packet under a swapped label: the DSCP that its TC stands for, and the ECN of the outer header it came in,
 * so that two tunnels in a row carry what one would (RFC 6040 4).
 */
static inline uint32_t sl_outside_tos(const struct sl_worker *w, const struct sl_packet *p,
                                      const uint8_t *inner, uint32_t flags)
{
	uint32_t tos;

	if (likely(p->family == 4))
		tos = inner[1];
	else if (p->family == 6)
		tos = sl_ip6_traffic_class(inner);
	else
		tos = (uint32_t)sl_dscp_of_tc(w, sl_mpls_tc(p->label)) << 2 | p->outer_ecn;
	if (unlikely(flags & SL_VRF_DSCP_FIXED))
		tos = (flags >> SL_VRF_DSCP_SHIFT & 0x3fu) << 2 | (tos & SL_TOS_ECN);
	return tos;
}

/*
 * False: no room in front of the packet, or behind it for trailer and ICV; it is as it was then. What the mbuf says is
 * read once and stored once: its fields are a chain of stores and loads otherwise, as bytes may alias anything.
 */
static inline bool sl_tunnel_frame(struct sl_worker *w, struct rte_mbuf *m, struct sl_tunnel *t)
{
	const struct sl_version_row *v = t->version;
	struct sl_packet *p = sl_packet(m);
	unsigned int front = v->template_len, start = (unsigned int)m->data_off + p->l3_offset;
	unsigned int length = sl_l3_len(m, p), payload = 0, trailer = 0, icv = 0;
	uint8_t *inner = (uint8_t *)m->buf_addr + start, *frame = inner - front;
	uint32_t flags = sl_vrf_flags(w, p->vrf);
	/* 32 bits each: a byte that is spilled to the stack is read back as a word, which stalls */
	uint32_t tos = sl_outside_tos(w, p, inner, flags), tc = sl_tc_of_dscp(w, tos >> 2);
	uint32_t label = sl_label_entry(p, inner, flags, tc);

	if (t->key != NULL) {
		payload = length + t->inside;
		trailer = sl_esp_trailer_len(payload, t->key->align);
		icv = t->key->icv_len;
	}
	if (unlikely(start < front || start + length + trailer + icv > m->buf_len))
		return false;
	length += front + trailer + icv;
	m->data_off = (uint16_t)(start - front);
	p->l3_offset = (uint16_t)front;
	sl_end_at(m, (uint16_t)length);
	sl_copy_template(frame, v->template_bytes, front);
	sl_put32(frame + v->label_off, label);
	p->sa = t->sa;
	if (t->key != NULL)
		sl_write_esp(p, t, frame + v->esp_off, payload, trailer);
	if (v->core_labels != 0)
		sl_mark_stack(p, v, frame, flags, p->family != 0 ? tc : sl_mpls_tc(p->label));
	if (v->udp_off != 0) /* its checksum stays 0 (RFC 3948 2.1) */
		sl_put16(frame + v->udp_off + 4, (uint16_t)(length - v->udp_off));
	if (v->ip_off != 0)
		sl_finish_outer(v, frame + v->ip_off, length - v->ip_off, tos);
	if (t->spi != 0 && v->family == 6)
		sl_put_flow_label(frame + v->ip_off, t->key->flow_label);
	t->bytes += length - v->ip_off;
	return true;
}

/* Sequence number and IV, and the nonce: sl_esp_write_sequence(). */
static __rte_always_inline void sl_write_plain_sequence(uint8_t *esp, uint64_t sequence,
                                                        uint32_t salt, uint8_t *nonce)
{
	uint64_t iv = __builtin_bswap64(sequence);
	uint32_t low = (uint32_t)(iv >> 32);

	memcpy(esp + 4, &low, sizeof(low));
	memcpy(esp + SL_ESP_HEADER_LEN, &iv, sizeof(iv));
	memcpy(nonce, &salt, sizeof(salt));
	memcpy(nonce + SL_SALT_LEN, &iv, sizeof(iv));
}

#define SL_NOT_PLAIN (SL_VRF_TTL_UNIFORM | SL_VRF_DSCP_FIXED)

/*
 * The same of IPv4 into a tunnel that is plain, by what nearly all of them have in common. False: this one has something else,
 * or no room; nothing has been done, and sl_tunnel_frame() is to be asked.
 */
static __rte_always_inline bool sl_plain_frame(struct sl_worker *w, struct rte_mbuf *m,
                                               struct sl_tunnel *t)
{
	const struct sl_version_row *v = t->version;
	struct sl_packet *p = sl_packet(m);
	unsigned int front = v->template_len, start = (unsigned int)m->data_off + p->l3_offset;
	unsigned int length = sl_l3_len(m, p), payload = length + t->inside;
	unsigned int padding = (0u - payload - SL_ESP_TRAILER_MIN) & (SL_ESP_ALIGN - 1);
	unsigned int end = start + length + SL_ESP_TRAILER_MIN + padding + SL_ESP_ICV_LEN;
	uint8_t *frame = (uint8_t *)m->buf_addr + start - front, *esp = frame + v->esp_off;
	uint32_t tos;

	if (unlikely(p->family != 4 || start < front || end > m->buf_len ||
	             (sl_vrf_flags(w, p->vrf) & SL_NOT_PLAIN) != 0))
		return false;
	tos = frame[front + 1];
	m->data_off = (uint16_t)(start - front);
	length = end - start + front;
	sl_end_at(m, (uint16_t)length);
	memcpy(frame, v->template_bytes, 32);
	memcpy(frame + front - 32, v->template_bytes + front - 32, 32);
	sl_put32(frame + v->label_off,
	         sl_mpls_entry(sl_leaf_label(p->leaf), sl_tc_of_dscp(w, tos >> 2), SL_PIPE_TTL));
	memcpy(esp + SL_ESP_FRONT_LEN + payload, &t->trailer[padding], sizeof(t->trailer[0]));
	sl_write_plain_sequence(esp, t->sequence++, t->salt, p->nonce);
	p->l3_offset = (uint16_t)front;
	p->upper_offset = v->esp_off;
	p->sa = t->sa;
	p->key = t->key;
	length -= v->ip_off;
	sl_finish_outer(v, frame + v->ip_off, length, tos);
	t->bytes += length;
	return true;
}

#endif
