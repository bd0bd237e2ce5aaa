/* SPDX-License-Identifier: Apache-2.0 */
/* IP header checks common to packets from CEs, from the core, out of tunnels and from the host. */
#ifndef SEALANE_STAGES_IP_HEADER_H
#define SEALANE_STAGES_IP_HEADER_H

#include "stages/packet.h"

/* Check the header at l3_offset of family p->family and trim what follows the packet. */
static inline enum sl_drop_reason sl_check_ip(struct rte_mbuf *m, const struct sl_packet *p)
{
	const uint8_t *ip = sl_l3(m, p);
	size_t length = sl_l3_len(m, p);
	enum sl_ip_result result =
		p->family == 4 ? sl_ip4_check(ip, length) : sl_ip6_check(ip, length);
	size_t total;

	if (unlikely(result != SL_IP_OK)) {
		if (result == SL_IP_CHECKSUM)
			return SL_DROP_ip4_checksum;
		return p->family == 4 ? SL_DROP_ip4_header : SL_DROP_ip6_header;
	}
	total = p->family == 4 ? sl_ip4_total_len(ip) : sl_ip6_total_len(ip);
	sl_end_at(m, (uint16_t)(p->l3_offset + total));
	return SL_DROP_none;
}

/* Lower the TTL or hop limit to `ttl`. False: it is not higher. The header was checked. */
static inline bool sl_lower_ttl(uint8_t *ip, uint8_t family, uint8_t ttl)
{
	if (ttl >= (family == 4 ? ip[8] : ip[7]))
		return false;
	if (family == 4)
		sl_ip4_set_ttl(ip, ttl);
	else
		ip[7] = ttl;
	return true;
}

/* What the addresses alone say about a packet. */
enum sl_scope {
	SL_SCOPE_ROUTED,      /* unicast, to be looked up */
	SL_SCOPE_LINK,        /* concerns this link alone: link-local, its multicast, broadcast */
	SL_SCOPE_SOURCE,      /* a source no host can have */
	SL_SCOPE_MULTICAST,   /* multicast beyond the link */
	SL_SCOPE_DESTINATION, /* a destination no host can have */
};

static inline enum sl_scope sl_ip4_scope(const uint8_t *ip)
{
	uint32_t source = sl_get32(ip + 12), destination = sl_get32(ip + 16);

	if (likely(sl_ip4_is_unicast(source) && sl_ip4_is_unicast(destination)))
		return SL_SCOPE_ROUTED;
	/* 0.0.0.0 is how a host without an address asks for one (RFC 2131) */
	if (!sl_ip4_is_unicast(source))
		return source == 0 && sl_ip4_is_broadcast(destination) ? SL_SCOPE_LINK
		                                                       : SL_SCOPE_SOURCE;
	if (sl_ip4_is_multicast(destination))
		return sl_ip4_is_local_multicast(destination) ? SL_SCOPE_LINK : SL_SCOPE_MULTICAST;
	return sl_ip4_is_broadcast(destination) ? SL_SCOPE_LINK : SL_SCOPE_DESTINATION;
}

static inline enum sl_scope sl_ip6_scope(const uint8_t *ip)
{
	const uint8_t *source = ip + 8, *destination = ip + 24;

	if (unlikely(sl_ip6_is_multicast(source) || sl_ip6_is_loopback(source)))
		return SL_SCOPE_SOURCE;
	if (unlikely(sl_ip6_is_multicast(destination)))
		return sl_ip6_is_local_multicast(destination) ? SL_SCOPE_LINK : SL_SCOPE_MULTICAST;
	/* :: is a source for neighbour discovery alone, which is multicast (RFC 4861 7.2.2) */
	if (unlikely(sl_ip6_is_unspecified(source)))
		return SL_SCOPE_SOURCE;
	if (unlikely(sl_ip6_is_unspecified(destination) || sl_ip6_is_loopback(destination)))
		return SL_SCOPE_DESTINATION;
	return unlikely(sl_ip6_is_linklocal(destination)) ? SL_SCOPE_LINK : SL_SCOPE_ROUTED;
}

static inline enum sl_scope sl_ip_scope(struct rte_mbuf *m, const struct sl_packet *p)
{
	return p->family == 4 ? sl_ip4_scope(sl_l3(m, p)) : sl_ip6_scope(sl_l3(m, p));
}

/* Why a packet whose scope is not SL_SCOPE_ROUTED is not routed. */
static inline enum sl_drop_reason sl_scope_drop(struct rte_mbuf *m, const struct sl_packet *p,
                                                enum sl_scope scope)
{
	const uint8_t *ip = sl_l3(m, p);

	if (scope == SL_SCOPE_SOURCE)
		return SL_DROP_ip_source;
	if (p->family == 4 ? sl_ip4_is_multicast(sl_get32(ip + 16)) : sl_ip6_is_multicast(ip + 24))
		return SL_DROP_ip_multicast;
	return SL_DROP_ip_destination;
}

/* The upper-layer protocol of a packet whose header was checked. */
struct sl_upper {
	uint16_t offset; /* from rte_pktmbuf_mtod */
	uint8_t protocol;
	bool fragment; /* of a datagram with this protocol */
	bool first;    /* the upper-layer header is in this packet */
};

/* False: IPv6 extension headers that are not walked (sl_ip6_walk()). */
static inline bool sl_find_upper(struct rte_mbuf *m, const struct sl_packet *p,
                                 struct sl_upper *upper)
{
	const uint8_t *ip = sl_l3(m, p);
	struct sl_ip6_upper six;

	if (p->family == 4) {
		upper->offset = (uint16_t)(p->l3_offset + sl_ip4_header_len(ip));
		upper->protocol = ip[9];
		upper->fragment = sl_ip4_is_fragment(ip);
		upper->first = !sl_ip4_is_later_fragment(ip);
		return true;
	}
	if (!sl_ip6_walk(ip, sl_l3_len(m, p), &six))
		return false;
	upper->offset = (uint16_t)(p->l3_offset + six.offset);
	upper->protocol = six.protocol;
	upper->fragment = six.fragment;
	upper->first = six.first;
	return true;
}

/* Behind the Fragment header another extension header: what is behind that only the kernel sees. */
static inline bool sl_upper_hides(const struct sl_packet *p, const struct sl_upper *upper)
{
	if (p->family != 6 || !upper->fragment)
		return false;
	switch (upper->protocol) {
	case SL_PROTO_HOPOPTS:
	case SL_PROTO_ROUTING:
	case SL_PROTO_FRAGMENT:
	case SL_PROTO_DSTOPTS:
		return true;
	default:
		return false;
	}
}

/*
 * Is this a packet for us in clear, outside of ESP, that a host policy wants inside an SA, or a message
 * about one (host_clear.c)? `upper`: NULL when sl_find_upper() did not find it.
 */
bool sl_host_policy_forbids(const struct sl_worker *w, struct rte_mbuf *m,
                            const struct sl_packet *p, const struct sl_upper *upper);

/*
 * Is this ICMP for us in the core a router's message that a packet of a tunnel was too large for it (too_big.c)? Then
 * it ends here: dropped, or believed and told to the control thread. False: the packet is still the caller's.
 */
bool sl_take_too_big(struct sl_worker *w, struct rte_mbuf *m, const struct sl_packet *p,
                     const struct sl_upper *upper);

#endif
