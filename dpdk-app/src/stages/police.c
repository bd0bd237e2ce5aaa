/* SPDX-License-Identifier: Apache-2.0 */
/* Policers of CE interfaces. Packets are measured as RFC 2697 says: IP header on, without the link's. */
#include "tables/policer.h"

#include "stages/packet.h"
#include "stages/stage.h"
#include "tables/clock.h"

/* Slot of the interface's policers that a packet belongs to; whether there is one, its row says. */
static uint32_t slot_of(const struct sl_worker *w, uint32_t police, unsigned int dscp)
{
	const struct sl_class_table *classes = &w->tables->header.classes;

	if (police == SL_POLICE_ALL)
		return SL_POLICER_ALL;
	return __atomic_load_n(&classes->class_of_dscp[dscp], __ATOMIC_RELAXED) &
	       (SL_MAX_CLASSES - 1);
}

/* True when the packet goes on. */
static bool police(struct sl_worker *w, struct rte_mbuf *m, uint32_t kind, uint64_t now)
{
	struct sl_packet *p = sl_packet(m);
	uint8_t *ip = sl_l3(m, p);
	uint8_t dscp = sl_dscp(m, p), action;
	uint32_t at = sl_policer_index(p->interface, slot_of(w, kind, dscp));
	const struct sl_policer_row *policer = &w->tables->policer[at];
	uint32_t meter = __atomic_load_n(&policer->meter, __ATOMIC_ACQUIRE);
	enum sl_colour colour = SL_GREEN;

	if (meter == SL_METER_NONE)
		return true;
	if (meter & SL_METER_COLOUR_AWARE)
		colour = sl_dscp_colour(dscp);
	colour = sl_police(policer, &w->buckets[at], now, sl_l3_len(m, p), colour);
	w->block->policer[at].packets[colour]++;
	w->block->policer[at].bytes[colour] += sl_l3_len(m, p);
	action = __atomic_load_n(&policer->action[colour], __ATOMIC_RELAXED);
	if (action == SL_ACTION_DROP) {
		sl_drop(w, m, SL_DROP_policed);
		return false;
	}
	if (action < 64 && action != dscp) {
		if (p->family == 4)
			sl_ip4_set_dscp(ip, action);
		else
			sl_ip6_set_dscp(ip, action);
	}
	return true;
}

uint16_t sl_stage_police(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	uint64_t now = sl_clock(w->now_tsc, w->clock_scale);
	uint16_t kept = 0;

	w->policed = false;
	for (uint16_t i = 0; i < n; i++) {
		const struct sl_interface_row *row =
			sl_interface(w, sl_packet(packets[i])->interface);
		uint32_t kind = __atomic_load_n(&row->police, __ATOMIC_RELAXED);

		if (kind == SL_POLICE_NONE || police(w, packets[i], kind, now))
			packets[kept++] = packets[i];
	}
	return kept;
}
