/* SPDX-License-Identifier: Apache-2.0 */
/* One packet of fragments that are all there: their payloads behind the first one's headers (RFC 791 3.2, RFC 8200 4.5). */
#include "stages/ip_header.h"
#include "stages/jumbo.h"
#include "stages/reassembly_table.h"

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

void sl_datagram_finish(struct rte_mbuf *m, struct sl_packet *p, bool congested)
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

struct rte_mbuf *sl_datagram_join(struct sl_worker *w, struct sl_datagram *d,
                                  const struct sl_packet *p)
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
	sl_datagram_finish(m, to, congested);
	w->reassembly.pieces -= d->count;
	d->count = 0;
	d->since_tsc = 0;
	w->reassembly.datagrams--;
	sl_interface_counters(w, to->interface)->reassembled++;
	return m;
}
