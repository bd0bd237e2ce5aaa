/* SPDX-License-Identifier: Apache-2.0 */
/* To which flow a packet belongs, and which member of a group carries the flow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/bytes.h"
#include "net/protocol.h"
#include "tables/group.h"

#define SEED 0x5ea1a9e0d15ea5e5ull
#define PAYLOAD 24u

/* UDP from 10.0.0.1 port 1000 to 10.9.0.1 port 53. */
static size_t make4(uint8_t *ip, uint8_t protocol)
{
	memset(ip, 0, 20 + PAYLOAD);
	ip[0] = 0x45;
	sl_put16(ip + 2, 20 + PAYLOAD);
	ip[8] = 64;
	ip[9] = protocol;
	sl_put32(ip + 12, 0x0a000001);
	sl_put32(ip + 16, 0x0a090001);
	sl_put16(ip + 20, 1000);
	sl_put16(ip + 22, 53);
	return 20 + PAYLOAD;
}

static size_t make6(uint8_t *ip, uint8_t protocol, uint32_t label)
{
	memset(ip, 0, 40 + PAYLOAD);
	sl_put32(ip, 6u << 28 | label);
	sl_put16(ip + 4, PAYLOAD);
	ip[6] = protocol;
	ip[7] = 64;
	ip[8] = ip[24] = 0x20;
	ip[23] = 1;
	ip[39] = 2;
	sl_put16(ip + 40, 1000);
	sl_put16(ip + 42, 53);
	return 40 + PAYLOAD;
}

/* From a buffer that has no byte more than the packet: a read beyond it is seen by the sanitizer. */
static uint64_t flow_of(const uint8_t *ip, size_t n)
{
	uint8_t *exact = malloc(n);
	uint64_t flow;

	assert_non_null(exact);
	memcpy(exact, ip, n);
	flow = sl_flow(exact, n, ip[0] >> 4, SEED);
	free(exact);
	return flow;
}

/* Which bytes of the packet another value of matters for its flow, as a string of '0' and '1'. */
static void expect_bytes(uint8_t *ip, size_t n, const char *matter)
{
	uint64_t flow = flow_of(ip, n);

	for (size_t i = 0; matter[i] != 0; i++) {
		if (matter[i] == '.')
			continue;
		for (unsigned int bit = 0; bit < 8; bit++) {
			ip[i] ^= (uint8_t)(1u << bit);
			if ((flow_of(ip, n) != flow) != (matter[i] == '1'))
				fail_msg("byte %zu bit %u of version %u", i, bit, ip[0] >> 4);
			ip[i] ^= (uint8_t)(1u << bit);
		}
	}
	assert_int_equal(flow_of(ip, n), flow);
}

/* '.': version, header length and what makes a fragment, which change what the rest means. */
static void flow4_is_the_five_tuple(void **state)
{
	static const uint8_t ports[] = {SL_PROTO_TCP, SL_PROTO_UDP, SL_PROTO_DCCP, SL_PROTO_SCTP,
	                                SL_PROTO_UDPLITE};
	uint8_t ip[64];

	(void)state;
	for (size_t i = 0; i < sizeof(ports); i++)
		expect_bytes(ip, make4(ip, ports[i]), ".00000..0100111111111111000000000000");
	expect_bytes(ip, make4(ip, SL_PROTO_ICMP), ".00000..01001111111100000000000000000");
	expect_bytes(ip, make4(ip, SL_PROTO_ESP), ".00000..01001111111100000000000000000");
}

static void flow4_fragments_go_together(void **state)
{
	uint8_t first[64], later[64];
	size_t n = make4(first, SL_PROTO_UDP);

	(void)state;
	make4(later, SL_PROTO_UDP);
	sl_put16(first + 6, 0x2000);
	sl_put16(later + 6, 185);
	memset(later + 20, 0xee, PAYLOAD);
	assert_int_equal(flow_of(first, n), flow_of(later, n));
	expect_bytes(first, n, ".00000..01001111111100000000000000000");
}

/* Options move the ports; without room for them there are none. */
static void flow4_short_and_long_headers(void **state)
{
	uint8_t plain[64], options[64];
	size_t n = make4(plain, SL_PROTO_TCP);
	uint64_t flow = flow_of(plain, n);

	(void)state;
	make4(options, SL_PROTO_TCP);
	options[0] = 0x47;
	memset(options + 20, 1, 8);
	memcpy(options + 28, plain + 20, 4);
	assert_int_equal(flow_of(options, n), flow);
	for (n = 20; n < 24; n++)
		assert_int_not_equal(flow_of(plain, n), flow);
	assert_int_equal(flow_of(plain, 24), flow);
	assert_int_equal(flow_of(plain, 20), flow_of(plain, 23));
}

static void flow6_is_the_label_or_the_five_tuple(void **state)
{
	uint8_t ip[80];
	const char *labelled = "..110000"
			       "11111111111111111111111111111111"
			       "000000000000";
	const char *tuple = "....0010"
			    "11111111111111111111111111111111"
			    "111100000000";
	uint64_t flow;
	size_t n;

	(void)state;
	expect_bytes(ip, make6(ip, SL_PROTO_UDP, 0x12345), labelled);
	expect_bytes(ip, make6(ip, SL_PROTO_UDP, 0), tuple);
	/* the low bits of the second byte belong to the label, the others to traffic class */
	n = make6(ip, SL_PROTO_UDP, 0x12345);
	flow = flow_of(ip, n);
	ip[1] ^= 0xf0;
	assert_int_equal(flow_of(ip, n), flow);
	ip[1] ^= 0x01;
	assert_int_not_equal(flow_of(ip, n), flow);
}

/* Put an extension header of 8 bytes in front of UDP. */
static size_t extended(uint8_t *ip, uint8_t extension, const uint8_t *header)
{
	uint8_t ports[4];

	make6(ip, extension, 0);
	memcpy(ports, ip + 40, 4);
	memcpy(ip + 40, header, 8);
	memcpy(ip + 48, ports, 4);
	return 40 + PAYLOAD;
}

static void flow6_extension_headers(void **state)
{
	static const uint8_t skippable[8] = {SL_PROTO_UDP, 0, 1, 4, 0, 0, 0, 0};
	static const uint8_t unknown[8] = {SL_PROTO_UDP, 0, 0xff, 4, 0, 0, 0, 0};
	uint8_t first[8] = {SL_PROTO_UDP, 0, 0, 1, 0, 0, 0, 9};
	uint8_t later[8] = {SL_PROTO_TCP, 0, 0x05, 0xc8, 0, 0, 0, 9};
	uint8_t ip[80], other[80];
	size_t n = make6(ip, SL_PROTO_UDP, 0);
	uint64_t flow = flow_of(ip, n);

	(void)state;
	assert_int_equal(flow_of(ip, extended(ip, SL_PROTO_HOPOPTS, skippable)), flow);
	assert_int_equal(flow_of(ip, extended(ip, SL_PROTO_DSTOPTS, skippable)), flow);
	extended(ip, SL_PROTO_DSTOPTS, unknown);
	extended(other, SL_PROTO_DSTOPTS, unknown);
	other[48] ^= 1;
	assert_int_equal(flow_of(ip, n), flow_of(other, n));
	assert_int_not_equal(flow_of(ip, n), flow);
	extended(ip, SL_PROTO_FRAGMENT, first);
	extended(other, SL_PROTO_FRAGMENT, later);
	memset(other + 48, 0xee, 4);
	assert_int_equal(flow_of(ip, n), flow_of(other, n));
	assert_int_not_equal(flow_of(ip, n), flow);
}

/* A group of `n` members, as the writer makes it. */
static struct sl_group_row group_of(unsigned int n)
{
	struct sl_group_row row = {{0}};

	for (unsigned int i = 0; i < n; i++)
		row.member[i] = sl_leaf(7 + i, 100000 + i, 0);
	return row;
}

/* Flows as customers have them: consecutive hosts and ports, nothing random about them. */
static uint64_t plain_flow(unsigned int i, uint64_t seed)
{
	uint8_t ip[64];
	size_t n = make4(ip, SL_PROTO_TCP);

	sl_put32(ip + 12, 0x0a000001 + i % 64);
	sl_put16(ip + 20, (uint16_t)(32768 + i / 64));
	return sl_flow(ip, n, 4, seed);
}

/* Pearson's statistic against equal shares. */
static double chi_square(const unsigned int *seen, unsigned int n, unsigned int all)
{
	double expected = (double)all / n, sum = 0;

	for (unsigned int i = 0; i < n; i++)
		sum += (seen[i] - expected) * (seen[i] - expected) / expected;
	return sum;
}

/* Beyond this once in 10^5 draws for 15 degrees of freedom; for fewer it is rarer. */
#define CHI_LIMIT 50.0
#define FLOWS 16384u

static void members_get_equal_shares(void **state)
{
	(void)state;
	for (unsigned int n = 2; n <= SL_GROUP_MEMBERS; n++) {
		struct sl_group_row row = group_of(n);
		unsigned int seen[SL_GROUP_MEMBERS] = {0};

		for (unsigned int i = 0; i < FLOWS; i++)
			seen[sl_group_pick(&row, plain_flow(i, SEED), 0)]++;
		if (chi_square(seen, n, FLOWS) > CHI_LIMIT)
			fail_msg("%u members: chi-square %f", n, chi_square(seen, n, FLOWS));
	}
}

/* What one router sends one way is spread again by the next, which has another seed. */
static void routers_in_a_row_choose_independently(void **state)
{
	struct sl_group_row row = group_of(4);
	unsigned int seen[16] = {0};

	(void)state;
	for (unsigned int i = 0; i < FLOWS; i++)
		seen[sl_group_pick(&row, plain_flow(i, SEED), 0) * 4 +
		     sl_group_pick(&row, plain_flow(i, SEED + 1), 0)]++;
	assert_true(chi_square(seen, 16, FLOWS) < CHI_LIMIT);
}

/* Without member `gone` the others keep their flows; the row written anew agrees with the mask. */
static void only_the_flows_of_a_lost_member_move(void **state)
{
	const unsigned int gone = 2, n = 5;
	struct sl_group_row before = group_of(n), after = group_of(n);
	unsigned int moved = 0, to[SL_GROUP_MEMBERS] = {0};

	(void)state;
	for (unsigned int i = gone; i < SL_GROUP_MEMBERS - 1; i++)
		after.member[i] = before.member[i + 1];
	for (unsigned int i = 0; i < FLOWS; i++) {
		uint64_t flow = plain_flow(i, SEED);
		uint32_t was = sl_group_pick(&before, flow, 0);
		uint32_t masked = sl_group_pick(&before, flow, 1u << gone);
		uint32_t now = sl_group_pick(&after, flow, 0);

		assert_int_equal(before.member[masked], after.member[now]);
		if (was != gone) {
			assert_int_equal(masked, was);
			continue;
		}
		moved++;
		to[now]++;
	}
	assert_in_range(moved, FLOWS / n - 400, FLOWS / n + 400);
	assert_true(chi_square(to, n - 1, moved) < CHI_LIMIT);
}

static void nothing_is_picked_from_nothing(void **state)
{
	struct sl_group_row empty = {{0}}, full = group_of(SL_GROUP_MEMBERS);

	(void)state;
	assert_int_equal(sl_group_pick(&empty, 1, 0), SL_GROUP_NONE);
	assert_int_equal(sl_group_pick(&full, 1, 0xffff), SL_GROUP_NONE);
	for (unsigned int i = 0; i < SL_GROUP_MEMBERS; i++)
		assert_int_equal(sl_group_pick(&full, 1, 0xffffu & ~(1u << i)), i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flow4_is_the_five_tuple),
		cmocka_unit_test(flow4_fragments_go_together),
		cmocka_unit_test(flow4_short_and_long_headers),
		cmocka_unit_test(flow6_is_the_label_or_the_five_tuple),
		cmocka_unit_test(flow6_extension_headers),
		cmocka_unit_test(members_get_equal_shares),
		cmocka_unit_test(routers_in_a_row_choose_independently),
		cmocka_unit_test(only_the_flows_of_a_lost_member_move),
		cmocka_unit_test(nothing_is_picked_from_nothing),
	};

	return cmocka_run_group_tests_name("multipath", tests, NULL, NULL);
}
