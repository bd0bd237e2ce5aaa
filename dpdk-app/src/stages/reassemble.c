/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reassembly of tunnel packets for us, before ESP is looked at (RFC 791 3.2, RFC 8200 4.5). What waits is in
 * reassembly_table.c. Overlaps end a datagram (RFC 5722); its later fragments are dropped as well until its
 * time is over.
 */
#include "stages/reassemble.h"

#include "stages/jumbo.h"
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

/* Fragments in a packet's IPv6 header: what stood before the Fragment header moves up over it. */
static void cut_fragment_header(struct rte_mbuf *m, struct sl_packet *p)
{
	uint8_t *ip = sl_l3(m, p);
	uint16_t header = (uint16_t)(p->upper_offset - 8 - p->l3_offset);
	uint16_t before = 6, at = SL_IP6_LEN; /* the field that names the header at `at` */

	while (at < header) {
		before = at;
		at = (uint16_t)(at + 8 + ip[at + 1] * 8u);
	}
	ip[before] = ip[header];
	memmove(ip + 8, ip, header);
	p->l3_offset = (uint16_t)(p->l3_offset + 8);
}

/* One packet again: lengths, and nothing of a fragment. RFC 3168 5.3: congestion one of them met. */
static void finish_header(struct rte_mbuf *m, struct sl_packet *p, bool congested)
{
	uint8_t *ip;

	if (p->family == 6) {
		cut_fragment_header(m, p);
		ip = sl_l3(m, p);
		sl_put16(ip + 4, (uint16_t)(sl_l3_len(m, p) - SL_IP6_LEN));
		if (congested && (ip[1] & 0x30) != 0)
			ip[1] |= 0x30;
		return;
	}
	ip = sl_l3(m, p);
	if (congested && (ip[1] & 3) != 0)
		ip[1] |= 3;
	sl_put16(ip + 2, sl_l3_len(m, p));
	sl_put16(ip + 6, sl_get16(ip + 6) & SL_IP4_DF);
	sl_put16(ip + 10, 0);
	sl_put16(ip + 10, (uint16_t)~sl_sum_fold(sl_sum(ip, sl_ip4_header_len(ip), 0)));
}

/* The first fragment, where the others fit behind it; NULL: nowhere. */
static struct rte_mbuf *with_room(struct sl_worker *w, struct sl_datagram *d)
{
	struct rte_mbuf *m = d->piece[0].packet;
	uint32_t more = d->total - d->piece[0].length;
	enum sl_drop_reason reason;

	if (rte_pktmbuf_tailroom(m) >= more)
		return m;
	m = sl_move(w, m, more, &reason);
	if (m != NULL)
		d->piece[0].packet = m;
	return m;
}

/* All of the datagram is there: append the others to the first. NULL: it does not fit, and is dropped. */
static struct rte_mbuf *join(struct sl_worker *w, struct sl_datagram *d, const struct sl_packet *p)
{
	struct rte_mbuf *m = d->piece[0].packet;
	struct sl_packet *to = sl_packet(m);
	uint16_t l3 = to->l3_offset, upper = to->upper_offset;
	struct sl_packet notes = *p; /* `p` goes with its fragment */
	bool congested = d->ecn & 8u;

	if (upper - l3 + d->total > UINT16_MAX || (m = with_room(w, d)) == NULL) {
		sl_datagram_forget(w, d, SL_DROP_reassembly_size);
		return NULL;
	}
	for (unsigned int i = 1; i < d->count; i++) {
		struct rte_mbuf *from = d->piece[i].packet;
		uint16_t length = d->piece[i].length, end = m->data_len;

		sl_end_at(m, (uint16_t)(end + length));
		memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, end),
		       rte_pktmbuf_mtod_offset(from, uint8_t *, from->data_len - length), length);
		sl_free(from);
	}
	to = sl_packet(m);
	*to = notes;
	to->l3_offset = l3;
	to->upper_offset = upper;
	finish_header(m, to, congested);
	w->reassembly.pieces -= d->count;
	d->count = 0;
	d->since_tsc = 0;
	w->reassembly.datagrams--;
	sl_interface_counters(w, to->interface)->reassembled++;
	return m;
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
	if (malformed(&span))
		goto drop;
	sl_packet(m)->upper_offset = upper->offset;
	if (span.offset == 0 &&
	    span.last) { /* RFC 6946: on its own, whatever else has its identification */
		finish_header(m, sl_packet(m), false);
		return m;
	}
	if (w->threads > 1 && sl_datagram_thread(w, &key) != w->index) {
		sl_pass(w, m, sl_datagram_thread(w, &key), SL_LANE_LOCAL);
		return NULL;
	}
	d = sl_datagram_find(w, &key);
	reason = (enum sl_drop_reason)d->refused;
	if (reason != SL_DROP_none)
		goto drop;
	reason = place(d, &span, &at);
	if (reason != SL_DROP_none) {
		if (!repeated(d, &span, at)) {
			sl_datagram_lose_pieces(w, d, reason);
			d->refused = (uint8_t)reason;
		}
		goto drop;
	}
	keep(w, m, d, &span, at);
	if (d->have == d->total)
		return join(w, d, p);
	if (w->reassembly.pieces > w->waiting.reassembly)
		sl_datagram_forget(w, sl_datagram_oldest(&w->reassembly, NULL, d),
		                   SL_DROP_reassembly_full);
	return NULL;
drop:
	sl_drop(w, m, reason);
	return NULL;
}
