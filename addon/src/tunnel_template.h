// SPDX-License-Identifier: Apache-2.0
// Templates of next-hop versions: the bytes in front of an inner packet (struct sl_version_row).
#ifndef SEALANE_ADDON_TUNNEL_TEMPLATE_H
#define SEALANE_ADDON_TUNNEL_TEMPLATE_H

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "sealane/tables.h"

namespace sealane
{

/// What a tunnel's template is made of. Addresses in network order, IPv4 in the first four bytes. Of an
/// LSP (encapsulation SL_ENCAP_NONE) `ethernet`, `labels`, `ttl` and `dscp` count, and family is 0.
struct TunnelHeader {
	std::vector<uint8_t> ethernet; // 14, or 18 with an 802.1Q tag
	std::vector<uint32_t> labels;  // transport labels, outermost first
	uint8_t family;                // 4 or 6
	std::array<uint8_t, 16> source;
	std::array<uint8_t, 16> destination;
	uint8_t ttl;         // of the outer header and of the transport labels
	uint8_t dscp;        // 0..63
	uint32_t flow_label; // IPv6, 20 bits
	std::optional<uint32_t> spi;
	uint8_t iv_len;      // with ESP: 0, 8 or 16
	uint16_t udp_source; // ESP in UDP (RFC 3948) over IPv4; 0 = not
	uint16_t udp_destination;
};

/// Writes template, its length, offsets, family and ip4_sum. Throws BAD_ARGUMENT.
void build_tunnel(sl_version_row &row, const TunnelHeader &header, sl_encap encap);
/// The parts that build_tunnel() was given.
TunnelHeader parse_tunnel(const sl_version_row &row);
/// An adjacency's template is its Ethernet header. Throws BAD_ARGUMENT.
void build_adjacency(sl_version_row &row, const std::vector<uint8_t> &ethernet, unsigned family);

} // namespace sealane

#endif
