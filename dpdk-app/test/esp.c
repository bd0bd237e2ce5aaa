/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing, opening and trailers of ESP, against known answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "esp/esp.h"
#include "support/hex.h"
#include "vectors/esp_kat.h"

static IMB_MGR *crypto;

static int make_manager(void **state)
{
	(void)state;
	crypto = alloc_mb_mgr(0);
	if (crypto == NULL)
		return -1;
	init_mb_mgr_auto(crypto, NULL);
	return 0;
}

static int free_manager(void **state)
{
	(void)state;
	free_mb_mgr(crypto);
	return 0;
}

static struct sl_sa_key *key_of(const struct esp_kat *kat)
{
	struct sl_sa_row row = {.algorithm = kat->algorithm};
	struct sl_sa_key *key;

	hex_bytes(kat->key, row.key, sizeof(row.key));
	hex_bytes(kat->salt, row.salt, sizeof(row.salt));
	key = sl_sa_key_new(crypto, &row);
	assert_non_null(key);
	return key;
}

static void known_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(esp_kats) / sizeof(esp_kats[0]); i++) {
		const struct esp_kat *kat = &esp_kats[i];
		struct sl_sa_key *key = key_of(kat);
		uint8_t nonce[SL_ESP_NONCE_LEN], *sealed, *packet;
		size_t n, m;

		sealed = hex_malloc(kat->sealed, &n);
		packet = malloc(n);
		assert_non_null(packet);
		m = hex_bytes(kat->plain, packet, n);
		assert_int_equal(n, m + SL_ESP_ICV_LEN);
		sl_esp_read_nonce(packet, key->salt, nonce);
		sl_esp_seal(key, packet, m - SL_ESP_FRONT_LEN, nonce);
		assert_memory_equal(packet, sealed, n);

		assert_true(sl_esp_open(key, packet, m - SL_ESP_FRONT_LEN, nonce));
		hex_bytes(kat->plain, sealed, n);
		assert_memory_equal(packet, sealed, m);
		free(packet);
		free(sealed);
		sl_sa_key_free(key);
	}
}

/* One changed bit anywhere, header and IV included, and the packet is not opened. */
static void any_flipped_bit_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(esp_kats) / sizeof(esp_kats[0]); i++) {
		const struct esp_kat *kat = &esp_kats[i];
		struct sl_sa_key *key = key_of(kat);
		size_t n;
		uint8_t *sealed = hex_malloc(kat->sealed, &n), *packet = malloc(n),
			nonce[SL_ESP_NONCE_LEN];

		assert_non_null(packet);
		for (size_t bit = 0; bit < 8 * n; bit++) {
			memcpy(packet, sealed, n);
			packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
			sl_esp_read_nonce(packet, key->salt, nonce);
			assert_false(sl_esp_open(key, packet, n - SL_ESP_FRONT_LEN - SL_ESP_ICV_LEN,
			                         nonce));
		}
		free(packet);
		free(sealed);
		sl_sa_key_free(key);
	}
}

static void authenticate_only_leaves_the_payload_readable(void **state)
{
	struct sl_sa_row row = {.algorithm = SL_ALG_AES_GMAC_256, .key = "secret", .salt = "salt"};
	struct sl_sa_key *key = sl_sa_key_new(crypto, &row);
	uint8_t packet[SL_ESP_FRONT_LEN + 8 + SL_ESP_ICV_LEN] = {0}, nonce[SL_ESP_NONCE_LEN] = {0};

	(void)state;
	assert_non_null(key);
	memcpy(packet + SL_ESP_FRONT_LEN, "readable", 8);
	sl_esp_seal(key, packet, 8, nonce);
	assert_memory_equal(packet + SL_ESP_FRONT_LEN, "readable", 8);
	sl_sa_key_free(key);
}

static void unknown_algorithms_have_no_key(void **state)
{
	(void)state;
	for (unsigned int algorithm = 0; algorithm < 256; algorithm++) {
		struct sl_sa_row row = {.algorithm = (uint8_t)algorithm};
		struct sl_sa_key *key = sl_sa_key_new(crypto, &row);

		assert_int_equal(key != NULL, algorithm >= 1 && algorithm <= SL_ALG_NULL_SHA_512);
		sl_sa_key_free(key);
	}
}

/* RFC 4303 2.4: payload, padding, pad length and next header end on a multiple, and padding is less than that. */
static void trailers_of(unsigned int align)
{
	for (size_t payload = 0; payload < 70; payload++) {
		unsigned int length = sl_esp_trailer_len(payload, align);
		uint8_t *packet = calloc(1, payload + length);
		struct sl_esp_trailer trailer;

		assert_non_null(packet);
		assert_int_equal((payload + length) % align, 0);
		assert_in_range(length, SL_ESP_TRAILER_MIN, SL_ESP_TRAILER_MIN + align - 1);
		sl_esp_write_trailer(packet + payload, length, 47);
		for (unsigned int i = 0; i + 2 < length; i++)
			assert_int_equal(packet[payload + i], i + 1);
		assert_int_equal(packet[payload + length - 2], length - 2);
		assert_true(sl_esp_read_trailer(packet, payload + length, &trailer));
		assert_int_equal(trailer.payload_len, payload);
		assert_int_equal(trailer.next_header, 47);
		free(packet);
	}
}

static void trailers(void **state)
{
	(void)state;
	trailers_of(4);
	trailers_of(16);
}

/* Where the payload would begin if its length were allowed to fall below 0, there is padding as it should be. */
static void padding_beyond(void **state)
{
	uint8_t *packet = calloc(1, UINT16_MAX + 2);
	struct sl_esp_trailer trailer;

	(void)state;
	assert_non_null(packet);
	packet[0] = 1;
	packet[1] = 137;
	packet[UINT16_MAX] = 1;
	assert_false(sl_esp_read_trailer(packet, 2, &trailer));
	free(packet);
}

/* Up to 255 bytes of padding are accepted; any wrong byte, or more than there is, is not. */
static void foreign_padding(void **state)
{
	(void)state;
	for (unsigned int padding = 0; padding < 256; padding++)
		for (unsigned int payload = 0; payload < 3; payload++) {
			size_t n = payload + padding + 2;
			uint8_t *packet = calloc(1, n);
			struct sl_esp_trailer trailer;

			assert_non_null(packet);
			for (unsigned int i = 0; i < padding; i++)
				packet[payload + i] = (uint8_t)(i + 1);
			packet[n - 2] = (uint8_t)padding;
			packet[n - 1] = 137;
			assert_true(sl_esp_read_trailer(packet, n, &trailer));
			assert_int_equal(trailer.payload_len, payload);
			assert_int_equal(trailer.next_header, 137);
			for (unsigned int i = 0; i < padding; i++) {
				packet[payload + i] ^= 0x10;
				assert_false(sl_esp_read_trailer(packet, n, &trailer));
				packet[payload + i] ^= 0x10;
			}
			if (padding < 254 - payload) {
				packet[n - 2] = (uint8_t)(padding + payload + 1);
				assert_false(sl_esp_read_trailer(packet, n, &trailer));
			}
			free(packet);
		}
}

/* The short way of reading and writing three bytes of padding at most, beside the long one. */
static void short_padding(void **state)
{
	(void)state;
	for (unsigned int change = 0; change < 4 * 256; change++)
		for (unsigned int padding = 0; padding < 6; padding++) {
			uint8_t packet[32] = {[0 ... 31] = 0xee}, written[8];
			size_t n = sizeof(packet);
			struct sl_esp_trailer trailer;
			uint64_t word;
			bool good;

			sl_esp_write_trailer(packet + n - padding - 2, padding + 2, 47);
			if (padding <= SL_ESP_SHORT_PADDING) {
				word = sl_esp_short_trailer(padding, 47);
				memcpy(written, &word, sizeof(written));
				assert_memory_equal(written, packet + n - padding - 2, padding + 2);
			}
			packet[n - 2 - change / 256] ^= (uint8_t)change;
			good = sl_esp_read_trailer(packet, n, &trailer);
			if (good && packet[n - 2] <= SL_ESP_SHORT_PADDING)
				assert_int_equal(sl_esp_short_padding(packet + n), packet[n - 2]);
			else
				assert_true(sl_esp_short_padding(packet + n) >
				            SL_ESP_SHORT_PADDING);
		}
}

/* The IV is the 64-bit sequence counter, and the nonce salt and IV. */
static void sequence_and_nonce(void **state)
{
	uint8_t esp[SL_ESP_FRONT_LEN] = {0xaa, 0xbb, 0xcc, 0xdd}, nonce[SL_ESP_NONCE_LEN],
		again[SL_ESP_NONCE_LEN];
	static const uint8_t salt[4] = {1, 2, 3, 4};
	static const uint8_t want[] = {0xaa, 0xbb, 0xcc, 0xdd, 0x12, 0x34, 0x56, 0x78,
	                               0,    0,    0,    0,    0x12, 0x34, 0x56, 0x78};
	static const uint8_t want_nonce[] = {1, 2, 3, 4, 0, 0, 0, 0, 0x12, 0x34, 0x56, 0x78};

	(void)state;
	sl_esp_write_sequence(esp, 0x12345678, salt, nonce);
	assert_memory_equal(esp, want, sizeof(want));
	assert_memory_equal(nonce, want_nonce, sizeof(want_nonce));
	sl_esp_read_nonce(esp, salt, again);
	assert_memory_equal(nonce, again, sizeof(again));
	assert_int_equal(sl_esp_spi(esp), 0xaabbccddu);
	assert_int_equal(sl_esp_sequence(esp), 0x12345678u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(any_flipped_bit_is_found),
		cmocka_unit_test(authenticate_only_leaves_the_payload_readable),
		cmocka_unit_test(unknown_algorithms_have_no_key),
		cmocka_unit_test(trailers),
		cmocka_unit_test(foreign_padding),
		cmocka_unit_test(short_padding),
		cmocka_unit_test(padding_beyond),
		cmocka_unit_test(sequence_and_nonce),
	};

	return cmocka_run_group_tests_name("esp", tests, make_manager, free_manager);
}
