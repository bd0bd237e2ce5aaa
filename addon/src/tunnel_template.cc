// SPDX-License-Identifier: Apache-2.0
#include "tunnel_template.h"

#include <cstring>

#include "tables_error.h"

namespace sealane
{

namespace
{

constexpr uint16_t kEtherVlan = 0x8100;
constexpr uint16_t kEtherSvlan = 0x88a8; // in front of a tag of kEtherVlan
constexpr uint16_t kEtherIp4 = 0x0800;
constexpr uint16_t kEtherIp6 = 0x86dd;
constexpr uint16_t kEtherMpls = 0x8847;
constexpr uint8_t kProtocolUdp = 17;
constexpr uint8_t kProtocolGre = 47;
constexpr uint8_t kProtocolEsp = 50;
constexpr uint8_t kProtocolMpls = 137; // RFC 4023 3
constexpr uint32_t kLowestSpi = 256;   // RFC 4303 2.1: 1..255 are reserved

void put16(uint8_t *to, uint32_t value)
{
	to[0] = static_cast<uint8_t>(value >> 8);
	to[1] = static_cast<uint8_t>(value);
}

void put32(uint8_t *to, uint32_t value)
{
	put16(to, value >> 16);
	put16(to + 2, value & 0xffff);
}

uint32_t get16(const uint8_t *from) { return static_cast<uint32_t>(from[0] << 8 | from[1]); }

uint32_t get32(const uint8_t *from) { return get16(from) << 16 | get16(from + 2); }

uint32_t ip_ethertype(unsigned family) { return family == 4 ? kEtherIp4 : kEtherIp6; }

/// 14 bytes with this EtherType, or 18 or 22 with one or two VLAN tags before it.
void check_ethernet(const std::vector<uint8_t> &ethernet, uint32_t type)
{
	const size_t length = ethernet.size();
	if (length != 14 && length != 18 && length != 22)
		bad_argument("Ethernet header of " + std::to_string(length) +
		             " bytes: 14, or 18 with a VLAN tag, or 22 with two");
	if (length != 14 && get16(&ethernet[length - 6]) != kEtherVlan)
		bad_argument("Ethernet header of " + std::to_string(length) +
		             " bytes without an 802.1Q tag (0x8100)");
	if (length == 22 && get16(&ethernet[12]) != kEtherSvlan &&
	    get16(&ethernet[12]) != kEtherVlan)
		bad_argument("Ethernet header of 22 bytes with a first tag of neither 0x88a8 nor "
		             "0x8100");
	if (get16(&ethernet[length - 2]) != type)
		bad_argument(type == kEtherMpls ? "EtherType is not that of MPLS unicast"
		                                : "EtherType is not that of the IP family");
}

/*
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |4      |5      |   DSCP    |ECN|         Total length: 0       |
 * |        Identification: 0      |0|1|0|   Fragment offset: 0    |   DF: policy-model 21
 * |      TTL      |    Protocol   |       Header checksum: 0      |
 * |                         Source address                        |
 * |                      Destination address                      |
 */
size_t put_ip4(uint8_t *ip, const TunnelHeader &h, uint8_t protocol)
{
	ip[0] = 0x45;
	ip[1] = static_cast<uint8_t>(h.dscp << 2);
	put16(ip + 6, 0x4000);
	ip[8] = h.ttl;
	ip[9] = protocol;
	std::memcpy(ip + 12, h.source.data(), 4);
	std::memcpy(ip + 16, h.destination.data(), 4);
	return 20;
}

/*
 * |6      |   DSCP    |ECN|              Flow label               |
 * |       Payload length: 0       |  Next header  |   Hop limit   |
 * |                   Source address, 16 bytes                    |
 * |                 Destination address, 16 bytes                 |
 */
size_t put_ip6(uint8_t *ip, const TunnelHeader &h, uint8_t protocol)
{
	put32(ip, 6u << 28 | static_cast<uint32_t>(h.dscp) << 22 | h.flow_label);
	ip[6] = protocol;
	ip[7] = h.ttl;
	std::memcpy(ip + 8, h.source.data(), 16);
	std::memcpy(ip + 24, h.destination.data(), 16);
	return 40;
}

/// One's-complement sum of an IPv4 header, folded, not inverted.
uint16_t ip4_sum(const uint8_t *ip)
{
	uint32_t sum = 0;
	for (size_t i = 0; i < 20; i += 2)
		sum += get16(ip + i);
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return static_cast<uint16_t>(sum);
}

void check_labels(const std::vector<uint32_t> &labels)
{
	if (labels.size() > SL_MAX_CORE_LABELS)
		bad_argument(std::to_string(labels.size()) + " transport labels: at most " +
		             std::to_string(SL_MAX_CORE_LABELS));
	for (const uint32_t label : labels) {
		// RFC 3032 2.1: 16 up; explicit null may be asked for, implicit null is never sent
		if (label > 0xfffff || (label < 16 && label != 0 && label != 2))
			bad_argument("transport label " + std::to_string(label) +
			             " is neither 16..1048575 nor explicit null");
	}
}

void check(const TunnelHeader &h, sl_encap encap)
{
	const bool lsp = encap == SL_ENCAP_NONE;
	check_labels(h.labels);
	check_ethernet(h.ethernet, lsp || !h.labels.empty() ? kEtherMpls : ip_ethertype(h.family));
	if (lsp && h.spi)
		bad_argument("an LSP has no SPI");
	if (h.ttl == 0)
		bad_argument("outer TTL is 0");
	if (h.dscp > 63)
		bad_argument("DSCP " + std::to_string(h.dscp) + " is not within 0..63");
	if (h.flow_label > 0xfffff || (h.family != 6 && h.flow_label != 0))
		bad_argument("flow label: 20 bits, and 0 without an IPv6 header");
	if (h.udp_source != 0 && h.family != 4)
		bad_argument("ESP in UDP goes out over IPv4 alone");
	if (h.spi && *h.spi < kLowestSpi)
		bad_argument("SPI " + std::to_string(*h.spi) + " is reserved (below 256)");
}

/*
 * Label stack entries (RFC 3032): label 20, TC 3, S 1, TTL 8. S = 1 is in the last one when an IP header
 * follows; in an LSP the VPN label is the last.
 */
size_t put_labels(uint8_t *to, const TunnelHeader &h, bool bottom)
{
	size_t at = 0;
	for (const uint32_t label : h.labels) {
		put32(to + at, label << 12 | static_cast<uint32_t>(h.dscp >> 3) << 9 | h.ttl);
		at += 4;
	}
	if (bottom && at != 0)
		to[at - 2] |= 1;
	return at;
}

/// Outer IP header, UDP, ESP header and IV, GRE; returns how many bytes from `at` on.
size_t put_headers(sl_version_row &row, const TunnelHeader &header, sl_encap encap, size_t at)
{
	uint8_t *const start = row.template_bytes;
	const size_t first = at;
	const uint8_t inner = encap == SL_ENCAP_GRE ? kProtocolGre : kProtocolMpls;
	const bool in_udp = header.spi && header.udp_source != 0;
	const uint8_t protocol = in_udp ? kProtocolUdp : header.spi ? kProtocolEsp : inner;
	row.family = header.family;
	row.ip_off = static_cast<uint8_t>(at);
	if (header.family == 4) {
		at += put_ip4(start + at, header, protocol);
		row.ip4_sum = ip4_sum(start + row.ip_off);
	} else {
		at += put_ip6(start + at, header, protocol);
	}
	if (in_udp) {
		row.udp_off = static_cast<uint8_t>(at);
		put16(start + at, header.udp_source);
		put16(start + at + 2, header.udp_destination);
		at += 8; // RFC 3948 2.1: no checksum
	}
	if (header.spi) {
		row.esp_off = static_cast<uint8_t>(at);
		put32(start + at, *header.spi);
		at += 4 + 4 + size_t{header.iv_len}; // SPI, sequence number, IV
	}
	if (encap == SL_ENCAP_GRE) {
		row.gre_off = static_cast<uint8_t>(at);
		put16(start + at + 2, kEtherMpls); // RFC 2784: no checksum, version 0
		at += 4;
	}
	return at - first;
}

} // namespace

void build_tunnel(sl_version_row &row, const TunnelHeader &header, sl_encap encap)
{
	check(header, encap);
	uint8_t *const start = row.template_bytes;
	std::memset(start, 0, SL_TEMPLATE_LEN);
	std::memcpy(start, header.ethernet.data(), header.ethernet.size());
	size_t at = header.ethernet.size();
	const bool lsp = encap == SL_ENCAP_NONE;
	row.family = lsp ? 0 : header.family;
	row.ip_off = row.udp_off = row.esp_off = row.gre_off = 0;
	row.ip4_sum = 0;
	row.core_labels = static_cast<uint8_t>(header.labels.size());
	at += put_labels(start + at, header, !lsp);
	if (!lsp)
		at += put_headers(row, header, encap, at);
	row.label_off = static_cast<uint8_t>(at);
	put32(start + at, 1u << 8); // RFC 3032: S = 1
	row.template_len = static_cast<uint8_t>(at + 4);
}

TunnelHeader parse_tunnel(const sl_version_row &row)
{
	const uint8_t *const start = row.template_bytes;
	const bool lsp = row.ip_off == 0;
	const uint8_t *const ip = start + (lsp ? row.label_off : row.ip_off);
	const uint8_t *const stack = ip - size_t{row.core_labels} * 4;
	TunnelHeader h{};
	h.ethernet.assign(start, stack);
	for (const uint8_t *entry = stack; entry != ip; entry += 4)
		h.labels.push_back(get32(entry) >> 12);
	h.family = row.family;
	if (lsp) {
		if (row.core_labels != 0) {
			h.ttl = stack[3];
			h.dscp = static_cast<uint8_t>((stack[2] >> 1 & 7) << 3);
		}
	} else if (row.family == 4) {
		std::memcpy(h.source.data(), ip + 12, 4);
		std::memcpy(h.destination.data(), ip + 16, 4);
		h.ttl = ip[8];
		h.dscp = ip[1] >> 2;
	} else {
		const uint32_t first = get32(ip);
		std::memcpy(h.source.data(), ip + 8, 16);
		std::memcpy(h.destination.data(), ip + 24, 16);
		h.ttl = ip[7];
		h.dscp = first >> 22 & 63;
		h.flow_label = first & 0xfffff;
	}
	if (row.udp_off != 0) {
		h.udp_source = static_cast<uint16_t>(get16(start + row.udp_off));
		h.udp_destination = static_cast<uint16_t>(get16(start + row.udp_off + 2));
	}
	if (row.esp_off != 0) {
		h.spi = get32(start + row.esp_off);
		h.iv_len = static_cast<uint8_t>((row.gre_off != 0 ? row.gre_off : row.label_off) -
		                                row.esp_off - 8);
	}
	return h;
}

void build_adjacency(sl_version_row &row, const std::vector<uint8_t> &ethernet, unsigned family)
{
	check_ethernet(ethernet, ip_ethertype(family));
	std::memset(row.template_bytes, 0, SL_TEMPLATE_LEN);
	std::memcpy(row.template_bytes, ethernet.data(), ethernet.size());
	row.template_len = static_cast<uint8_t>(ethernet.size());
	row.ip_off = row.udp_off = row.esp_off = row.gre_off = row.label_off = 0;
	row.ip4_sum = 0;
}

} // namespace sealane
