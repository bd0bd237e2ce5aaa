/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPv6 header (RFC 8200) and its extension headers as far as a tunnel end point needs them.
 *
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-------+-----------+---+---------------------------------------+
 *  |Version|   DSCP    |ECN|              Flow Label               |  0
 *  +-------+-----------+---+-------+---------------+---------------+
 *  |        Payload Length         |  Next Header  |   Hop Limit   |  4
 *  +-------------------------------+---------------+---------------+
 *  |                    Source Address (16)                        |  8
 *  +---------------------------------------------------------------+
 *  |                  Destination Address (16)                     |  24
 *  +---------------------------------------------------------------+
 */
#ifndef SEALANE_NET_IP6_H
#define SEALANE_NET_IP6_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/bytes.h"
#include "net/protocol.h"

#define SL_IP6_LEN 40u
#define SL_IP6_MIN_MTU 1280u

static inline size_t sl_ip6_total_len(const uint8_t *ip) { return SL_IP6_LEN + sl_get16(ip + 4); }

/*
 * Check version and payload length of the packet at `ip`, of which `length` bytes exist.
 * A payload length of 0 is a bare header (jumbograms, RFC 2675, are not handled).
 * Returns SL_IP_OK, SL_IP_TRUNCATED or SL_IP_HEADER.
 */
static inline enum sl_ip_result sl_ip6_check(const uint8_t *ip, size_t length)
{
	if (length < SL_IP6_LEN)
		return SL_IP_TRUNCATED;
	if (ip[0] >> 4 != 6)
		return SL_IP_HEADER;
	return sl_ip6_total_len(ip) <= length ? SL_IP_OK : SL_IP_TRUNCATED;
}

/* DSCP and ECN, as in the TOS octet of IPv4. */
static inline uint8_t sl_ip6_traffic_class(const uint8_t *ip)
{
	return (uint8_t)(sl_get16(ip) >> 4);
}
static inline uint8_t sl_ip6_dscp(const uint8_t *ip)
{
	return (uint8_t)(sl_get16(ip) >> 6 & 0x3fu);
}

/* Store another DSCP (6 bits), leave ECN. */
static inline void sl_ip6_set_dscp(uint8_t *ip, uint8_t dscp)
{
	sl_put16(ip, (uint16_t)((sl_get16(ip) & 0xf03fu) | (uint32_t)dscp << 6));
}

/* Store another ECN (2 bits), leave DSCP. */
static inline void sl_ip6_set_ecn(uint8_t *ip, uint8_t ecn)
{
	ip[1] = (uint8_t)((ip[1] & 0xcfu) | (uint32_t)ecn << 4);
}

/* What lies behind the extension headers. */
struct sl_ip6_upper {
	uint16_t offset;  /* of the upper-layer header from the IPv6 header */
	uint8_t protocol; /* its number; SL_PROTO_FRAGMENT's payload protocol when `fragment` */
	bool fragment;    /* a Fragment header was met; `offset` is that of its payload */
	bool first;       /* not a fragment, or the first one: the upper-layer header is there */
};

/*
 * Walk the extension headers of a packet that passed sl_ip6_check().
 *
 * Walked: Hop-by-Hop Options (first only) and Destination Options whose unknown options may all be
 * skipped (RFC 8200 4.2: action bits 00), Routing with Segments Left 0, Fragment. At most 8 headers.
 * Returns false when the chain is malformed, too long or holds anything else that would need work
 * here: such a packet is no tunnel packet; the kernel answers it if it is for us.
 */
bool sl_ip6_walk(const uint8_t *ip, size_t length, struct sl_ip6_upper *upper);

static inline bool sl_ip6_is_multicast(const uint8_t *a) { return a[0] == 0xff; }
/* Multicast that no router forwards: interface- and link-local scope (RFC 4291 2.7). */
static inline bool sl_ip6_is_local_multicast(const uint8_t *a)
{
	return a[0] == 0xff && (a[1] & 0x0fu) <= 2;
}
static inline bool sl_ip6_is_linklocal(const uint8_t *a)
{
	return a[0] == 0xfe && (a[1] & 0xc0u) == 0x80;
}
static inline bool sl_ip6_is_unspecified(const uint8_t *a)
{
	return (sl_get64(a) | sl_get64(a + 8)) == 0;
}
static inline bool sl_ip6_is_loopback(const uint8_t *a)
{
	return sl_get64(a) == 0 && sl_get64(a + 8) == 1;
}

#endif
