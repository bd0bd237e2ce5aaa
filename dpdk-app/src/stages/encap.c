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
#include "stages/jumbo.h"
#include "stages/pass.h"
#include "stages/stage.h"
#include "stages/tunnel_frame.h"

/*
 * A packet with no room behind it for the trailer and the ICV, because a driver filled its buffer to the end: again, in
 * a larger buffer. NULL: it is dropped.
 */
static struct rte_mbuf *encapsulate_moved(struct sl_worker *w, struct rte_mbuf *m,
                                          struct sl_tunnel *t)
{
	enum sl_drop_reason reason;
	struct rte_mbuf *moved = sl_move(w, m, 0, &reason);

	if (moved == NULL) {
		sl_drop(w, m, reason);
		return NULL;
	}
	if (sl_tunnel_frame(w, moved, t))
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
		struct sl_tunnel t;

		while (i + run < n && sl_packet(packets[i + run])->version == id)
			run++;
		granted = sl_open_tunnel(w, id, run, &t, &reason);
		for (uint16_t j = 0; j < run; j++, i++) {
			struct rte_mbuf *m = packets[i];

			if (unlikely(j >= granted)) {
				sl_pass_or_drop(w, m, t.key, SL_LANE_TUNNEL, reason);
				continue;
			}
			if (likely(SL_PLAIN && t.plain && sl_plain_frame(w, m, &t)) ||
			    sl_tunnel_frame(w, m, &t) || (m = encapsulate_moved(w, m, &t)) != NULL)
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
