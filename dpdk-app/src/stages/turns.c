/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deficit round robin as Shreedhar and Varghese have it ("Efficient Fair Queuing Using Deficit Round-Robin", 1996): queues
 * with packets are in a list; the first one gets its quantum, sends what that pays for, and goes to the end.
 */
#include "stages/turns.h"

static uint32_t word(const uint32_t *at) { return __atomic_load_n(at, __ATOMIC_RELAXED); }

static bool is_strict(const struct sl_egress_row *row, uint32_t slot)
{
	for (uint32_t i = 0; i < SL_INTERFACE_QUEUES; i++)
		if (__atomic_load_n(&row->strict[i], __ATOMIC_RELAXED) == slot)
			return true;
	return false;
}

void sl_turns_join(struct sl_egress *e, const struct sl_egress_row *row, uint32_t slot)
{
	for (uint32_t i = 0; i < e->turns; i++)
		if (e->turn[i] == slot)
			return;
	if (is_strict(row, slot))
		return;
	e->deficit[slot] = 0;
	e->turn[e->turns++] = (uint8_t)slot;
}

/* The first one's turn is over; it comes again when it still has packets. */
static void end_turn(struct sl_egress *e)
{
	uint8_t slot = e->turn[0];

	memmove(e->turn, e->turn + 1, --e->turns);
	e->begun = false;
	if (e->queue[slot].count != 0)
		e->turn[e->turns++] = slot;
}

uint32_t sl_turns_choose(struct sl_egress *e, const struct sl_egress_row *row)
{
	for (uint32_t i = 0; i < SL_INTERFACE_QUEUES; i++) {
		uint8_t slot = __atomic_load_n(&row->strict[i], __ATOMIC_RELAXED);

		if (slot < SL_INTERFACE_QUEUES && e->queue[slot].count != 0)
			return slot;
	}
	while (e->turns != 0) {
		uint8_t slot = e->turn[0];

		if (!e->begun) {
			uint32_t quantum = word(&row->quantum[slot]);

			e->deficit[slot] += RTE_MAX(quantum, SL_EGRESS_MIN_QUANTUM);
			e->begun = true;
		}
		if (e->queue[slot].count != 0 && e->queue[slot].first->pkt_len <= e->deficit[slot])
			return slot;
		end_turn(e);
	}
	return SL_INTERFACE_QUEUES;
}

void sl_turns_sent(struct sl_egress *e, const struct sl_egress_row *row, uint32_t slot,
                   uint32_t bytes)
{
	if (!e->begun || e->turn[0] != slot || is_strict(row, slot))
		return;
	e->deficit[slot] -= bytes;
	if (e->queue[slot].count == 0)
		end_turn(e);
}
