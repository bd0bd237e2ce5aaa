/* SPDX-License-Identifier: Apache-2.0 */
/* sl_ip4_plain(), which stands for several checks at once, beside those. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/ip4.h"

/* IPv4 header without options and with a right checksum, total length `total`. */
static void make_ip4(uint8_t *ip, uint16_t total)
{
	memset(ip, 0, 20);
	ip[0] = 0x45;
	sl_put16(ip + 2, total);
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, "\x0a\x01\x01\x01\x0a\x02\x02\x02", 8);
	sl_put16(ip + 10, (uint16_t)~sl_sum_fold(sl_sum(ip, 20, 0)));
}

/* sl_ip4_plain() takes nothing that the long way would not, and leaves nothing plain to it. */
static void expect_plain(const uint8_t *ip, uint32_t length)
{
	size_t bytes = length < 20 ? length : 20; /* of a heap block, so that no other is read */
	uint8_t *copy = malloc(bytes);
	bool plain = sl_ip4_check(ip, length) == SL_IP_OK && ip[0] == 0x45;

	assert_non_null(copy);
	if (bytes != 0)
		memcpy(copy, ip, bytes);
	for (unsigned int at = 12; plain && at < 20; at += 4) {
		uint32_t address = sl_get32(ip + at);

		plain = !sl_ip4_is_martian(address) && !sl_ip4_is_multicast(address);
	}
	assert_int_equal(sl_ip4_plain(copy, length), plain ? sl_ip4_total_len(ip) : 0);
	free(copy);
}

static void ip4_plain_headers(void **state)
{
	uint8_t ip[64];

	(void)state;
	for (unsigned int first = 0; first < 256; first++) /* of either address */
		for (unsigned int at = 12; at < 20; at += 4) {
			make_ip4(ip, 40);
			ip[at] = (uint8_t)first;
			sl_put16(ip + 10, 0);
			sl_put16(ip + 10, (uint16_t)~sl_sum_fold(sl_sum(ip, 20, 0)));
			expect_plain(ip, 40);
		}
	for (uint16_t total = 0; total < 64; total++)
		for (uint32_t length = 0; length < 64; length++) {
			make_ip4(ip, total);
			expect_plain(ip, length);
		}
	for (unsigned int first = 0; first < 256; first++) {
		make_ip4(ip, 60);
		ip[0] = (uint8_t)first;
		sl_put16(ip + 10, 0);
		sl_put16(ip + 10, (uint16_t)~sl_sum_fold(sl_sum(ip, 20, 0)));
		expect_plain(ip, 60);
	}
	make_ip4(ip, 40);
	for (unsigned int bit = 0; bit < 160; bit++) {
		ip[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(sl_ip4_plain(ip, 40), 0);
		ip[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(sl_ip4_plain(ip, 40), 40);
}

/* Any octets, often with a right sum: words that carry out of 64 bits among them. */
static void any_header(void **state)
{
	uint64_t random = 0x5ea1a9e2ull;
	uint32_t plain = 0;
	uint8_t ip[20];

	(void)state;
	for (uint32_t i = 0; i < 200000; i++) {
		for (unsigned int at = 0; at < sizeof(ip); at++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			ip[at] = i % 3 == 0 && random >> 62 != 0 ? 0xff : (uint8_t)(random >> 32);
		}
		ip[0] = 0x45;
		sl_put16(ip + 2, 20);
		if (i % 2 == 0) {
			sl_put16(ip + 10, 0);
			sl_put16(ip + 10, (uint16_t)~sl_sum_fold(sl_sum(ip, 20, 0)));
		}
		expect_plain(ip, 20);
		plain += sl_ip4_plain(ip, 20) != 0;
	}
	assert_true(plain > 20000);
}

/* The checksum of a TTL one lower, from every checksum: RFC 1624 as sl_checksum_update() has it. */
static void decremented_ttl(void **state)
{
	(void)state;
	for (uint32_t sum = 0; sum <= UINT16_MAX; sum++) {
		uint8_t ip[20] = {[8] = (uint8_t)(1 + sum % 255), [9] = 17};
		uint16_t before = sl_get16(ip + 8);

		sl_put16(ip + 10, (uint16_t)sum);
		sl_ip4_decrement_ttl(ip);
		assert_int_equal(sl_get16(ip + 8), before - 0x100);
		assert_int_equal(sl_get16(ip + 10), sl_checksum_update((uint16_t)sum, before,
		                                                       (uint16_t)(before - 0x100)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip4_plain_headers),
		cmocka_unit_test(any_header),
		cmocka_unit_test(decremented_ttl),
	};

	return cmocka_run_group_tests_name("ip4_plain", tests, NULL, NULL);
}
