/* SPDX-License-Identifier: Apache-2.0 */
/* The one routing lookup (P11): destination address in the packet's VRF. */
#include "sealane/fib.h"
#include "stages/packet.h"
#include "stages/stage.h"

struct batch4 {
	uint32_t roots[SL_BURST];
	uint32_t addresses[SL_BURST];
	uint64_t leaves[SL_BURST];
	struct sl_packet *packets[SL_BURST];
	unsigned int n;
};

struct batch6 {
	uint32_t roots[SL_BURST];
	uint8_t addresses[SL_BURST][16];
	uint64_t leaves[SL_BURST];
	struct sl_packet *packets[SL_BURST];
	unsigned int n;
};

static void add4(struct sl_worker *w, struct batch4 *b, struct sl_packet *p, const uint8_t *ip)
{
	b->roots[b->n] = sl_fib_root(w->tables, p->vrf, 4);
	b->addresses[b->n] = sl_get32(ip + 16);
	b->packets[b->n++] = p;
}

static void add6(struct sl_worker *w, struct batch6 *b, struct sl_packet *p, const uint8_t *ip)
{
	b->roots[b->n] = sl_fib_root(w->tables, p->vrf, 6);
	memcpy(b->addresses[b->n], ip + 24, 16);
	b->packets[b->n++] = p;
}

/* Packets of lanes IP and LOCAL get their leaf; the others have no use for one. */
uint16_t sl_stage_lookup(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	struct batch4 four;
	struct batch6 six;

	four.n = 0;
	six.n = 0;
	for (uint16_t i = 0; i < n; i++) {
		struct sl_packet *p = sl_packet(packets[i]);

		if (unlikely(p->lane != SL_LANE_IP && p->lane != SL_LANE_LOCAL))
			continue;
		if (p->family == 4)
			add4(w, &four, p, sl_l3(packets[i], p));
		else
			add6(w, &six, p, sl_l3(packets[i], p));
	}
	if (four.n != 0) {
		sl_fib4_lookup_bulk(w->tables, four.roots, four.addresses, four.leaves, four.n);
		for (unsigned int i = 0; i < four.n; i++)
			four.packets[i]->leaf = four.leaves[i];
	}
	if (six.n != 0) {
		sl_fib6_lookup_bulk(w->tables, six.roots, (const uint8_t(*)[16])six.addresses,
		                    six.leaves, six.n);
		for (unsigned int i = 0; i < six.n; i++)
			six.packets[i]->leaf = six.leaves[i];
	}
	return n;
}
