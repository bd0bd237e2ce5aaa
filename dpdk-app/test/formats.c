/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Byte formats: what each parser says of good and bad bytes. Every input lies in a heap block of its
 * exact size and is also given truncated at every byte, so that a sanitizer build reports any read
 * beyond it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/eth.h"
#include "net/gre.h"
#include "net/icmp.h"
#include "net/ip4.h"
#include "net/ip6.h"
#include "net/mpls.h"
#include "support/hex.h"

/* An exact-size copy of the first `n` bytes. */
static uint8_t *exact(const uint8_t *bytes, size_t n)
{
	uint8_t *copy = malloc(n); /* of 0: a block with no readable byte */

	assert_non_null(copy);
	if (n != 0)
		memcpy(copy, bytes, n);
	return copy;
}

/* IPv4 header with a right checksum over `header` bytes, total length `total`. */
static void make_ip4(uint8_t *ip, size_t header, uint16_t total)
{
	memset(ip, 0, header);
	ip[0] = (uint8_t)(0x40 | header / 4);
	sl_put16(ip + 2, total);
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, "\x0a\x01\x01\x01\x0a\x02\x02\x02", 8);
	for (size_t i = 20; i < header; i++)
		ip[i] = 1; /* option: no operation */
	sl_put16(ip + 10, (uint16_t)~sl_sum_fold(sl_sum(ip, header, 0)));
}

static void ip4_every_header_length(void **state)
{
	(void)state;
	for (size_t header = 20; header <= 60; header += 4) {
		uint8_t ip[64];

		make_ip4(ip, header, (uint16_t)(header + 4));
		memset(ip + header, 0xee, 4);
		for (size_t n = 0; n <= header + 4; n++) {
			uint8_t *copy = exact(ip, n);

			assert_int_equal(sl_ip4_check(copy, n),
			                 n == header + 4 ? SL_IP_OK : SL_IP_TRUNCATED);
			free(copy);
		}
		for (size_t bit = 0; bit < 8 * header; bit++) { /* any one bit breaks it */
			ip[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_not_equal(sl_ip4_check(ip, header + 4), SL_IP_OK);
			ip[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

static void ip4_impossible_headers(void **state)
{
	uint8_t ip[20];

	(void)state;
	for (unsigned int first = 0; first < 256; first++) {
		make_ip4(ip, 20, 20);
		ip[0] = (uint8_t)first;
		sl_put16(ip + 10, 0);
		sl_put16(ip + 10, (uint16_t)~sl_sum_fold(sl_sum(ip, 20, 0)));
		/* a longer header does not fit into a total length of 20 */
		assert_int_equal(sl_ip4_check(ip, 20), first == 0x45 ? SL_IP_OK : SL_IP_HEADER);
	}
	make_ip4(ip, 20, 19);
	assert_int_equal(sl_ip4_check(ip, 20), SL_IP_HEADER);
	make_ip4(ip, 20, 21);
	assert_int_equal(sl_ip4_check(ip, 20), SL_IP_TRUNCATED);
}

static bool ip4_checksum_good(const uint8_t *ip)
{
	return sl_sum_fold(sl_sum(ip, 20, 0)) == 0xffff;
}

/* Incremental updates leave a right checksum from every starting point, the corner 0x0000 included. */
static void ip4_incremental_updates(void **state)
{
	uint8_t ip[20];

	(void)state;
	for (unsigned int id = 0; id < 65536; id++) {
		make_ip4(ip, 20, 20);
		sl_put16(ip + 4, (uint16_t)id);
		ip[8] = (uint8_t)(id % 255 + 1);
		sl_put16(ip + 10, 0);
		sl_put16(ip + 10, (uint16_t)~sl_sum_fold(sl_sum(ip, 20, 0)));
		sl_ip4_decrement_ttl(ip);
		assert_int_equal(ip[8], id % 255);
		assert_true(ip4_checksum_good(ip));
		sl_ip4_set_ttl(ip, (uint8_t)(id >> 8));
		assert_int_equal(ip[8], id >> 8);
		assert_true(ip4_checksum_good(ip));
		ip[1] = 0;
		sl_put16(ip + 10, 0);
		sl_put16(ip + 10, (uint16_t)~sl_sum_fold(sl_sum(ip, 20, 0)));
		sl_ip4_set_dscp(ip, id & 0x3f);
		assert_int_equal(ip[1], (id & 0x3f) << 2);
		assert_true(ip4_checksum_good(ip));
	}
	ip[1] = 0xff;
	sl_ip4_set_dscp(ip, 0);
	assert_int_equal(ip[1], 3); /* ECN stays */
}

static void sums(void **state)
{
	/* RFC 1071 section 3's example */
	static const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	(void)state;
	assert_int_equal(sl_sum_fold(sl_sum(bytes, 8, 0)), 0xddf2);
	assert_int_equal(sl_sum_fold(sl_sum(bytes, 7, 0)),
	                 sl_sum_fold(0x0001 + 0xf203 + 0xf4f5 + 0xf600));
	assert_int_equal(sl_sum_fold(0xffffffffu), 0xffff);
	/* RFC 1624 section 4: HC 0xdd2f, m 0x5555, m' 0x3285 -> 0x0000 */
	assert_int_equal(sl_checksum_update(0xdd2f, 0x5555, 0x3285), 0x0000);
}

static void ip4_addresses(void **state)
{
	(void)state;
	assert_true(sl_ip4_is_multicast(0xe0000000) && sl_ip4_is_multicast(0xefffffff));
	assert_false(sl_ip4_is_multicast(0xdfffffff) || sl_ip4_is_multicast(0xf0000000));
	assert_true(sl_ip4_is_local_multicast(0xe00000ff));
	assert_false(sl_ip4_is_local_multicast(0xe0000100));
	assert_true(sl_ip4_is_martian(0) && sl_ip4_is_martian(0x00ffffff) &&
	            sl_ip4_is_martian(0x7f000001));
	assert_true(sl_ip4_is_martian(0xf0000000) && sl_ip4_is_martian(0xffffffff));
	assert_false(sl_ip4_is_martian(0x01000000) || sl_ip4_is_martian(0x80000000) ||
	             sl_ip4_is_martian(0xefffffff));
}

static void ip6_check(void **state)
{
	uint8_t ip[48] = {0x60, [5] = 8, [6] = 59, [7] = 64};

	(void)state;
	for (size_t n = 0; n <= 48; n++) {
		uint8_t *copy = exact(ip, n);

		assert_int_equal(sl_ip6_check(copy, n), n == 48 ? SL_IP_OK : SL_IP_TRUNCATED);
		free(copy);
	}
	for (unsigned int version = 0; version < 16; version++) {
		ip[0] = (uint8_t)(version << 4);
		assert_int_equal(sl_ip6_check(ip, 48), version == 6 ? SL_IP_OK : SL_IP_HEADER);
	}
}

/* Packet of extension headers `hex` whose first has number `next`. */
static size_t make_ip6(uint8_t *ip, uint8_t next, const char *hex)
{
	size_t n = hex_bytes(hex, ip + 40, 400);

	memset(ip, 0, 40);
	ip[0] = 0x60;
	sl_put16(ip + 4, (uint16_t)n);
	ip[6] = next;
	return 40 + n;
}

struct walk {
	const char *what, *hex;
	uint8_t first;
	bool walked;
	uint8_t protocol;
	uint16_t offset;
	bool fragment, is_first;
};

static const struct walk walks[] = {
	{"no extension", "", 50, true, 50, 40, false, true},
	{"hop-by-hop, PadN", "3200010400000000", 0, true, 50, 48, false, true},
	{"destination options, Pad1", "3200000000000000", 60, true, 50, 48, false, true},
	{"both", "3c000104000000003200010400000000", 0, true, 50, 56, false, true},
	{"hop-by-hop second", "00000104000000003200010400000000", 60, false, 0, 0, false, false},
	{"router alert may be skipped", "3200050200000100", 0, true, 50, 48, false, true},
	{"option to discard for", "3200850200000100", 0, false, 0, 0, false, false},
	{"option to answer for", "3200c50200000100", 60, false, 0, 0, false, false},
	{"option longer than its header", "3200010500000000", 0, false, 0, 0, false, false},
	{"option without length", "320001030000001e", 0, false, 0, 0, false, false},
	{"routing, no segment left", "32000000000000003200", 43, true, 50, 48, false, true},
	{"routing, segments left", "3200000100000000", 43, false, 0, 0, false, false},
	{"first fragment", "3200000100000001", 44, true, 50, 48, true, true},
	{"later fragment", "3200010800000001", 44, true, 50, 48, true, false},
	{"atomic fragment", "3200000000000001", 44, true, 50, 48, true, true},
	{"header longer than the packet", "3201010400000000", 0, false, 0, 0, false, false},
	{"header cut short", "32000104", 0, false, 0, 0, false, false},
	{"eight headers",
         "3c000104000000003c000104000000003c000104000000003c000104000000003c000104000000003c0001040"
         "00000003c00010400000"
         "0003200010400000000",
         60, true, 50, 104, false, true},
	{"nine headers",
         "3c000104000000003c000104000000003c000104000000003c000104000000003c000104000000003c0001040"
         "00000003c00010400000"
         "0003c000104000000003200010400000000",
         60, false, 0, 0, false, false},
	{"unknown header", "", 135, true, 135, 40, false, true},
};

static void ip6_extension_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
		const struct walk *w = &walks[i];
		struct sl_ip6_upper upper;
		uint8_t ip[512], *copy;
		size_t n = make_ip6(ip, w->first, w->hex);

		copy = exact(ip, n);
		if (sl_ip6_walk(copy, n, &upper) != w->walked)
			fail_msg("%s", w->what);
		if (w->walked && (upper.protocol != w->protocol || upper.offset != w->offset ||
		                  upper.fragment != w->fragment || upper.first != w->is_first))
			fail_msg("%s: protocol %u at %u", w->what, upper.protocol, upper.offset);
		free(copy);
		for (size_t cut = 40; cut < n; cut++) { /* no read beyond the end */
			copy = exact(ip, cut);
			if (sl_ip6_walk(copy, cut, &upper))
				assert_true(upper.offset <= cut);
			free(copy);
		}
	}
}

static void ip6_addresses(void **state)
{
	uint8_t a[16] = {0};

	(void)state;
	assert_true(sl_ip6_is_unspecified(a) && !sl_ip6_is_loopback(a));
	a[15] = 1;
	assert_true(sl_ip6_is_loopback(a) && !sl_ip6_is_unspecified(a));
	for (unsigned int second = 0; second < 256; second++) {
		a[0] = 0xff;
		a[1] = (uint8_t)second;
		assert_true(sl_ip6_is_multicast(a));
		assert_int_equal(sl_ip6_is_local_multicast(a), (second & 15) <= 2);
		a[0] = 0xfe;
		assert_int_equal(sl_ip6_is_linklocal(a), second >= 0x80 && second <= 0xbf);
	}
}

static void ip6_dscp(void **state)
{
	uint8_t ip[40] = {0x6f, 0xff, 0xff, 0xff};

	(void)state;
	for (uint8_t dscp = 0; dscp < 64; dscp++) {
		sl_ip6_set_dscp(ip, dscp);
		assert_int_equal(sl_ip6_dscp(ip), dscp);
		assert_int_equal(ip[0] >> 4, 6);
		assert_int_equal(ip[1] & 0x3f, 0x3f); /* ECN and flow label stay */
	}
}

static void ethernet(void **state)
{
	static const struct {
		const char *hex;
		uint16_t type, svlan, vlan;
		uint8_t length;
	} frames[] = {
		{"0200000000010200000000020800", 0x0800, 0, 0, 14},
		{"0200000000010200000000028100e00786dd", 0x86dd, 0, 7,
	         18}, /* priority bits are no VLAN */
		{"020000000001020000000002810000000806", 0x0806, 0, 0, 18}, /* priority tag */
		{"02000000000102000000000288a80064810000c80800", 0x0800, 100, 200, 22},
		{"02000000000102000000000281007ffe8100fffe86dd", 0x86dd, 4094, 4094, 22},
		{"02000000000102000000000288a80000810000c80800", 0x0800, 0, 200, 22},
		/* a third one is the payload's */
		{"02000000000102000000000288a80064810000c88100", 0x8100, 100, 200, 22},
		{"02000000000102000000000288a8006488a8", 0x88a8, 0, 0, 14}, /* S-tags alone */
	};
	struct sl_eth eth;
	uint8_t bytes[22];

	(void)state;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		size_t n = hex_bytes(frames[i].hex, bytes, sizeof(bytes));

		for (size_t cut = 0; cut <= n; cut++) {
			uint8_t *copy = exact(bytes, cut);

			assert_int_equal(sl_eth_parse(copy, cut, &eth), cut == n);
			free(copy);
		}
		assert_int_equal(eth.type, frames[i].type);
		assert_int_equal(eth.svlan, frames[i].svlan);
		assert_int_equal(eth.vlan, frames[i].vlan);
		assert_int_equal(eth.length, frames[i].length);
	}
	assert_true(sl_mac_is_group((const uint8_t *)"\x01\x00\x5e\x00\x00\x01"));
	assert_false(sl_mac_is_group((const uint8_t *)"\x02\x00\x5e\x00\x00\x01"));
	for (int i = 0; i < 6; i++) {
		uint8_t mac[6] = {1, 2, 3, 4, 5, 6};

		mac[i] ^= 1;
		assert_false(sl_mac_equal(mac, (const uint8_t *)"\x01\x02\x03\x04\x05\x06"));
	}
}

static void gre(void **state)
{
	uint8_t bytes[4] = {0, 0, 0x88, 0x47};

	(void)state;
	for (size_t n = 0; n <= 4; n++) {
		uint8_t *copy = exact(bytes, n);

		assert_int_equal(sl_gre_parse(copy, n), n == 4 ? SL_GRE_MPLS : SL_GRE_HEADER);
		free(copy);
	}
	for (unsigned int bit = 0; bit < 16;
	     bit++) { /* flags, reserved bits, version: none may be set */
		uint8_t other[4] = {0, 0, 0x88, 0x47};

		other[bit / 8] = (uint8_t)(1u << bit % 8);
		assert_int_equal(sl_gre_parse(other, 4), SL_GRE_HEADER);
	}
	bytes[3] = 0x48; /* MPLS multicast */
	assert_int_equal(sl_gre_parse(bytes, 4), SL_GRE_PROTOCOL);
}

static void label_stacks(void **state)
{
	static const struct {
		const char *hex;
		enum sl_mpls_result clear, secured;
		uint32_t label;
	} stacks[] = {
		{"186a11ff", SL_MPLS_OK, SL_MPLS_OK, 100001},
		{"00000040186a11ff", SL_MPLS_STACK, SL_MPLS_OK,
	         100001}, /* IPv4 explicit null above */
		{"00002040186a11ff", SL_MPLS_STACK, SL_MPLS_OK,
	         100001}, /* IPv6 explicit null above */
		{"00001040186a11ff", SL_MPLS_STACK, SL_MPLS_STACK, 0}, /* router alert above */
		{"186a10ff186a11ff", SL_MPLS_STACK, SL_MPLS_STACK, 0}, /* two labels */
		{"00000040186a10ff186a11ff", SL_MPLS_STACK, SL_MPLS_STACK, 0},
		{"0000004000000040186a11ff", SL_MPLS_STACK, SL_MPLS_STACK,
	         0},                                           /* two explicit nulls */
		{"00000140", SL_MPLS_STACK, SL_MPLS_STACK, 0}, /* explicit null alone */
		{"00002140", SL_MPLS_STACK, SL_MPLS_STACK, 0},
		{"0000004000002140", SL_MPLS_STACK, SL_MPLS_STACK, 0},
		{"00003140", SL_MPLS_OK, SL_MPLS_OK, 3}, /* reserved: no label row has it */
		{"fffff1ff", SL_MPLS_OK, SL_MPLS_OK, 0xfffff},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++)
		for (int secured = 0; secured < 2; secured++) {
			enum sl_mpls_result want = secured ? stacks[i].secured : stacks[i].clear;
			uint8_t bytes[16];
			size_t n = hex_bytes(stacks[i].hex, bytes, sizeof(bytes));
			struct sl_mpls mpls = {0};

			for (size_t cut = 0; cut < n; cut++) {
				uint8_t *copy = exact(bytes, cut);

				assert_int_not_equal(sl_mpls_parse(copy, cut, secured, &mpls),
				                     SL_MPLS_OK);
				free(copy);
			}
			assert_int_equal(sl_mpls_parse(bytes, n, secured, &mpls), want);
			if (want == SL_MPLS_OK) {
				assert_int_equal(sl_mpls_label(mpls.entry), stacks[i].label);
				assert_int_equal(mpls.length, n);
			}
		}
	assert_int_equal(sl_mpls_entry(0xabcde, 5, 77), 0xabcdebu << 8 | 77);
	assert_int_equal(sl_mpls_tc(sl_mpls_entry(1, 5, 77)), 5);
	assert_int_equal(sl_mpls_ttl(sl_mpls_entry(1, 5, 77)), 77);
	assert_true(sl_mpls_bottom(sl_mpls_entry(1, 0, 0)));
}

static void icmp_is_not_answered_about_errors(void **state)
{
	(void)state;
	for (unsigned int type = 0; type < 256; type++) {
		uint8_t byte = (uint8_t)type;
		int error4 = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;

		assert_int_equal(sl_icmp4_may_answer(1, &byte, 1), !error4);
		assert_int_equal(sl_icmp6_may_answer(58, &byte, 1), type >= 128 && type != 137);
		assert_true(sl_icmp4_may_answer(17, &byte, 1));
		assert_true(sl_icmp6_may_answer(17, &byte, 1));
	}
	assert_false(sl_icmp4_may_answer(1, NULL, 0));
	assert_false(sl_icmp6_may_answer(58, NULL, 0));
	assert_true(sl_icmp4_may_answer(17, NULL, 0));
}

static void icmp_lengths(void **state)
{
	(void)state;
	assert_int_equal(sl_icmp4_quote_len(28), 28);
	assert_int_equal(sl_icmp4_quote_len(548), 548);
	assert_int_equal(sl_icmp4_quote_len(1500), 548);
	assert_int_equal(sl_icmp6_quote_len(1232), 1232);
	assert_int_equal(sl_icmp6_quote_len(9000), 1232);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip4_every_header_length),
		cmocka_unit_test(ip4_impossible_headers),
		cmocka_unit_test(ip4_incremental_updates),
		cmocka_unit_test(sums),
		cmocka_unit_test(ip4_addresses),
		cmocka_unit_test(ip6_check),
		cmocka_unit_test(ip6_extension_headers),
		cmocka_unit_test(ip6_addresses),
		cmocka_unit_test(ip6_dscp),
		cmocka_unit_test(ethernet),
		cmocka_unit_test(gre),
		cmocka_unit_test(label_stacks),
		cmocka_unit_test(icmp_is_not_answered_about_errors),
		cmocka_unit_test(icmp_lengths),
	};

	return cmocka_run_group_tests_name("formats", tests, NULL, NULL);
}
