/* SPDX-License-Identifier: Apache-2.0 */
/* BFD Control packets, against packets of other implementations, and keyed SHA1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <intel-ipsec-mb.h>

#include "bfd/bfd_auth.h"
#include "bfd/bfd_packet.h"
#include "support/hex.h"
#include "vectors/bfd.h"

static IMB_MGR *crypto;

static void sha1(void *context, const uint8_t *data, size_t length, uint8_t out[20])
{
	IMB_SHA1((IMB_MGR *)context, data, length, out);
}

static struct sl_bfd_hasher hasher = {.sha1 = sha1};

static int make_manager(void **state)
{
	(void)state;
	crypto = alloc_mb_mgr(0);
	if (crypto == NULL)
		return -1;
	init_mb_mgr_auto(crypto, NULL);
	hasher.context = crypto;
	return 0;
}

static int free_manager(void **state)
{
	(void)state;
	free_mb_mgr(crypto);
	return 0;
}

static void expect_packet(const struct sl_bfd_packet *got, const struct sl_bfd_packet *want)
{
	assert_int_equal(got->diag, want->diag);
	assert_int_equal(got->state, want->state);
	assert_int_equal(got->poll, want->poll);
	assert_int_equal(got->final, want->final);
	assert_int_equal(got->independent, want->independent);
	assert_int_equal(got->authenticated, want->authenticated);
	assert_int_equal(got->demand, want->demand);
	assert_int_equal(got->detect_mult, want->detect_mult);
	assert_int_equal(got->length, want->length);
	assert_int_equal(got->my_discr, want->my_discr);
	assert_int_equal(got->your_discr, want->your_discr);
	assert_int_equal(got->desired_min_tx_us, want->desired_min_tx_us);
	assert_int_equal(got->required_min_rx_us, want->required_min_rx_us);
	assert_int_equal(got->required_min_echo_rx_us, want->required_min_echo_rx_us);
	assert_int_equal(got->auth_type, want->auth_type);
	assert_int_equal(got->auth_length, want->auth_length);
}

static void test_vectors(void **cmocka)
{
	(void)cmocka;
	for (size_t i = 0; i < sizeof(bfd_vectors) / sizeof(bfd_vectors[0]); i++) {
		const struct bfd_vector *vector = &bfd_vectors[i];
		struct sl_bfd_packet packet;
		uint8_t out[SL_BFD_HEADER_BYTES];
		size_t n;
		uint8_t *bytes = hex_malloc(vector->hex, &n);

		assert_int_equal(sl_bfd_decode(bytes, n, &packet), SL_BFD_OK);
		expect_packet(&packet, &vector->packet);
		/* and back, the authentication section aside */
		assert_int_equal(sl_bfd_encode(&packet, out), n);
		assert_memory_equal(out, bytes, sizeof(out));
		free(bytes);
	}
}

static enum sl_bfd_fault fault_of(const char *hex, size_t cut)
{
	struct sl_bfd_packet packet;
	size_t n;
	uint8_t *bytes = hex_malloc(hex, &n);
	uint8_t *exact = malloc(n - cut == 0 ? 1 : n - cut);
	enum sl_bfd_fault fault;

	assert_non_null(exact);
	memcpy(exact, bytes, n - cut);
	fault = sl_bfd_decode(exact, n - cut, &packet);
	free(exact);
	free(bytes);
	return fault;
}

#define REST "000f4240000f424000000000" /* intervals of a second, no echo */

static const struct {
	const char *hex;
	enum sl_bfd_fault fault;
} discarded[] = {
	{"20400318"
         "00000001"
         "00000000" REST,
         SL_BFD_OK},
	{"20400318"
         "00000001"
         "00000000" REST "ffff",
         SL_BFD_OK}, /* octets behind it */
	{"00400318"
         "00000001"
         "00000000" REST,
         SL_BFD_BAD_VERSION},
	{"40400318"
         "00000001"
         "00000000" REST,
         SL_BFD_BAD_VERSION},
	{"20400317"
         "00000001"
         "00000000" REST,
         SL_BFD_BAD_LENGTH},
	{"20400319"
         "00000001"
         "00000000" REST,
         SL_BFD_BAD_LENGTH},
	{"20440318"
         "00000001"
         "00000000" REST,
         SL_BFD_BAD_LENGTH}, /* A, Length 24 */
	{"20440319"
         "00000001"
         "00000000" REST "04",
         SL_BFD_BAD_LENGTH},
	{"20400018"
         "00000001"
         "00000000" REST,
         SL_BFD_BAD_MULT},
	{"20410318"
         "00000001"
         "00000000" REST,
         SL_BFD_MULTIPOINT},
	{"20400318"
         "00000000"
         "00000000" REST,
         SL_BFD_NO_DISCR},
	{"20800318"
         "00000001"
         "00000000" REST,
         SL_BFD_BAD_STATE}, /* Init to nobody */
	{"20c00318"
         "00000001"
         "00000000" REST,
         SL_BFD_BAD_STATE}, /* Up to nobody */
	{"20c00318"
         "00000001"
         "00000007" REST,
         SL_BFD_OK},
	{"20000318"
         "00000001"
         "00000000" REST,
         SL_BFD_OK}, /* AdminDown to nobody */
	{"2044031a"
         "00000001"
         "00000000" REST "0401",
         SL_BFD_BAD_AUTH},
	{"2044031a"
         "00000001"
         "00000000" REST "0403",
         SL_BFD_BAD_AUTH},
	{"2044031a"
         "00000001"
         "00000000" REST "0402",
         SL_BFD_OK},
};

static void test_discarded(void **cmocka)
{

	(void)cmocka;
	for (size_t i = 0; i < sizeof(discarded) / sizeof(discarded[0]); i++)
		if (fault_of(discarded[i].hex, 0) != discarded[i].fault)
			fail_msg("case %zu: %d instead of %d", i,
			         (int)fault_of(discarded[i].hex, 0), (int)discarded[i].fault);
	for (size_t cut = 1; cut <= 24; cut++)
		assert_int_equal(fault_of(discarded[0].hex, cut), SL_BFD_TRUNCATED);
}

static struct sl_bfd_auth auth_of(uint8_t type)
{
	struct sl_bfd_auth auth = {0};
	struct sl_bfd_key key = {.type = type, .id = 7};

	memcpy(key.octets, BFD_SECRET, strlen(BFD_SECRET));
	sl_bfd_auth_set(&auth, &key, 0);
	return auth;
}

/* What BIRD sent is believed, and with any bit of it changed it is not. */
static void test_authentic(void **cmocka)
{
	struct sl_bfd_packet packet;
	size_t n;

	(void)cmocka;
	for (size_t i = 0; i < sizeof(bfd_sealed) / sizeof(bfd_sealed[0]); i++) {
		uint8_t *bytes = hex_malloc(bfd_sealed[i].hex, &n);
		struct sl_bfd_auth auth = auth_of(bfd_sealed[i].type);

		assert_int_equal(sl_bfd_decode(bytes, n, &packet), SL_BFD_OK);
		assert_true(sl_bfd_auth_check(&auth, &hasher, &packet, bytes, 1));
		assert_int_equal(auth.rcv_seq, bfd_sealed[i].sequence);
		for (size_t bit = 0; bit < n * 8; bit++) {
			auth = auth_of(bfd_sealed[i].type);
			bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			if (sl_bfd_decode(bytes, n, &packet) == SL_BFD_OK && packet.authenticated)
				assert_false(sl_bfd_auth_check(&auth, &hasher, &packet, bytes, 1));
			assert_false(auth.seq_known);
			bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		auth = auth_of(bfd_sealed[i].type);
		auth.key.octets[19] ^= 1;
		assert_int_equal(sl_bfd_decode(bytes, n, &packet), SL_BFD_OK);
		assert_false(sl_bfd_auth_check(&auth, &hasher, &packet, bytes, 1));
		free(bytes);
	}
}

/* Our seal of the same packet is BIRD's. */
static void test_sealed_alike(void **cmocka)
{
	struct sl_bfd_packet packet;
	size_t n;

	(void)cmocka;
	for (size_t i = 0; i < sizeof(bfd_sealed) / sizeof(bfd_sealed[0]); i++) {
		uint8_t out[SL_BFD_MAX_BYTES];
		uint8_t *bytes = hex_malloc(bfd_sealed[i].hex, &n);
		struct sl_bfd_auth auth = auth_of(bfd_sealed[i].type);

		auth.xmit_seq = bfd_sealed[i].sequence - 1;
		assert_int_equal(sl_bfd_decode(bytes, n, &packet), SL_BFD_OK);
		assert_int_equal(sl_bfd_encode(&packet, out), n);
		sl_bfd_auth_seal(&auth, &hasher, out);
		assert_memory_equal(out, bytes, n);
		free(bytes);
	}
}

/* A packet of ours with this sequence number, checked by an auth that is at `last`. */
static bool follows(uint8_t type, uint32_t last, uint32_t seq, uint64_t now_ns)
{
	struct sl_bfd_packet packet = {.state = SL_BFD_UP,
	                               .authenticated = true,
	                               .detect_mult = 3,
	                               .my_discr = 1,
	                               .your_discr = 2};
	struct sl_bfd_auth sender = auth_of(type), receiver = auth_of(type);
	uint8_t bytes[SL_BFD_MAX_BYTES];

	sender.xmit_seq = seq - 1;
	(void)sl_bfd_encode(&packet, bytes);
	sl_bfd_auth_seal(&sender, &hasher, bytes);
	receiver.seq_known = true;
	receiver.rcv_seq = last;
	receiver.forget_ns = 1000;
	assert_int_equal(sl_bfd_decode(bytes, sizeof(bytes), &packet), SL_BFD_OK);
	return sl_bfd_auth_check(&receiver, &hasher, &packet, bytes, now_ns);
}

/* RFC 5880 section 6.7.4: the window is 3 * Detect Mult, from the next number on when meticulous. */
static void test_sequence_window(void **cmocka)
{
	(void)cmocka;
	for (int i = 0; i < 2; i++) {
		uint8_t type = i == 0 ? SL_BFD_AUTH_KEYED_SHA1 : SL_BFD_AUTH_METICULOUS_SHA1;
		bool meticulous = i == 1;

		assert_int_equal(follows(type, 100, 100, 1), !meticulous);
		assert_true(follows(type, 100, 101, 1));
		assert_true(follows(type, 100, 109, 1));
		assert_false(follows(type, 100, 110, 1));
		assert_false(follows(type, 100, 99, 1));
		assert_true(follows(type, 0xfffffffe, 3, 1)); /* circular */
		assert_false(follows(type, 3, 0xfffffffe, 1));
		/* forgotten after two Detection Times of silence */
		assert_false(follows(type, 100, 5000, 999));
		assert_true(follows(type, 100, 5000, 1000));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),         cmocka_unit_test(test_discarded),
		cmocka_unit_test(test_authentic),       cmocka_unit_test(test_sealed_alike),
		cmocka_unit_test(test_sequence_window),
	};

	return cmocka_run_group_tests(tests, make_manager, free_manager);
}
