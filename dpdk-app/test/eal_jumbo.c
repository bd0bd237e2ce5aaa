/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of 9000 bytes in chained buffers, both ways by every suite; and when there is no large buffer. */
#include "support/drops.h"

enum { JUMBO_BUFFERS = 63, JUMBO_MTU = 9216, SEGMENT = 2000 };

static void set_mtus(void)
{
	for (uint32_t id = 1; id <= world.versions; id++)
		world.tables->version[id].mtu = JUMBO_MTU;
	for (uint32_t id = IF_CE; id <= IF_CE_B; id++)
		world.tables->interface[id].mtu = JUMBO_MTU;
}

static int jumbo(void **state)
{
	(void)fresh(state);
	if (world.worker.jumbo == NULL)
		world.worker.jumbo = rte_pktmbuf_pool_create(
			"large", JUMBO_BUFFERS, 0, RTE_ALIGN(sizeof(struct sl_packet), 64),
			SL_HEADROOM + JUMBO_MTU + 256, SOCKET_ID_ANY);
	world_check(world.worker.jumbo != NULL, "jumbo pool");
	set_mtus();
	return 0;
}

static void receive_chain(uint32_t port, size_t cut)
{
	struct rte_mbuf *m = world_chain(build_bytes(&b), build_len(&b), cut);

	sl_pipeline_receive(&world.worker, port, &m, 1);
	sl_pipeline_flush(&world.worker);
}

static void set_suite(uint8_t algorithm)
{
	struct sl_sa_row out = world_sa_row(algorithm, 4, false, SL_ENCAP_GRE);
	struct sl_sa_row in = world_sa_row(algorithm, 4, true, SL_ENCAP_GRE);
	struct sl_version_row row;

	scene_set();
	world_sa_out(1, &out);
	world_sa_in(1, &in);
	row = world_tunnel(SL_ENCAP_GRE, 4, 1, false);
	world_route(VRF_A, 4, THERE4, 24, world_nexthop(&row), VEC_LABEL_OUT, 0);
	world_commit();
	set_mtus();
}

/* Decrypt what was sent as the peer would, and compare the inner packet with b's. */
static void expect_sealed(size_t inner)
{
	const struct sl_sa_key *key = world.keys_out[1];
	struct rte_mbuf *m = world_sent_mbuf(PORT_CORE);
	struct sl_esp_trailer trailer;
	struct sl_esp_job job = {.key = key};
	uint8_t *frame;

	assert_non_null(m);
	assert_ptr_equal(m->pool, world.worker.jumbo);
	frame = rte_pktmbuf_mtod(m, uint8_t *);
	assert_int_equal(sl_get16(frame + 16), m->data_len - 14);
	job.esp = frame + 34;
	job.length = m->data_len - 34u - key->front_len - key->icv_len;
	if (key->special) {
		sl_esp_open_jobs(world.worker.crypto, &job, 1);
		assert_true(job.done);
	} else {
		uint8_t nonce[SL_ESP_NONCE_LEN];

		sl_esp_read_nonce(job.esp, key->salt, nonce);
		assert_true(sl_esp_open(key, job.esp, job.length, nonce));
	}
	assert_true(sl_esp_read_trailer(job.esp + key->front_len, job.length, &trailer));
	assert_int_equal(trailer.payload_len, inner + 8);
	build_from_ce4(&b, THERE4, inner - 20, 63);
	world_expect_bytes("inner", job.esp + key->front_len + 8, inner, build_bytes(&b) + 14,
	                   inner);
	rte_pktmbuf_free(m);
}

static void into_tunnel_by_every_suite(void **state)
{
	(void)state;
	for (unsigned int algorithm = 1; algorithm <= SL_ALG_NULL_SHA_512; algorithm++)
		for (size_t inner = 8990; inner <= 9000; inner++) {
			set_suite((uint8_t)algorithm);
			build_from_ce4(&b, THERE4, inner - 20, 64);
			receive_chain(PORT_CE, SEGMENT);
			expect_sealed(inner);
			world_expect_quiet();
			assert_int_equal(world_all_drops(), 0);
		}
}

/* A labelled packet of `inner` bytes in an SA, as the remote PE would send it. */
static void build_large(size_t inner)
{
	build_payload(&b, inner - 20);
	build_ip4(&b, THERE4, HERE4, 17, 33);
	build_label(&b, LABEL_ALL, true, 255);
	build_gre(&b, 0, 0x8847);
	build_esp(&b, 1, 1, 47);
	build_core4(&b, 50);
}

static void expect_opened(size_t inner)
{
	struct rte_mbuf *m = world_sent_mbuf(PORT_CE);

	assert_non_null(m);
	build_payload(&b, inner - 20);
	build_ip4(&b, THERE4, HERE4, 17, 32);
	world_expect_bytes("delivered", rte_pktmbuf_mtod_offset(m, uint8_t *, 14),
	                   m->data_len - 14u, build_bytes(&b), inner);
	rte_pktmbuf_free(m);
	world_expect_quiet();
	assert_int_equal(world_all_drops(), 0);
}

static void out_of_tunnel_by_every_suite(void **state)
{
	(void)state;
	for (unsigned int algorithm = 1; algorithm <= SL_ALG_NULL_SHA_512; algorithm++)
		for (size_t inner = 8990; inner <= 9000; inner++) {
			set_suite((uint8_t)algorithm);
			build_large(inner);
			/* the last byte of the ICV is alone in its buffer */
			receive_chain(PORT_CORE, (build_len(&b) - 1 + 4) / 5);
			expect_opened(inner);
		}
}

static void modified_anywhere(void **state)
{
	static const size_t at[] = {36, 50, 1999, 2000, 6001, 9020};

	(void)state;
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		(void)jumbo(NULL);
		build_large(9000);
		build_bytes(&b)[at[i]] ^= 1;
		receive_chain(PORT_CORE, SEGMENT);
		scene_expect_drops(i == 0 ? SL_DROP_esp_unknown_spi : SL_DROP_esp_auth_failed, 1);
	}
}

/* Nobody else suffers: small frames, also in several buffers, need no large one. */
static void no_large_buffer(void **state)
{
	struct rte_mbuf *taken[JUMBO_BUFFERS];

	(void)state;
	assert_int_equal(rte_pktmbuf_alloc_bulk(world.worker.jumbo, taken, JUMBO_BUFFERS), 0);
	build_from_ce4(&b, THERE4, 8980, 64);
	receive_chain(PORT_CE, SEGMENT);
	assert_int_equal(world_drops(SL_DROP_jumbo_no_buffer), 1);
	build_from_ce4(&b, A4(10, 1, 1, 7), 200, 64);
	receive_chain(PORT_CE, 30);
	rte_pktmbuf_free(world_sent_mbuf(PORT_CE));
	assert_int_equal(world.worker.block->interface[IF_CE].tx_packets, 1);
	rte_pktmbuf_free_bulk(taken, JUMBO_BUFFERS);
	scene_expect_drops(SL_DROP_jumbo_no_buffer, 1);
}

static void longer_than_any_buffer(void **state)
{
	(void)state;
	build_from_ce4(&b, THERE4, 9700, 64);
	receive_chain(PORT_CE, SEGMENT);
	scene_expect_drops(SL_DROP_jumbo_too_long, 1);
}

static void ordinary_buffers_alone(void **state)
{
	struct rte_mempool *large = world.worker.jumbo;

	(void)state;
	world.worker.jumbo = NULL;
	build_from_ce4(&b, THERE4, 8980, 64);
	receive_chain(PORT_CE, SEGMENT);
	world.worker.jumbo = large;
	scene_expect_drops(SL_DROP_jumbo_too_long, 1);
}

/* A driver may fill an ordinary buffer to its end: no room for trailer and ICV, or for what comes in front. */
static void full_buffer(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	for (size_t front = 0; front <= 128; front += 128) {
		size_t inner = rte_pktmbuf_data_room_size(world.worker.pool) - front - 14;

		(void)jumbo(NULL);
		build_from_ce4(&b, THERE4, inner - 20, 64);
		m = rte_pktmbuf_alloc(world.worker.pool);
		m->data_off = (uint16_t)front;
		memcpy(rte_pktmbuf_append(m, (uint16_t)build_len(&b)), build_bytes(&b),
		       build_len(&b));
		sl_pipeline_receive(&world.worker, PORT_CE, &m, 1);
		sl_pipeline_flush(&world.worker);
		expect_sealed(inner);
		world_expect_quiet();
		assert_int_equal(world_all_drops(), 0);
	}
}

/* Outer fragments of a large packet are joined in a large buffer. */
static void reassembled(void **state)
{
	static struct build whole;
	size_t left, at = 0;

	(void)state;
	build_large(9000);
	whole = b;
	left = build_len(&whole) - 34;
	while (left > 0) {
		size_t n = RTE_MIN(left, (size_t)1480);

		build_payload(&b, n);
		memcpy(build_bytes(&b), build_bytes(&whole) + 34 + at, n);
		build_ip4_flags(&b, REMOTE4, LOCAL4, 50,
		                (uint16_t)((left > n ? 0x2000 : 0) | at / 8));
		build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
		build_receive(&b, PORT_CORE);
		at += n;
		left -= n;
	}
	expect_opened(9000);
}

/* IPv4 without DF into a tunnel with a smaller, still large MTU: pieces that need large buffers themselves. */
static void cut_in_large_pieces(void **state)
{
	size_t want[] = {3996, 3996, 1048}, outer = 14 + 20 + 4;

	(void)state;
	world.tables->version[world.tables->nexthop[scene.clear_tunnel].active].mtu = 4000;
	build_payload(&b, 8980);
	build_ip4_flags(&b, HERE4, A4(10, 9, 0, 2), 17, 0);
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
	receive_chain(PORT_CE, SEGMENT);
	for (size_t i = 0; i < 3; i++) {
		struct rte_mbuf *m = world_sent_mbuf(PORT_CORE);

		assert_non_null(m);
		assert_int_equal(m->data_len, outer + want[i]);
		assert_int_equal(*rte_pktmbuf_mtod_offset(m, uint8_t *, outer + 20),
		                 (uint8_t)(0x80 + i * 3976));
		rte_pktmbuf_free(m);
	}
	world_expect_quiet();
	assert_int_equal(world_all_drops(), 0);
}

int main(void)
{
#define LARGE(test) cmocka_unit_test_setup(test, jumbo)
	const struct CMUnitTest tests[] = {
		LARGE(into_tunnel_by_every_suite),
		LARGE(out_of_tunnel_by_every_suite),
		LARGE(modified_anywhere),
		LARGE(no_large_buffer),
		LARGE(longer_than_any_buffer),
		LARGE(ordinary_buffers_alone),
		LARGE(full_buffer),
		LARGE(reassembled),
		LARGE(cut_in_large_pieces),
	};

	return cmocka_run_group_tests_name("eal_jumbo", tests, NULL, NULL);
}
