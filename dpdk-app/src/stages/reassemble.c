/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reassembly of tunnel packets for us, before ESP is looked at (RFC 791 3.2, RFC 8200 4.5). What waits is in
 * reassembly_table.c. Overlaps end a datagram (RFC 5722); its later fragments are dropped as well until its
 * time is over.
 */
#include "stages/reassemble.h"

#include "stages/esp_in_udp.h"
#include "stages/pass.h"
#include "stages/reassembly_table.h"

/* Where a fragment stands in its datagram. */
struct span {
	uint16_t offset, length; /* bytes of payload */
	bool last;
};

static void read_key(struct rte_mbuf *m, const struct sl_packet *p, const struct sl_upper *upper,
                     struct sl_datagram_key *key, struct span *span)
{
	const uint8_t *ip = sl_l3(m, p);
	uint16_t word;

	memset(key, 0, sizeof(*key));
	key->family = p->family;
	key->protocol = upper->protocol;
	span->length = (uint16_t)(m->data_len - upper->offset);
	if (p->family == 4) {
		word = sl_get16(ip + 6);
		memcpy(key->source, ip + 12, 4);
		memcpy(key->destination, ip + 16, 4);
		key->id = sl_get16(ip + 4);
		span->offset = (uint16_t)((word & SL_IP4_OFFSET) * 8u);
		span->last = (word & SL_IP4_MF) == 0;
	} else {
		const uint8_t *header = rte_pktmbuf_mtod_offset(m, uint8_t *, upper->offset - 8);

		word = sl_get16(header + 2);
		memcpy(key->source, ip + 8, 16);
		memcpy(key->destination, ip + 24, 16);
		key->id = sl_get32(header + 4);
		span->offset = word & 0xfff8u;
		span->last = (word & 1u) == 0;
	}
}

/* Where the fragment belongs among those that are there; SL_DROP_none, or why it does not. */
static enum sl_drop_reason place(const struct sl_datagram *d, const struct span *span,
                                 unsigned int *at)
{
	uint32_t end = (uint32_t)span->offset + span->length;
	unsigned int i = 0;

	while (i < d->count && d->piece[i].offset < span->offset)
		i++;
	*at = i;
	if ((i > 0 && d->piece[i - 1].offset + d->piece[i - 1].length > span->offset) ||
	    (i < d->count && d->piece[i].offset < end) || (d->total != 0 && end > d->total) ||
	    (span->last && (d->total != 0 || i < d->count)))
		return SL_DROP_reassembly_overlap;
	return d->count == SL_REASSEMBLY_PIECES ? SL_DROP_reassembly_size : SL_DROP_none;
}

/* The very same bytes of the datagram again, as a network may repeat them: no reason to lose it. */
static bool repeated(const struct sl_datagram *d, const struct span *span, unsigned int at)
{
	return at < d->count && d->piece[at].offset == span->offset &&
	       d->piece[at].length == span->length &&
	       span->last == (d->total == (uint32_t)span->offset + span->length);
}

/* What no datagram can have: no payload, a piece in the middle that ends between two offsets, an end too far. */
static bool malformed(const struct span *span)
{
	return span->length == 0 || (!span->last && span->length % 8 != 0) ||
	       (uint32_t)span->offset + span->length > UINT16_MAX;
}

static void keep(struct sl_worker *w, struct rte_mbuf *m, struct sl_datagram *d,
                 const struct span *span, unsigned int at)
{
	const struct sl_packet *p = sl_packet(m);
	const uint8_t *ip = sl_l3(m, p);
	unsigned int ecn = p->family == 4 ? ip[1] & 3u : ip[1] >> 4 & 3u;

	memmove(&d->piece[at + 1], &d->piece[at], (d->count - at) * sizeof(d->piece[0]));
	d->piece[at].packet = m;
	d->piece[at].offset = span->offset;
	d->piece[at].length = span->length;
	d->count++;
	d->have += span->length;
	d->ecn |= (uint8_t)(1u << ecn);
	if (span->last)
		d->total = (uint32_t)span->offset + span->length;
	w->reassembly.pieces++;
}

struct rte_mbuf *sl_reassemble(struct sl_worker *w, struct rte_mbuf *m,
                               const struct sl_upper *upper)
{
	const struct sl_packet *p = sl_packet(m);
	enum sl_drop_reason reason = SL_DROP_outer_fragment;
	struct sl_datagram_key key;
	struct sl_datagram *d;
	unsigned int at = 0;
	struct span span;

	read_key(m, p, upper, &key, &span);
	if (malformed(&span) && key.protocol == SL_PROTO_UDP) { /* the kernel judges it */
		sl_punt_frame(w, m);
		return NULL;
	}
	if (malformed(&span))
		goto drop;
	sl_packet(m)->upper_offset = upper->offset;
	if (span.offset == 0 &&
	    span.last) { /* RFC 6946: on its own, whatever else has its identification */
		sl_datagram_finish(m, sl_packet(m), false);
		return m;
	}
	if (w->threads > 1 && sl_datagram_thread(w, &key) != w->index) {
		sl_pass(w, m, sl_datagram_thread(w, &key), SL_LANE_LOCAL);
		return NULL;
	}
	d = sl_datagram_find(w, &key);
	if (key.protocol == SL_PROTO_UDP && !sl_udp_fragment(w, m, d, span.offset == 0))
		return NULL;
	reason = (enum sl_drop_reason)d->refused;
	if (reason != SL_DROP_none)
		goto drop;
	reason = place(d, &span, &at);
	if (reason != SL_DROP_none) {
		if (repeated(d, &span, at))
			goto drop;
		if (d->kind == SL_DATAGRAM_UNTOLD) { /* the kernel judges what is not ours */
			sl_udp_to_kernel(w, m, d);
			return NULL;
		}
		sl_datagram_lose_pieces(w, d, reason);
		d->refused = (uint8_t)reason;
		goto drop;
	}
	keep(w, m, d, &span, at);
	if (d->have == d->total)
		return sl_datagram_join(w, d, p);
	while (w->reassembly.pieces > w->waiting.reassembly) /* some hold no fragment any more */
		sl_datagram_forget(w, sl_datagram_oldest(&w->reassembly, NULL, d),
		                   SL_DROP_reassembly_full);
	return NULL;
drop:
	sl_drop(w, m, reason);
	return NULL;
}
