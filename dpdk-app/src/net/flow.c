/* SPDX-License-Identifier: Apache-2.0 */
#include "net/flow.h"

#include <stdbool.h>

#include "net/ip4.h"
#include "net/ip6.h"

#define SL_PORTS_LEN 4u            /* source and destination, in front of the header */
#define SL_FLOW_LABEL (1ull << 63) /* tells a flow label from protocol and ports */

static bool has_ports(uint8_t protocol)
{
	switch (protocol) {
	case SL_PROTO_TCP:
	case SL_PROTO_UDP:
	case SL_PROTO_DCCP:
	case SL_PROTO_SCTP:
	case SL_PROTO_UDPLITE:
		return true;
	default:
		return false;
	}
}

/* Protocol, and the ports of the header at `offset` when it is there and whole. */
static uint64_t upper_word(const uint8_t *ip, size_t length, size_t offset, uint8_t protocol,
                           bool fragment)
{
	uint64_t word = (uint64_t)protocol << 32;

	if (!fragment && has_ports(protocol) && length >= offset + SL_PORTS_LEN)
		word |= sl_get32(ip + offset);
	return word;
}

static uint64_t flow4(const uint8_t *ip, size_t length, uint64_t seed)
{
	uint64_t flow = sl_mix64(seed ^ sl_get64(ip + 12));

	return sl_mix64(flow ^ upper_word(ip, length, sl_ip4_header_len(ip), ip[9],
	                                  sl_ip4_is_fragment(ip)));
}

static uint64_t flow6(const uint8_t *ip, size_t length, uint64_t seed)
{
	uint32_t label = sl_get32(ip) & 0xfffffu;
	struct sl_ip6_upper upper;
	uint64_t word = 0, flow = seed;

	for (unsigned int at = 8; at < SL_IP6_LEN; at += 8)
		flow = sl_mix64(flow ^ sl_get64(ip + at));
	/* the protocol behind a later fragment is not the datagram's (RFC 8200 4.5) */
	if (label != 0)
		word = SL_FLOW_LABEL | label;
	else if (sl_ip6_walk(ip, length, &upper) && !upper.fragment)
		word = upper_word(ip, length, upper.offset, upper.protocol, false);
	return sl_mix64(flow ^ word);
}

uint64_t sl_flow(const uint8_t *ip, size_t length, uint8_t family, uint64_t seed)
{
	return family == 4 ? flow4(ip, length, seed) : flow6(ip, length, seed);
}
