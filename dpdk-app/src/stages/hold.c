/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets that wait for an SA (P10): the first one for each next hop without, the others are dropped. Not a
 * stage of the chain: nexthop.c brings packets here, and pipeline.c takes them out again.
 *
 * A next hop is one SA of one peer, so a peer has at most one packet here for each protection, encapsulation
 * and local address it can be reached with.
 */
#include "stages/hold.h"

#include <rte_cycles.h>

#include "sealane/fib.h"

/* An SA that takes longer is not worth waiting for: its sender has sent again, or given up. */
#define SL_HOLD_SECONDS 30u
/* A sleeping worker looks whenever it wakes, which is every millisecond. */
#define SL_HOLD_LOOKS_PER_SECOND 2000u

static struct sl_held *find(struct sl_hold *hold, uint32_t nexthop)
{
	for (uint32_t i = 0; i < hold->count; i++)
		if (hold->held[i].nexthop == nexthop)
			return &hold->held[i];
	return NULL;
}

static void note_count(struct sl_worker *w)
{
	__atomic_store_n(&w->block->held, w->hold.count, __ATOMIC_RELAXED);
}

/* Ask for the SA that a packet waits for already: once a second, lest one flow fill the ring. */
static void ask_again(struct sl_worker *w, struct sl_held *held)
{
	if (w->now_tsc - held->asked_tsc < rte_get_tsc_hz())
		return;
	if (sl_punt_acquire(w, held->nexthop))
		held->asked_tsc = w->now_tsc;
}

void sl_hold_or_drop(struct sl_worker *w, struct rte_mbuf *m, uint32_t nexthop)
{
	const struct sl_packet *p = sl_packet(m);
	struct sl_hold *hold = &w->hold;
	struct sl_held *held = find(hold, nexthop);

	if (held != NULL)
		ask_again(w, held);
	/* what came by a label was judged by that label, which is not looked at again */
	if (held != NULL || !sl_punt_acquire(w, nexthop) || p->arrival.labelled ||
	    hold->count == SL_HOLD_MAX) {
		sl_drop(w, m, SL_DROP_sa_missing);
		return;
	}
	held = &hold->held[hold->count];
	*held = (struct sl_held){.packet = m,
	                         .nexthop = nexthop,
	                         .asked_tsc = w->now_tsc,
	                         .since_tsc = hold->since_tsc != 0 ? hold->since_tsc : w->now_tsc};
	memcpy(held->vrf, w->tables->vrf[p->vrf & (SL_MAX_VRFS - 1)].name, sizeof(held->vrf));
	hold->count++;
	note_count(w);
}

/* A packet stays longer than any reader's round: its VRF's row may be another VRF's by now. */
static bool has_vrf(const struct sl_worker *w, const struct sl_held *held)
{
	const struct sl_vrf_row *row =
		&w->tables->vrf[sl_packet(held->packet)->vrf & (SL_MAX_VRFS - 1)];

	return __atomic_load_n(&row->state, __ATOMIC_ACQUIRE) == SL_ROW_LIVE &&
	       memcmp(row->name, held->vrf, sizeof(row->name)) == 0;
}

/* Would the packet be held again, for the same next hop? Its route is looked up anew. */
static bool waits(const struct sl_worker *w, const struct sl_held *held)
{
	struct sl_packet *p = sl_packet(held->packet);
	const uint8_t *ip = sl_l3(held->packet, p);
	uint32_t root = sl_fib_root(w->tables, p->vrf, p->family);
	const struct sl_version_row *version;

	p->leaf = p->family == 4 ? sl_fib4_lookup(w->tables, root, sl_get32(ip + 16))
	                         : sl_fib6_lookup(w->tables, root, ip + 24);
	if (p->leaf == SL_LEAF_NONE)
		return false;
	if (sl_leaf_is_group(p->leaf))
		version = &w->tables->version[sl_multipath(w, held->packet, p)];
	else
		version = &w->tables->version[sl_nexthop_active(w, sl_leaf_nexthop(p->leaf))];
	return !sl_leaf_is_group(p->leaf) && sl_leaf_nexthop(p->leaf) == held->nexthop &&
	       version->kind == SL_NH_DROP && version->drop_reason == SL_DROP_sa_missing;
}

/* Take the packet out; the last one takes its place. */
static struct rte_mbuf *take(struct sl_worker *w, uint32_t i)
{
	struct sl_hold *hold = &w->hold;
	struct rte_mbuf *m = hold->held[i].packet;

	hold->held[i] = hold->held[--hold->count];
	note_count(w);
	return m;
}

/* Its interface and VRF cannot be told any more: the reason alone is counted. */
static void lose(struct sl_worker *w, uint32_t i)
{
	w->block->drops[SL_DROP_held_expired]++;
	sl_free(take(w, i));
}

uint32_t sl_hold_look(struct sl_worker *w,
                      void (*forward)(struct sl_worker *w, struct rte_mbuf *packet))
{
	struct sl_hold *hold = &w->hold;
	uint64_t hz = rte_get_tsc_hz();
	uint32_t ended = 0;

	hold->next_look_tsc = w->now_tsc + hz / SL_HOLD_LOOKS_PER_SECOND;
	for (uint32_t i = hold->count; i-- > 0;) {
		const struct sl_held *held = &hold->held[i];

		if (!has_vrf(w, held)) {
			lose(w, i);
		} else if (w->now_tsc - held->since_tsc > SL_HOLD_SECONDS * hz) {
			sl_drop(w, take(w, i), SL_DROP_held_expired);
		} else if (!waits(w, held)) {
			/* when the next route waits, too, it goes on waiting from when it came */
			hold->since_tsc = held->since_tsc;
			w->block->released++;
			forward(w, take(w, i));
			hold->since_tsc = 0;
		} else {
			continue;
		}
		ended++;
	}
	return ended;
}

void sl_hold_end(struct sl_worker *w)
{
	while (w->hold.count > 0)
		lose(w, w->hold.count - 1);
}
