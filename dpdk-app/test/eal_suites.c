/* SPDX-License-Identifier: Apache-2.0 */
/* The whole way through the worker by each suite, with extended sequence numbers and in UDP. */
#include "support/scene.h"

static struct build b;

/* One of the ways to protect packets. */
struct way {
	uint8_t algorithm;
	uint8_t esn;
	bool in_udp;
};

static void set(struct way way)
{
	struct sl_sa_row out = world_sa_row(way.algorithm, 4, false, SL_ENCAP_GRE);
	struct sl_sa_row in = world_sa_row(way.algorithm, 4, true, SL_ENCAP_GRE);
	struct sl_version_row row;

	scene_set();
	out.esn = in.esn = way.esn;
	if (way.in_udp) {
		out.udp_source_port = in.udp_destination_port = 4500;
		out.udp_destination_port = in.udp_source_port = 61234;
	}
	world_sa_out(1, &out);
	world_sa_in(1, &in);
	row = world_tunnel(SL_ENCAP_GRE, 4, 1, false);
	world_route(VRF_A, 4, THERE4, 24, world_nexthop(&row), VEC_LABEL_OUT, 0);
	world_commit();
}

static void every_way(void (*test)(struct way way))
{
	for (unsigned int algorithm = 1; algorithm <= SL_ALG_NULL_SHA_512; algorithm++)
		for (uint8_t esn = 0; esn < 2; esn++)
			for (int in_udp = 0; in_udp < 2; in_udp++) {
				struct way way = {(uint8_t)algorithm, esn, in_udp != 0};

				set(way);
				test(way);
			}
}

/* Open what was sent as the peer would; returns the inner packet, of `*length` bytes. */
static uint8_t *opened(uint8_t *frame, size_t got, struct way way, uint64_t sequence,
                       size_t *length)
{
	const struct sl_sa_key *key = world.keys_out[1];
	size_t at = 34 + (way.in_udp ? 8 : 0);
	struct sl_esp_job job = {key, frame + at, got - at - key->front_len - key->icv_len,
	                         (uint32_t)(sequence >> 32), false};
	struct sl_esp_trailer trailer;

	assert_int_equal(sl_get16(frame + 16), got - 14);
	assert_int_equal(sl_sum_fold(sl_sum(frame + 14, 20, 0)), 0xffff);
	assert_int_equal(frame[23], way.in_udp ? 17 : 50);
	if (way.in_udp) {
		assert_int_equal(sl_get16(frame + 34), 4500);
		assert_int_equal(sl_get16(frame + 36), 61234);
		assert_int_equal(sl_get16(frame + 38), got - 34);
		assert_int_equal(sl_get16(frame + 40), 0);
	}
	assert_int_equal(sl_esp_spi(job.esp), VEC_SPI_OUT);
	assert_int_equal(sl_esp_sequence(job.esp), (uint32_t)sequence);
	assert_int_equal(job.length % key->align, 0);
	if (key->special) {
		sl_esp_open_jobs(world.worker.crypto, &job, 1);
		assert_true(job.done);
	} else {
		uint8_t nonce[SL_ESP_NONCE_LEN];

		sl_esp_read_nonce(job.esp, key->salt, nonce);
		assert_true(sl_esp_open(key, job.esp, job.length, nonce));
	}
	assert_true(sl_esp_read_trailer(job.esp + key->front_len, job.length, &trailer));
	assert_int_equal(trailer.next_header, 47);
	*length = trailer.payload_len - 8u; /* GRE, label */
	return job.esp + key->front_len + 8;
}

static void goes_out(struct way way)
{
	uint64_t last = way.esn ? 0xfffffff0ull : 70;
	struct rte_mbuf *burst[SL_BURST];

	world.state->sa_out[1].last_sequence = last;
	for (unsigned int i = 0; i < SL_BURST; i++) {
		build_from_ce4(&b, THERE4, i, 64);
		burst[i] = world_frame(build_bytes(&b), build_len(&b));
	}
	sl_pipeline_receive(&world.worker, PORT_CE, burst, SL_BURST);
	sl_pipeline_flush(&world.worker);
	for (unsigned int i = 0; i < SL_BURST; i++) {
		uint8_t frame[2048], *inner;
		size_t got = world_sent(PORT_CORE, frame), length;

		inner = opened(frame, got, way, last + 1 + i, &length);
		build_from_ce4(&b, THERE4, i, 63);
		world_expect_bytes("inner", inner, length, build_bytes(&b) + 14,
		                   build_len(&b) - 14);
	}
	world_expect_quiet();
	assert_int_equal(world_all_drops(), 0);
}

static void out(void **state)
{
	(void)state;
	every_way(goes_out);
}

static void arrives(struct way way, uint64_t sequence, unsigned int tfc)
{
	build_labelled4(&b, LABEL_ALL, HERE4);
	memset(b.room + b.end, 0xee, tfc); /* RFC 4303 2.7: behind what the inner header counts */
	b.end += tfc;
	build_gre(&b, 0, 0x8847);
	build_esp(&b, 1, sequence, 47);
	if (way.in_udp)
		build_udp(&b, 61234, 4500);
	build_core4(&b, way.in_udp ? 17 : 50);
	build_receive(&b, PORT_CORE);
}

static void expect_delivered(void)
{
	uint8_t frame[2048];

	assert_int_equal(world_sent(PORT_CE, frame), 14 + 20 + 40);
	assert_memory_equal(frame + 26, THERE4, 4);
	world_expect_quiet();
	assert_int_equal(world_all_drops(), 0);
}

static void comes_in(struct way way)
{
	arrives(way, 1, 0);
	expect_delivered();
	arrives(way, 2, 37);
	expect_delivered();
	assert_int_equal(world.state->sa_in[1].packets, 2);
	assert_int_equal(world.state->sa_in[1].highest_sequence, 2);
	arrives(way, 2, 0);
	scene_expect_drops(SL_DROP_esp_replayed, 1);
}

static void in(void **state)
{
	(void)state;
	every_way(comes_in);
}

/* RFC 4303 A2: over the end of 32 bits and back within the window; another subspace is a forgery. */
static void wraps(struct way way)
{
	struct sl_sa_in_state *sa = &world.state->sa_in[1];

	if (!way.esn)
		return;
	sa->highest_sequence = 0xffffff00ull;
	arrives(way, 0xfffffff0ull, 0);
	expect_delivered();
	arrives(way, 0x100000005ull, 0);
	expect_delivered();
	assert_int_equal(sa->highest_sequence, 0x100000005ull);
	arrives(way, 0xfffffff1ull, 0);
	expect_delivered();
	assert_int_equal(sa->highest_sequence, 0x100000005ull);
	arrives(way, 0x200000006ull, 0);
	scene_expect_drops(SL_DROP_esp_auth_failed, 1);
	assert_int_equal(sa->highest_sequence, 0x100000005ull);
}

static void sequence_numbers_wrap(void **state)
{
	(void)state;
	every_way(wraps);
}

/* A burst of forged and good packets: each is judged for itself. */
static void is_judged_alone(struct way way)
{
	struct rte_mbuf *burst[SL_BURST];

	for (unsigned int i = 0; i < SL_BURST; i++) {
		build_labelled4(&b, LABEL_ALL, HERE4);
		build_gre(&b, 0, 0x8847);
		build_esp(&b, 1, 1 + i, 47);
		build_bytes(&b)[build_len(&b) - 1] ^= i % 3 == 0;
		if (way.in_udp)
			build_udp(&b, 61234, 4500);
		build_core4(&b, way.in_udp ? 17 : 50);
		burst[i] = world_frame(build_bytes(&b), build_len(&b));
	}
	sl_pipeline_receive(&world.worker, PORT_CORE, burst, SL_BURST);
	sl_pipeline_flush(&world.worker);
	for (unsigned int i = 0; i < SL_BURST; i++)
		if (i % 3 != 0) {
			uint8_t frame[2048];

			assert_int_equal(world_sent(PORT_CE, frame), 14 + 20 + 40);
		}
	scene_expect_drops(SL_DROP_esp_auth_failed, 11);
	assert_int_equal(world.state->sa_in[1].auth_failed, 11);
}

static void forged_among_good(void **state)
{
	(void)state;
	every_way(is_judged_alone);
}

/* Cut anywhere: never more than one drop, never delivered. */
static void is_cut(struct way way)
{
	size_t whole;

	build_labelled4(&b, LABEL_ALL, HERE4);
	build_gre(&b, 0, 0x8847);
	build_esp(&b, 1, 1, 47);
	whole = build_len(&b);
	for (size_t n = 12; n < whole; n++) {
		build_labelled4(&b, LABEL_ALL, HERE4);
		build_gre(&b, 0, 0x8847);
		build_esp(&b, 1, 1, 47);
		b.end -= whole - n;
		build_core4(&b, 50);
		build_receive(&b, PORT_CORE);
		assert_int_equal(world_all_drops(), 1);
		assert_int_equal(world_drops(SL_DROP_esp_truncated) +
		                         world_drops(SL_DROP_esp_auth_failed),
		                 1);
		world_expect_quiet();
		set(way);
	}
}

static void truncated(void **state)
{
	(void)state;
	for (unsigned int algorithm = 1; algorithm <= SL_ALG_NULL_SHA_512; algorithm++)
		for (uint8_t esn = 0; esn < 2; esn++) {
			struct way way = {(uint8_t)algorithm, esn, false};

			set(way);
			is_cut(way);
		}
}

/* IKE, keepalives and what only looks like ESP in UDP stay the kernel's. */
static void not_esp_in_udp(void **state)
{
	const struct way way = {SL_ALG_AES_GCM_128, 0, true};

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		struct rte_mbuf *m;

		set(way);
		build_payload(&b, i == 0 ? 1 : 60);
		memset(build_bytes(&b), i == 1 ? 0 : 0xff, i == 0 ? 1 : 4);
		build_udp(&b, 61234, i == 2 ? 4501 : 4500);
		if (i == 3)
			build_bytes(&b)[5]++; /* a length that is not the packet's */
		build_core4(&b, 17);
		build_receive(&b, PORT_CORE);
		m = world_punted();
		assert_non_null(m);
		rte_pktmbuf_free(m);
		assert_int_equal(world_all_drops(), 0);
	}
}

/* The byte limit ends an SA, as its last number does; what was sent stays below. */
static void byte_limit(void **state)
{
	uint8_t frame[2048];
	uint64_t sent = 0;

	(void)state;
	set((struct way){SL_ALG_AES_CBC_256_SHA_512, 1, false});
	world.tables->sa_out[1].byte_limit = 20000;
	for (unsigned int i = 0; i < 200; i++) {
		build_from_ce4(&b, THERE4, 100, 64);
		build_receive(&b, PORT_CE);
		sent += world_sent(PORT_CORE, frame) > 0;
	}
	assert_in_range(world.state->sa_out[1].bytes, 20000 - 2 * MTU_TUNNEL, 20000);
	scene_expect_drops(SL_DROP_sa_exhausted, 200 - sent);
}

/* A template made for another suite is refused: its IV would lie over the payload. */
static void template_of_another_suite(void **state)
{
	struct sl_sa_row other = world_sa_row(SL_ALG_AES_CBC_128_SHA_256, 4, false, SL_ENCAP_GRE);

	(void)state;
	scene_set();
	world_sa_out(1, &other);
	build_from_ce4(&b, THERE4, 100, 64);
	build_receive(&b, PORT_CE);
	scene_expect_drops(SL_DROP_sa_not_ready, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(out),
		cmocka_unit_test(in),
		cmocka_unit_test(sequence_numbers_wrap),
		cmocka_unit_test(forged_among_good),
		cmocka_unit_test(truncated),
		cmocka_unit_test(not_esp_in_udp),
		cmocka_unit_test(byte_limit),
		cmocka_unit_test(template_of_another_suite),
	};

	return cmocka_run_group_tests_name("eal_suites", tests, NULL, NULL);
}
