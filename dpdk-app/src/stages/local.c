/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Core packets that are not whole ESP packets, with their route in the core's table found. For us: ESP in UDP, a
 * tunnel packet in clear, where the interface accepts that, a fragment of a tunnel packet, or a packet for the kernel
 * (IKE, BGP, ping).
 */
#include "stages/esp_in_udp.h"
#include "stages/ip_header.h"
#include "stages/reassemble.h"
#include "stages/stage.h"

/* `clear`: the drop reason when the interface's flags lack `accept`. */
static enum sl_drop_reason take_tunnel(const struct sl_worker *w, struct sl_packet *p,
                                       uint32_t accept, enum sl_drop_reason clear,
                                       enum sl_encap encap)
{
	if (!(sl_interface_flags(sl_interface(w, p->interface)) & accept))
		return clear;
	p->arrival.protection = SL_PROT_TUNNEL;
	p->arrival.encap = encap;
	p->arrival.labelled = 1;
	p->lane = encap == SL_ENCAP_GRE ? SL_LANE_GRE : SL_LANE_MPLS;
	return SL_DROP_none;
}

static bool is_tunnel(uint8_t protocol)
{
	return protocol == SL_PROTO_ESP || protocol == SL_PROTO_GRE || protocol == SL_PROTO_MPLS;
}

/* Whole UDP whose ESP goes on; false: it is something else. */
static bool take_esp_in_udp(const struct rte_mbuf *m, struct sl_packet *p, uint16_t offset)
{
	if (!sl_is_esp_in_udp(m, offset))
		return false;
	p->lane = SL_LANE_ESP;
	p->in_udp = 1;
	p->upper_offset = (uint16_t)(offset + SL_UDP_LEN);
	return true;
}

/* A fragment of UDP: NULL, or the ESP that it made whole. What else it made whole is the kernel's. */
static struct rte_mbuf *take_udp_fragment(struct sl_worker *w, struct rte_mbuf *m,
                                          const struct sl_upper *upper)
{
	m = sl_reassemble(w, m, upper);
	if (m == NULL || take_esp_in_udp(m, sl_packet(m), sl_packet(m)->upper_offset))
		return m;
	sl_punt_frame(w, m);
	return NULL;
}

/* What kind of tunnel packet it is; the lane is noted. */
static enum sl_drop_reason sort(const struct sl_worker *w, struct sl_packet *p, uint8_t protocol)
{
	if (protocol == SL_PROTO_GRE)
		return take_tunnel(w, p, SL_IF_ACCEPT_GRE, SL_DROP_gre_clear, SL_ENCAP_GRE);
	if (protocol == SL_PROTO_MPLS)
		return take_tunnel(w, p, SL_IF_ACCEPT_IP, SL_DROP_mpls_in_ip_clear, SL_ENCAP_IP);
	p->lane = SL_LANE_ESP; /* a fragment: whole packets have that lane already */
	return SL_DROP_none;
}

/* The packet to go on with: this one, or what its last fragment made whole; NULL: none. */
static struct rte_mbuf *take(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p)
{
	const struct sl_version_row *version =
		&w->tables->version[sl_nexthop_active(w, sl_leaf_nexthop(p->leaf))];
	enum sl_drop_reason reason = SL_DROP_core_transit;
	struct sl_upper upper;
	bool walked;

	/* a group would name no next hop here; the core's table has none */
	if (p->leaf == SL_LEAF_NONE || sl_leaf_is_group(p->leaf) ||
	    version->kind != SL_NH_RECEIVE || version->vrf != SL_VRF_CORE)
		goto drop;
	walked = sl_find_upper(m, p, &upper);
	if (walked && upper.protocol == SL_PROTO_UDP) {
		if (!upper.fragment && take_esp_in_udp(m, p, upper.offset))
			return m;
		if (upper.fragment && __atomic_load_n(w->takes_udp, __ATOMIC_RELAXED))
			return take_udp_fragment(w, m, &upper);
	}
	if (walked && upper.protocol == (p->family == 4 ? SL_PROTO_ICMP : SL_PROTO_ICMP6) &&
	    sl_take_too_big(w, m, p, &upper))
		return NULL;
	if (!walked || !is_tunnel(upper.protocol)) {
		reason = SL_DROP_host_policy_clear;
		if (sl_host_policy_forbids(w, m, p, walked ? &upper : NULL))
			goto drop;
		sl_punt_frame(w, m);
		return NULL;
	}
	reason = sort(w, p, upper.protocol);
	if (reason != SL_DROP_none)
		goto drop;
	if (unlikely(upper.fragment))
		return sl_reassemble(w, m, &upper);
	p->upper_offset = upper.offset;
	return m;
drop:
	sl_drop(w, m, reason);
	return NULL;
}

uint16_t sl_stage_local(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	uint16_t kept = 0;

	w->unclaimed = false;
	for (uint16_t i = 0; i < n; i++) {
		struct sl_packet *p = sl_packet(packets[i]);
		struct rte_mbuf *m = packets[i];

		if (p->lane == SL_LANE_LOCAL)
			m = take(w, m, p);
		if (m != NULL)
			packets[kept++] = m;
	}
	return kept;
}
