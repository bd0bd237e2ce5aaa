/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 and IPv6 headers, extension headers, flows, ICMP, fragmentation, MSS: from arbitrary bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/flow.h"
#include "net/icmp.h"
#include "net/ip4.h"
#include "net/ip4_fragment.h"
#include "net/ip6.h"
#include "net/tcp_mss.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A parser may promise no more bytes than there are. */
static void demand(int truth)
{
	if (!truth)
		abort();
}

/* Piece `i` in a buffer of its very size; returns where the payload it has ends. */
static size_t try_piece(const uint8_t *ip, const struct sl_ip4_cut *cut, uint16_t i, size_t mtu)
{
	size_t header = i == 0 ? cut->header_len : cut->later_len;
	size_t length = sl_ip4_piece_len(cut, i), at = sl_ip4_piece_offset(cut, i);
	uint8_t *piece = malloc(header + length);

	if (piece == NULL)
		return at + length;
	demand(length > 0 && header + length <= mtu && (i + 1 == cut->count || length % 8 == 0));
	memcpy(piece, i == 0 ? ip : cut->later, header);
	memcpy(piece + header, ip + cut->header_len + at, length);
	sl_ip4_finish_piece(piece, cut, i);
	demand(sl_ip4_check(piece, header + length) == SL_IP_OK);
	demand(sl_ip4_total_len(piece) == header + length);
	free(piece);
	return at + length;
}

/* Cut a good packet; its identification says by which MTU. All of it is in the pieces, in their order. */
static void try_cut(const uint8_t *ip)
{
	size_t total = sl_ip4_total_len(ip), end = 0;
	uint16_t mtu = (uint16_t)(sl_get16(ip + 4) % total);
	struct sl_ip4_cut cut;

	if (sl_ip4_cut(ip, mtu, &cut) != SL_IP4_CUT)
		return;
	demand(cut.count >= 2 && cut.later_len <= cut.header_len);
	for (uint16_t i = 0; i < cut.count; i++) {
		demand(sl_ip4_piece_offset(&cut, i) == end);
		end = try_piece(ip, &cut, i, mtu);
	}
	demand(end == total - cut.header_len);
}

static void try_ip4(uint8_t *ip, size_t n)
{
	uint64_t flow;
	size_t header;

	if (sl_ip4_check(ip, n) != SL_IP_OK)
		return;
	header = sl_ip4_header_len(ip);
	demand(header >= 20 && header <= sl_ip4_total_len(ip) && sl_ip4_total_len(ip) <= n);
	(void)sl_icmp4_may_answer(ip[9], ip + header, n - header);
	try_cut(ip);
	flow = sl_flow(ip, n, 4, 7);
	if (ip[8] > 0)
		sl_ip4_decrement_ttl(ip);
	sl_ip4_set_dscp(ip, ip[0] & 0x3f);
	demand(sl_ip4_check(ip, n) == SL_IP_OK);
	/* what routers on the way change is no part of a flow */
	demand(sl_flow(ip, n, 4, 7) == flow);
}

/* What chance seldom makes: a good header with up to 40 bytes of options, of as many bytes as there are. */
static void mend_ip4(uint8_t *ip, size_t n)
{
	size_t header = 20 + ip[0] % 11u * 4;

	if (header > n)
		header = 20;
	ip[0] = (uint8_t)(0x40 | header / 4);
	sl_put16(ip + 2, (uint16_t)n);
	sl_put16(ip + 10, 0);
	sl_put16(ip + 10, (uint16_t)~sl_sum_fold(sl_sum(ip, header, 0)));
	demand(sl_ip4_check(ip, n) == SL_IP_OK);
}

/* The bytes as a TCP segment. A checksum stays as good as it was; nothing but checksum and options changes. */
static void try_mss(uint8_t *tcp, size_t n)
{
	uint8_t before[20];
	uint16_t sum;

	if (n < sizeof(before))
		return;
	memcpy(before, tcp, sizeof(before));
	sum = sl_sum_fold(sl_sum(tcp, n, 0));
	if (!sl_tcp_clamp_mss(tcp, n, 536))
		return;
	demand(memcmp(before, tcp, 16) == 0 && memcmp(before + 18, tcp + 18, 2) == 0);
	demand(sl_sum_fold(sl_sum(tcp, n, 0)) == sum || sum == 0 || sum == 0xffff);
	demand(!sl_tcp_clamp_mss(tcp, n, 536));
}

static void try_ip6(const uint8_t *ip, size_t n)
{
	struct sl_ip6_upper upper;

	if (sl_ip6_check(ip, n) != SL_IP_OK)
		return;
	n = sl_ip6_total_len(ip);
	(void)sl_flow(ip, n, 6, 7);
	if (!sl_ip6_walk(ip, n, &upper))
		return;
	demand(upper.offset >= 40 && upper.offset <= n);
	demand(upper.first || upper.fragment);
	(void)sl_icmp6_may_answer(upper.protocol, ip + upper.offset, n - upper.offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size);

	if (exact == NULL)
		return 0;
	memcpy(exact, data, size);
	try_ip6(exact, size);
	try_ip4(exact, size);
	if (size >= 20 && size <= UINT16_MAX) {
		mend_ip4(exact, size);
		try_ip4(exact, size);
	}
	memcpy(exact, data, size);
	try_mss(exact, size);
	free(exact);
	return 0;
}
