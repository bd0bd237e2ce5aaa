/* SPDX-License-Identifier: Apache-2.0 */
/* The one routing lookup (P11): destination address in the packet's VRF. */
#include "sealane/fib.h"
#include "stages/packet.h"
#include "stages/stage.h"

/*
 * What is looked up: an address that follows itself, as those of one flow do, only once. `slot` says
 * which lookup answers a packet.
 */
struct batch4 {
	uint32_t vrf, root, address; /* looked up last; no VRF has this number: nothing yet */
	uint32_t roots[SL_BURST];
	uint32_t addresses[SL_BURST];
	uint64_t leaves[SL_BURST];
	struct sl_packet *packets[SL_BURST];
	uint8_t slot[SL_BURST];
	unsigned int lookups, n, each; /* each: 1 when there are several roots */
};

struct batch6 {
	uint32_t roots[SL_BURST];
	uint8_t addresses[SL_BURST][16];
	uint64_t leaves[SL_BURST];
	struct sl_packet *packets[SL_BURST];
	uint8_t slot[SL_BURST];
	unsigned int lookups, n, each; /* each: 1 when there are several roots */
};

#define NO_VRF UINT32_MAX

static inline void add4(struct sl_worker *w, struct batch4 *b, struct sl_packet *p,
                        const uint8_t *ip)
{
	uint32_t address = sl_get32(ip + 16);

	if (unlikely(p->vrf != b->vrf)) {
		b->vrf = p->vrf;
		b->root = sl_fib_root(w->tables, p->vrf, 4);
		b->address = ~address;
	}
	if (address != b->address) {
		b->address = address;
		b->addresses[b->lookups] = address;
		b->roots[b->lookups++] = b->root;
		b->each |= b->root != b->roots[0];
	}
	b->slot[b->n] = (uint8_t)(b->lookups - 1);
	b->packets[b->n++] = p;
}

static void add6(struct sl_worker *w, struct batch6 *b, struct sl_packet *p, const uint8_t *ip)
{
	uint32_t root = sl_fib_root(w->tables, p->vrf, 6);
	unsigned int last = b->lookups - 1;

	if (b->lookups == 0 || memcmp(b->addresses[last], ip + 24, 16) != 0 ||
	    b->roots[last] != root) {
		last = b->lookups++;
		b->roots[last] = root;
		b->each |= root != b->roots[0];
		memcpy(b->addresses[last], ip + 24, 16);
	}
	b->slot[b->n] = (uint8_t)last;
	b->packets[b->n++] = p;
}

static void answer4(struct sl_worker *w, struct batch4 *b)
{
	sl_fib4_lookup_bulk(w->tables, b->roots, b->each, b->addresses, b->leaves, b->lookups);
	for (unsigned int i = 0; i < b->lookups; i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): the lookup has written them */
		sl_prefetch_nexthop(w, b->leaves[i]);
	for (unsigned int i = 0; i < b->n; i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): each slot is < lookups */
		b->packets[i]->leaf = b->leaves[b->slot[i]];
}

static void answer6(struct sl_worker *w, struct batch6 *b)
{
	sl_fib6_lookup_bulk(w->tables, b->roots, b->each, (const uint8_t(*)[16])b->addresses,
	                    b->leaves, b->lookups);
	for (unsigned int i = 0; i < b->lookups; i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): the lookup has written them */
		sl_prefetch_nexthop(w, b->leaves[i]);
	for (unsigned int i = 0; i < b->n; i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): each slot is < lookups */
		b->packets[i]->leaf = b->leaves[b->slot[i]];
}

/* Packets of lanes IP and LOCAL get their leaf; the others have no use for one. */
uint16_t sl_stage_lookup(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	struct batch4 four;
	struct batch6 six;

	four.n = four.lookups = four.each = 0;
	four.vrf = NO_VRF;
	four.root = four.address = 0;
	six.n = six.lookups = six.each = 0;
	for (uint16_t i = 0; i < n; i++) {
		struct sl_packet *p = sl_packet(packets[i]);

		if (unlikely(p->lane != SL_LANE_IP && p->lane != SL_LANE_LOCAL))
			continue;
		if (p->family == 4)
			add4(w, &four, p, sl_l3(packets[i], p));
		else
			add6(w, &six, p, sl_l3(packets[i], p));
	}
	if (four.n != 0)
		answer4(w, &four);
	if (six.n != 0)
		answer6(w, &six);
	return n;
}
