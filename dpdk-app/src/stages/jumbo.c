/* SPDX-License-Identifier: Apache-2.0 */
#include "stages/jumbo.h"

#include "stages/capture.h"
#include "stages/packet.h"

/* What the driver noted about the frame, and what stages did. */
static void copy_notes(struct rte_mbuf *to, struct rte_mbuf *from)
{
	to->port = from->port;
	to->ol_flags = from->ol_flags & (RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED);
	to->vlan_tci = from->vlan_tci;
	to->vlan_tci_outer = from->vlan_tci_outer;
	to->hash = from->hash;
	*sl_packet(to) = *sl_packet(from);
}

static struct rte_mbuf *copy(const struct sl_worker *w, struct rte_mbuf *m, uint32_t more,
                             enum sl_drop_reason *reason)
{
	uint32_t length = m->pkt_len;
	struct rte_mempool *pool = sl_pool_for(w, length + more);
	struct rte_mbuf *to;
	uint8_t *at;

	*reason = SL_DROP_jumbo_too_long;
	if (SL_HEADROOM + length + more + SL_JUMBO_TAIL > rte_pktmbuf_data_room_size(pool))
		return NULL;
	*reason = pool == w->pool ? SL_DROP_no_mbuf : SL_DROP_jumbo_no_buffer;
	to = rte_pktmbuf_alloc(pool);
	if (to == NULL)
		return NULL;
	to->data_off = SL_HEADROOM;
	at = rte_pktmbuf_mtod(to, uint8_t *);
	for (const struct rte_mbuf *from = m; from != NULL; from = from->next) {
		memcpy(at, rte_pktmbuf_mtod(from, const uint8_t *), from->data_len);
		at += from->data_len;
	}
	copy_notes(to, m);
	sl_end_at(to, (uint16_t)length);
	return to;
}

struct rte_mbuf *sl_move_new(const struct sl_worker *w, struct rte_mbuf *m, uint32_t more,
                             enum sl_drop_reason *reason)
{
	struct rte_mbuf *to = copy(w, m, more, reason);

	if (to != NULL)
		sl_free(m);
	return to;
}

struct rte_mbuf *sl_move(struct sl_worker *w, struct rte_mbuf *m, uint32_t more,
                         enum sl_drop_reason *reason)
{
	struct rte_mbuf *to = copy(w, m, more, reason);

	if (to == NULL)
		return NULL;
	if (unlikely(w->capture != NULL))
		sl_capture_moved(w->capture, m, to);
	sl_free(m);
	return to;
}

struct rte_mbuf *sl_join_chain(struct sl_worker *w, struct rte_mbuf *m)
{
	enum sl_drop_reason reason;
	struct rte_mbuf *joined = sl_move(w, m, 0, &reason);

	if (joined != NULL)
		return joined;
	*sl_packet(m) = (struct sl_packet){0};
	sl_drop(w, m, reason);
	return NULL;
}
