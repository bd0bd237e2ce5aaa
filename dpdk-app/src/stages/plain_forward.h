/* SPDX-License-Identifier: Apache-2.0 */
/* What nexthop.c decides once for packets that follow each other, and does to nearly every one. */
#ifndef SEALANE_STAGES_PLAIN_FORWARD_H
#define SEALANE_STAGES_PLAIN_FORWARD_H

#include "stages/packet.h"
#include "stages/stage.h"

/* What became of the packet before: the same happens to the next one if it came alike. */
struct sl_route_run {
	uint64_t leaf;    /* SL_LEAF_NONE = none yet */
	uint64_t arrival; /* sl_arrival_key() */
	uint32_t version;
	uint32_t vrf;
	uint8_t lane;
	uint8_t leaves_by; /* lane to leave by; 0 = it ends here */
	bool exported;
	bool plain;         /* sl_forward_plain() may be asked */
	uint8_t header_len; /* of an adjacency */
	uint16_t mtu;       /* of the next hop */
	const uint8_t *header;
	uint64_t packets, bytes; /* plain ones from CE to CE */
};

/*
 * What nearly every packet is: IPv4 that may pass. What leaves by an adjacency gets its header here, and is in lane SENT
 * then. False: nothing has been done.
 */
static __rte_always_inline bool sl_forward_plain(struct rte_mbuf *m, struct sl_packet *p,
                                                 struct sl_route_run *run)
{
	uint32_t start = (uint32_t)m->data_off + p->l3_offset, length = sl_l3_len(m, p);
	uint8_t *ip = (uint8_t *)m->buf_addr + start;
	unsigned int front = run->header_len;

	if (unlikely(!run->plain || p->family != 4 || p->from_host || length > run->mtu ||
	             ip[8] <= 1))
		return false;
	if (run->leaves_by == SL_LANE_TUNNEL) {
		sl_ip4_decrement_ttl(ip);
		p->lane = SL_LANE_TUNNEL;
		return true;
	}
	if (unlikely(start < front))
		return false;
	sl_ip4_decrement_ttl(ip);
	m->data_off = (uint16_t)(start - front);
	p->l3_offset = (uint16_t)front;
	sl_end_at(m, (uint16_t)(front + length));
	sl_put_link_header(ip - front, run->header, front);
	p->lane = SL_LANE_SENT;
	if (!p->arrival.labelled) {
		run->packets++;
		run->bytes += length;
	}
	return true;
}

#endif
