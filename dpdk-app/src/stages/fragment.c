/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fragmentation of what a customer or the host sent without DF, before it is encapsulated (RFC 791 3.2; what
 * the core would fragment is a tunnel packet, which has DF). Not a stage of the chain: pipeline.c comes here
 * only when ttl_mtu found such a packet in a burst. All pieces of a packet are made, or none.
 */
#include "stages/fragment.h"

#include "net/ip4_fragment.h"
#include "stages/jumbo.h"

/* Pieces that one packet may become: 9216 bytes by an MTU of 576 are 17. */
#define SL_MAX_PIECES SL_BURST

struct burst {
	void (*leave)(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
	struct rte_mbuf *packets[SL_BURST];
	uint16_t n;
};

static void flush(struct sl_worker *w, struct burst *burst)
{
	uint16_t n = burst->n;

	burst->n = 0;
	if (n != 0)
		burst->leave(w, burst->packets, n);
}

static void add(struct sl_worker *w, struct burst *burst, struct rte_mbuf *m)
{
	if (burst->n == SL_BURST)
		flush(w, burst);
	burst->packets[burst->n++] = m;
}

/* Why the packet cannot be cut; SL_DROP_none: it is, as `cut` says. */
static enum sl_drop_reason decide(const struct sl_worker *w, struct rte_mbuf *m,
                                  const struct sl_packet *p, struct sl_ip4_cut *cut)
{
	uint16_t mtu = w->tables->version[p->version].mtu;

	switch (sl_ip4_cut(sl_l3(m, p), mtu, cut)) {
	case SL_IP4_CUT:
		return cut->count > SL_MAX_PIECES ? SL_DROP_mtu_exceeded : SL_DROP_none;
	case SL_IP4_CUT_OPTIONS:
	case SL_IP4_CUT_LENGTH:
		return SL_DROP_ip4_header;
	case SL_IP4_CUT_MTU:
	default:
		return SL_DROP_mtu_exceeded;
	}
}

/* Make piece `i` of the packet in an mbuf of its own, with the packet's notes. False: it has no room. */
static bool fill(struct rte_mbuf *piece, struct rte_mbuf *m, const struct sl_packet *p,
                 const struct sl_ip4_cut *cut, uint16_t i)
{
	uint16_t length = sl_ip4_piece_len(cut, i);
	uint8_t *ip;

	if (piece->buf_len < SL_HEADROOM + cut->later_len + length)
		return false;
	piece->data_off = SL_HEADROOM;
	sl_end_at(piece, (uint16_t)(cut->later_len + length));
	ip = rte_pktmbuf_mtod(piece, uint8_t *);
	memcpy(ip, cut->later, cut->later_len);
	memcpy(ip + cut->later_len, sl_l3(m, p) + cut->header_len + sl_ip4_piece_offset(cut, i),
	       length);
	sl_ip4_finish_piece(ip, cut, i);
	*sl_packet(piece) = *p;
	sl_packet(piece)->l3_offset = 0;
	return true;
}

/* Pieces 1 to count - 1 into `later`; then the packet itself becomes the first. False: no buffers. */
static bool cut_up(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p,
                   const struct sl_ip4_cut *cut, struct rte_mbuf **later)
{
	uint16_t count = (uint16_t)(cut->count - 1);
	bool good = true;

	if (rte_pktmbuf_alloc_bulk(sl_pool_for(w, cut->later_len + sl_ip4_piece_len(cut, 1)), later,
	                           count) != 0)
		return false;
	for (uint16_t i = 0; good && i < count; i++)
		good = fill(later[i], m, p, cut, (uint16_t)(i + 1));
	if (!good) {
		for (uint16_t i = 0; i < count; i++)
			sl_free(later[i]);
		return false;
	}
	sl_end_at(m, (uint16_t)(p->l3_offset + cut->header_len + cut->first));
	sl_ip4_finish_piece(sl_l3(m, p), cut, 0);
	sl_vrf_counters(w, p->vrf)->fragmented++;
	return true;
}

static void fragment(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p,
                     struct burst *burst)
{
	struct rte_mbuf *later[SL_MAX_PIECES];
	struct sl_ip4_cut cut;
	enum sl_drop_reason reason = decide(w, m, p, &cut);

	if (reason == SL_DROP_none && !cut_up(w, m, p, &cut, later))
		reason = SL_DROP_no_mbuf;
	if (reason != SL_DROP_none) {
		sl_drop(w, m, reason);
		return;
	}
	add(w, burst, m);
	for (uint16_t i = 0; i + 1 < cut.count; i++)
		add(w, burst, later[i]);
}

void sl_fragment(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n,
                 void (*leave)(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n))
{
	struct burst burst = {.leave = leave};

	w->oversized = 0;
	for (uint16_t i = 0; i < n; i++) {
		struct sl_packet *p = sl_packet(packets[i]);

		if (sl_l3_len(packets[i], p) > w->tables->version[p->version].mtu)
			fragment(w, packets[i], p, &burst);
		else
			add(w, &burst, packets[i]);
	}
	flush(w, &burst);
}
