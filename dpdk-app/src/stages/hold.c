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

/*
 * Have an SA asked for: once a second for each next hop, lest a few flows fill the ring that all others ask by.
 * True: asked, now or within the last second.
 */
static bool ask(struct sl_worker *w, uint32_t nexthop)
{
	uint64_t *asked = &w->hold.asked_tsc[nexthop & (SL_MAX_NEXTHOPS - 1)];

	if (*asked != 0 && w->now_tsc - *asked < rte_get_tsc_hz())
		return true;
	if (!sl_punt_acquire(w, nexthop))
		return false;
	*asked = w->now_tsc;
	return true;
}

void sl_hold_or_drop(struct sl_worker *w, struct rte_mbuf *m, uint32_t nexthop)
{
	const struct sl_packet *p = sl_packet(m);
	struct sl_hold *hold = &w->hold;
	bool asked = ask(w, nexthop);
	struct sl_held *held;

	/* what came by a label was judged by that label, which is not looked at again */
	if (!asked || p->arrival.labelled || hold->count >= w->waiting.hold ||
	    find(hold, nexthop) != NULL) {
		sl_drop(w, m, SL_DROP_sa_missing);
		return;
	}
	held = &hold->held[hold->count];
	*held = (struct sl_held){.packet = m,
	                         .nexthop = nexthop,
	                         .held_tsc = w->now_tsc,
	                         .since_tsc = hold->since_tsc != 0 ? hold->since_tsc : w->now_tsc};
	memcpy(held->vrf, w->tables->vrf[p->vrf & (SL_MAX_VRFS - 1)].name, sizeof(held->vrf));
	memcpy(held->interface, sl_interface(w, p->interface)->name, sizeof(held->interface));
	hold->count++;
	note_count(w);
}

/*
 * A packet stays longer than any reader's round: the rows of its VRF and its interface may be others' by now,
 * by whose routes and addresses it must not go.
 */
static bool has_origin(const struct sl_worker *w, const struct sl_held *held)
{
	const struct sl_packet *p = sl_packet(held->packet);
	const struct sl_vrf_row *vrf = &w->tables->vrf[p->vrf & (SL_MAX_VRFS - 1)];
	const struct sl_interface_row *interface = sl_interface(w, p->interface);

	return __atomic_load_n(&vrf->state, __ATOMIC_ACQUIRE) == SL_ROW_LIVE &&
	       memcmp(vrf->name, held->vrf, sizeof(vrf->name)) == 0 &&
	       sl_interface_live(interface) &&
	       memcmp(interface->name, held->interface, sizeof(interface->name)) == 0;
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
static void lose(struct sl_worker *w, uint32_t i, enum sl_drop_reason reason)
{
	w->block->drops[reason]++;
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

		if (!has_origin(w, held)) {
			lose(w, i, SL_DROP_held_expired);
		} else if (w->now_tsc - held->since_tsc > SL_HOLD_SECONDS * hz) {
			sl_drop(w, take(w, i), SL_DROP_held_expired);
		} else if (!waits(w, held)) {
			/* when the next route waits, too, it goes on waiting from when it came */
			hold->since_tsc = held->since_tsc;
			w->block->released++;
			forward(w, take(w, i));
			hold->since_tsc = 0;
		} else {
			/* what was asked just before may have been for an SA that came and went */
			if (hold->asked_tsc[held->nexthop & (SL_MAX_NEXTHOPS - 1)] < held->held_tsc)
				(void)ask(w, held->nexthop);
			continue;
		}
		ended++;
	}
	return ended;
}

void sl_hold_end(struct sl_worker *w)
{
	while (w->hold.count > 0) /* too early to have expired */
		lose(w, w->hold.count - 1, SL_DROP_sa_missing);
}
