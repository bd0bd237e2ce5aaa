/* SPDX-License-Identifier: Apache-2.0 */
/* To the kernel, by way of the control thread's ring. Once on the ring an mbuf is the control thread's. */
#include "net/eth.h"
#include "stages/capture.h"
#include "stages/packet.h"
#include "stages/tags.h"

/* False: the ring is full and the packet, its notes unchanged, still the caller's. */
static bool enqueue(struct sl_worker *w, struct rte_mbuf *m, enum sl_punt kind, uint32_t interface)
{
	struct sl_packet *p = sl_packet(m);
	uint32_t input = p->interface;

	p->punt = kind;
	p->interface = interface;
	sl_unpoison(m);
	if (unlikely(rte_ring_enqueue(w->punt, m) != 0)) {
		p->interface = input;
		return false;
	}
	if (kind == SL_PUNT_FRAME || kind == SL_PUNT_PACKET)
		sl_interface_counters(w, interface)->punted++;
	return true;
}

void sl_punt_frame(struct sl_worker *w, struct rte_mbuf *m)
{
	struct sl_packet *p = sl_packet(m);

	if (p->l3_offset > SL_ETH_LEN)
		sl_pop_tags(m, p);
	if (unlikely(!enqueue(w, m, SL_PUNT_FRAME, p->interface)))
		sl_drop(w, m, SL_DROP_punt_full);
}

void sl_punt_packet(struct sl_worker *w, struct rte_mbuf *m, uint32_t vrf)
{
	struct sl_packet *p = sl_packet(m);
	uint32_t host = w->tables->vrf[vrf & (SL_MAX_VRFS - 1)].host_interface;

	if (unlikely(host == 0)) { /* the VRF has no kernel side to take it */
		sl_drop(w, m, SL_DROP_punt_tap);
		return;
	}
	p->vrf = vrf & (SL_MAX_VRFS - 1);
	rte_pktmbuf_adj(m, p->l3_offset);
	p->l3_offset = 0;
	if (unlikely(!enqueue(w, m, SL_PUNT_PACKET, host)))
		sl_drop(w, m, SL_DROP_punt_full);
}

void sl_punt_resolve(struct sl_worker *w, struct rte_mbuf *m, const struct sl_version_row *version)
{
	static const uint8_t none[16];
	struct sl_packet *p = sl_packet(m);
	const uint8_t *ip = sl_l3(m, p);

	sl_count_drop(w, p, SL_DROP_neighbour_pending);
	if (unlikely(w->capture != NULL))
		sl_capture_drop(w, m, SL_DROP_neighbour_pending);
	memset(p->address, 0, sizeof(p->address));
	if (memcmp(version->neighbour, none, sizeof(none)) != 0) { /* a gateway */
		memcpy(p->address, version->neighbour, sizeof(p->address));
		if (version->family != 0)
			p->family = version->family;
	} else if (p->family == 4) {
		memcpy(p->address, ip + 16, 4);
	} else {
		memcpy(p->address, ip + 24, 16);
	}
	if (unlikely(!enqueue(w, m, SL_PUNT_RESOLVE, version->interface)))
		sl_free(m); /* counted above; the next packet asks again */
}

bool sl_punt_acquire(struct sl_worker *w, uint32_t nexthop)
{
	/* the ring carries words: a number is as good as a pointer */
	return rte_ring_enqueue(w->acquire, (void *)(uintptr_t)nexthop) == 0;
}

bool sl_punt_too_big(struct sl_worker *w, uint32_t sa, uint16_t mtu)
{
	return rte_ring_enqueue(w->too_big, (void *)sl_too_big_word(sa, mtu)) == 0;
}
