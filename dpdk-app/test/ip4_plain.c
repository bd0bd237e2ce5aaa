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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(ip4_plain_headers)};

	return cmocka_run_group_tests_name("ip4_plain", tests, NULL, NULL);
}
