/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP MSS clamping, in VRFs that want it. Not a stage of the chain: ttl_mtu brings packets of such VRFs here.
 *
 * What a SYN announces bounds the segments that come back. So it is the smaller of two MTUs that counts: that of
 * the way the SYN takes, in the hope that the far PE's way back is like it, and that of our own way back to
 * who sent it, which is exact for what comes out of a tunnel.
 */
#include "net/tcp_mss.h"
#include "sealane/fib.h"
#include "stages/ip_header.h"

#define TCP_LEN 20u
#define NO_MTU UINT16_MAX

static uint16_t way_mtu(const struct sl_worker *w, uint64_t leaf)
{
	const struct sl_version_row *version =
		&w->tables->version[sl_nexthop_active(w, sl_leaf_nexthop(leaf))];

	return version->kind == SL_NH_TUNNEL || version->kind == SL_NH_ADJACENCY ? version->mtu
	                                                                         : NO_MTU;
}

/* Of several ways the one with the smallest MTU counts: which it will be is not known. */
static uint16_t back_mtu(const struct sl_worker *w, const struct sl_packet *p, const uint8_t *ip)
{
	uint32_t root = sl_fib_root(w->tables, p->vrf, p->family);
	uint64_t leaf = p->family == 4 ? sl_fib4_lookup(w->tables, root, sl_get32(ip + 12))
	                               : sl_fib6_lookup(w->tables, root, ip + 8);
	const struct sl_group_row *group;
	uint16_t mtu = NO_MTU;

	if (leaf == SL_LEAF_NONE)
		return NO_MTU;
	if (!sl_leaf_is_group(leaf))
		return way_mtu(w, leaf);
	group = sl_find_group(w, leaf);
	for (uint32_t i = 0;
	     group != NULL && i < SL_GROUP_MEMBERS && group->member[i] != SL_LEAF_NONE; i++)
		mtu = RTE_MIN(mtu, way_mtu(w, group->member[i]));
	return mtu;
}

void sl_clamp_mss(const struct sl_worker *w, struct rte_mbuf *m, const struct sl_packet *p)
{
	const uint8_t *ip = sl_l3(m, p);
	uint16_t headers = (uint16_t)((p->family == 4 ? SL_IP4_LEN : SL_IP6_LEN) + TCP_LEN);
	struct sl_upper upper;
	uint16_t mtu;

	if (!sl_find_upper(m, p, &upper) || upper.protocol != SL_PROTO_TCP || upper.fragment)
		return;
	mtu = RTE_MIN(w->tables->version[p->version].mtu, back_mtu(w, p, ip));
	if (mtu >
	    headers) /* IP options are no part of it: senders take theirs off (RFC 9293 3.7.1) */
		sl_tcp_clamp_mss(rte_pktmbuf_mtod_offset(m, uint8_t *, upper.offset),
		                 (size_t)(m->data_len - upper.offset), (uint16_t)(mtu - headers));
}
