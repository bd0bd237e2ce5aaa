/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing and opening ESP by all suites and with extended sequence numbers, against known answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "esp/esp.h"
#include "esp/suite.h"
#include "support/hex.h"
#include "vectors/suite_kat.h"

#define KATS (sizeof(suite_kats) / sizeof(suite_kats[0]))
#define FRONT 4u /* bytes in front of the ESP header that may be used, and are restored */

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

static struct sl_sa_key *key_of(const struct suite_kat *kat)
{
	struct sl_sa_row row = {.algorithm = kat->algorithm, .esn = kat->esn};
	struct sl_sa_key *key;

	hex_bytes(kat->key, row.key, sizeof(row.key));
	hex_bytes(kat->salt, row.salt, sizeof(row.salt));
	key = sl_sa_key_new(crypto, &row);
	assert_non_null(key);
	return key;
}

/* One packet in a heap block of just its size. */
struct packet {
	struct sl_sa_key *key;
	uint8_t *block;
	size_t sealed;
};

static void fill(const char *text, uint8_t *esp, size_t room)
{
	static const uint8_t front[FRONT] = {0xf0, 0xf1, 0xf2, 0xf3};

	memcpy(esp - FRONT, front, FRONT);
	hex_bytes(text, esp, room);
}

static struct sl_esp_job begin(const struct suite_kat *kat, const char *text, struct packet *packet)
{
	packet->key = key_of(kat);
	packet->sealed = strlen(kat->sealed) / 2;
	packet->block = calloc(1, FRONT + packet->sealed);
	assert_non_null(packet->block);
	fill(text, packet->block + FRONT, packet->sealed);
	return (struct sl_esp_job){
		.key = packet->key,
		.esp = packet->block + FRONT,
		.length = packet->sealed - packet->key->front_len - packet->key->icv_len,
		.high = kat->high,
	};
}

static void end(struct packet *packet)
{
	static const uint8_t front[FRONT] = {0xf0, 0xf1, 0xf2, 0xf3};

	assert_memory_equal(packet->block, front, FRONT);
	sl_sa_key_free(packet->key);
	free(packet->block);
}

static bool is_cbc(const struct suite_kat *kat) { return sl_suite_of(kat->algorithm)->iv == 16; }

/* `n` of the known packets from `first` on, in one call: suites and lengths are mixed. */
static void open_known(size_t first, unsigned int n)
{
	struct sl_esp_job jobs[SL_ESP_JOBS_MAX];
	struct packet packets[SL_ESP_JOBS_MAX];

	for (unsigned int i = 0; i < n; i++)
		jobs[i] = begin(&suite_kats[first + i], suite_kats[first + i].sealed, &packets[i]);
	sl_esp_open_jobs(crypto, jobs, n);
	for (unsigned int i = 0; i < n; i++) {
		size_t plain_len;
		uint8_t *plain = hex_malloc(suite_kats[first + i].plain, &plain_len);

		assert_true(jobs[i].done);
		assert_memory_equal(jobs[i].esp, plain, plain_len);
		free(plain);
		end(&packets[i]);
	}
}

static void seal_known(size_t first, unsigned int n)
{
	struct sl_esp_job jobs[SL_ESP_JOBS_MAX];
	struct packet packets[SL_ESP_JOBS_MAX];

	for (unsigned int i = 0; i < n; i++)
		jobs[i] = begin(&suite_kats[first + i], suite_kats[first + i].plain, &packets[i]);
	sl_esp_seal_jobs(crypto, jobs, n);
	for (unsigned int i = 0; i < n; i++) {
		size_t sealed_len;
		uint8_t *sealed = hex_malloc(suite_kats[first + i].sealed, &sealed_len);

		assert_true(jobs[i].done);
		if (!is_cbc(&suite_kats[first + i])) /* whose IV is random */
			assert_memory_equal(jobs[i].esp, sealed, sealed_len);
		free(sealed);
	}
	/* what was sealed opens again, and only to the same */
	sl_esp_open_jobs(crypto, jobs, n);
	for (unsigned int i = 0; i < n; i++) {
		size_t plain_len, front = jobs[i].key->front_len;
		uint8_t *plain = hex_malloc(suite_kats[first + i].plain, &plain_len);

		assert_true(jobs[i].done);
		assert_memory_equal(jobs[i].esp, plain, SL_ESP_HEADER_LEN);
		assert_memory_equal(jobs[i].esp + front, plain + front, jobs[i].length);
		free(plain);
		end(&packets[i]);
	}
}

static void known_answers(void **state)
{
	static const unsigned int counts[] = {1, 2, 7, SL_ESP_JOBS_MAX};

	(void)state;
	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++)
		for (size_t i = 0; i + counts[c] <= KATS; i++) {
			open_known(i, counts[c]);
			seal_known(i, counts[c]);
		}
}

/* One changed bit anywhere, the high half included, and that packet alone is not opened. */
static void any_flipped_bit_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i + 1 < KATS; i++) {
		const struct suite_kat *kat = &suite_kats[i];
		size_t n = strlen(kat->sealed) / 2;
		struct packet packets[2];
		struct sl_esp_job jobs[2];

		if (n > 80)
			continue;
		jobs[0] = begin(kat, kat->sealed, &packets[0]);
		jobs[1] = begin(&suite_kats[KATS - 1], suite_kats[KATS - 1].sealed, &packets[1]);
		for (size_t bit = 0; bit < 8 * n + 32 * kat->esn; bit++) {
			fill(kat->sealed, jobs[0].esp, n);
			fill(suite_kats[KATS - 1].sealed, jobs[1].esp, packets[1].sealed);
			jobs[0].high = kat->high;
			if (bit < 8 * n)
				jobs[0].esp[bit / 8] ^= (uint8_t)(1u << bit % 8);
			else
				jobs[0].high ^= 1u << (bit - 8 * n);
			sl_esp_open_jobs(crypto, jobs, 2);
			assert_false(jobs[0].done);
			assert_true(jobs[1].done);
		}
		end(&packets[0]);
		end(&packets[1]);
	}
}

/* RFC 3602 3: not the counter, not that of the packet before changed a little, and another in each SA. */
static void ivs_of_cbc_are_unpredictable(void **state)
{
	struct sl_sa_row row = {.algorithm = SL_ALG_AES_CBC_128_SHA_256, .key = "known"};
	struct sl_sa_key *keys[2] = {sl_sa_key_new(crypto, &row), sl_sa_key_new(crypto, &row)};
	uint8_t packets[SL_ESP_JOBS_MAX][FRONT + 24 + 16 + 16] = {{0}};
	struct sl_esp_job jobs[SL_ESP_JOBS_MAX];
	unsigned int ones = 0;

	(void)state;
	for (unsigned int i = 0; i < SL_ESP_JOBS_MAX; i++) {
		jobs[i] = (struct sl_esp_job){keys[i % 2], packets[i] + FRONT, 16, 0, false};
		sl_esp_write_number(keys[i % 2], jobs[i].esp, 1 + i / 2);
	}
	sl_esp_seal_jobs(crypto, jobs, SL_ESP_JOBS_MAX);
	for (unsigned int i = 0; i < SL_ESP_JOBS_MAX; i++) {
		for (unsigned int j = 0; j < i; j++)
			assert_memory_not_equal(jobs[i].esp + 8, jobs[j].esp + 8, 16);
		for (unsigned int bit = 0; bit < 128; bit++)
			ones += jobs[i].esp[8 + bit / 8] >> bit % 8 & 1u;
	}
	/* half of 4096 bits, within eight standard deviations */
	assert_in_range(ones, 2048 - 256, 2048 + 256);
	sl_sa_key_free(keys[0]);
	sl_sa_key_free(keys[1]);
}

/* What the library refuses is not taken for sealed or authentic, and the others are. */
static void a_refused_packet_is_not_done(void **state)
{
	const struct suite_kat *kat = &suite_kats[KATS - 2];
	struct packet packets[3];
	struct sl_esp_job jobs[3];

	(void)state;
	for (unsigned int seal = 0; seal < 2; seal++) {
		for (unsigned int i = 0; i < 3; i++)
			jobs[i] = begin(kat, seal ? kat->plain : kat->sealed, &packets[i]);
		packets[1].key->hmac.hash = (IMB_HASH_ALG)0; /* no algorithm */
		(seal ? sl_esp_seal_jobs : sl_esp_open_jobs)(crypto, jobs, 3);
		assert_true(jobs[0].done);
		assert_false(jobs[1].done);
		assert_true(jobs[2].done);
		for (unsigned int i = 0; i < 3; i++)
			end(&packets[i]);
	}
}

static void sizes_follow_from_the_suite(void **state)
{
	(void)state;
	assert_null(sl_suite_of(0));
	assert_null(sl_suite_of(SL_ALG_NULL_SHA_512 + 1));
	for (unsigned int algorithm = 1; algorithm <= SL_ALG_NULL_SHA_512; algorithm++) {
		struct sl_sa_row row = {.algorithm = (uint8_t)algorithm};
		const struct sl_suite *suite = sl_suite_of(row.algorithm);
		struct sl_sa_key *key = sl_sa_key_new(crypto, &row);

		assert_non_null(key);
		assert_in_range(sl_suite_key_bytes(suite), 16, sizeof(row.key));
		assert_int_equal(key->front_len, 8 + suite->iv);
		assert_int_equal(key->icv_len, suite->icv);
		assert_int_equal(key->special, algorithm > SL_ALG_AES_GMAC_256);
		assert_int_equal(sl_suite_protection(suite) == SL_PROT_ENCRYPT,
		                 suite->kind != SL_SUITE_GMAC && suite->kind != SL_SUITE_NULL);
		sl_sa_key_free(key);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(any_flipped_bit_is_found),
		cmocka_unit_test(ivs_of_cbc_are_unpredictable),
		cmocka_unit_test(a_refused_packet_is_not_done),
		cmocka_unit_test(sizes_follow_from_the_suite),
	};

	return cmocka_run_group_tests(tests, make_manager, free_manager);
}
