/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 packets larger than their next hop's MTU: the pieces, by Scapy; their order; what cannot be cut. */
#include "support/scene.h"
#include "vectors/fragments.h"

static struct build b;

static int fresh(void **state)
{
	(void)state;
	scene_set();
	return 0;
}

static void set_mtu(uint32_t nexthop, uint16_t mtu)
{
	world.tables->version[world.tables->nexthop[nexthop].active].mtu = mtu;
}

/* IP packet under the label of a frame of the clear tunnel, MPLS-in-IP over IPv4. */
#define CLEAR_FRONT (14u + 20u + 4u)

static void as_scapy_cuts_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vec_fragments) / sizeof(vec_fragments[0]); i++) {
		const struct vec_fragments *v = &vec_fragments[i];
		uint8_t frame[2048], want[2048];

		scene_set();
		set_mtu(scene.clear_tunnel, v->mtu);
		world_receive(PORT_CE, frame, hex_bytes(v->from_ce, frame, sizeof(frame)));
		for (unsigned int j = 0; j < v->count; j++) {
			size_t n = world_sent(PORT_CORE, frame);
			size_t m = hex_bytes(v->pieces[j], want, sizeof(want));

			assert_true(n > CLEAR_FRONT);
			world_expect_bytes(v->name, frame + CLEAR_FRONT, n - CLEAR_FRONT, want, m);
			assert_int_equal(sl_get16(frame + 16), n - 14); /* the outer header's */
			assert_int_equal(sl_get16(frame + 20), 0x4000); /* DF, no fragment */
		}
		assert_int_equal(world_all_drops(), 0);
		assert_int_equal(world.worker.block->vrf[VRF_A].fragmented, 1);
		assert_int_equal(world.worker.block->vrf[VRF_A].from_ce_packets, 1);
		world_expect_quiet();
	}
}

/* From the CE, without DF, marked by `number`. */
static struct rte_mbuf *numbered(const uint8_t *to, size_t payload, uint8_t number)
{
	build_payload(&b, payload);
	build_ip4_flags(&b, HERE4, to, 17, 0);
	build_bytes(&b)[1] = (uint8_t)(number << 2); /* DSCP */
	build_sum4(&b);
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
	return world_frame(build_bytes(&b), build_len(&b));
}

/* A burst of whole and cut packets by two next hops: each next hop's in their order, more than a burst. */
static void order_is_kept(void **state)
{
	struct rte_mbuf *burst[SL_BURST];
	uint8_t frame[2048];
	unsigned int pieces = 0;

	(void)state;
	set_mtu(scene.clear_tunnel, 200);
	set_mtu(scene.ce, 200);
	for (uint8_t i = 0; i < SL_BURST; i++)
		burst[i] = numbered(i % 2 ? A4(10, 9, 0, 2) : HERE4, i % 3 ? 800 : 60, i);
	sl_pipeline_receive(&world.worker, PORT_CE, burst, SL_BURST);
	sl_pipeline_flush(&world.worker);
	for (unsigned int core = 0; core < 2; core++) {
		unsigned int front = core ? CLEAR_FRONT : 14, last = core, offset = 0;

		while (world_sent(core ? PORT_CORE : PORT_CE, frame) != 0) {
			const uint8_t *ip = frame + front;
			unsigned int number = ip[1] >> 2, at = (sl_get16(ip + 6) & 0x1fffu) * 8;

			if (number != last)
				assert_int_equal(number, last + 2);
			assert_int_equal(at, number == last ? offset : 0);
			offset = at + sl_get16(ip + 2) - 20;
			if (!(sl_get16(ip + 6) & 0x2000))
				offset = 0;
			last = number;
			pieces++;
		}
		assert_int_equal(last, SL_BURST - 2 + core);
	}
	/* 21 of the 32 are cut: 800 bytes by 176 */
	assert_int_equal(pieces, 11 + 21 * 5);
	assert_int_equal(world.worker.block->vrf[VRF_A].fragmented, 21);
	assert_int_equal(world_all_drops(), 0);
	world_expect_quiet();
}

/* Each piece is an ESP packet of its own. */
static void pieces_are_encrypted(void **state)
{
	uint8_t frame[2048];

	(void)state;
	set_mtu(scene.tunnel, 600);
	world.worker.now_tsc = 1;
	{
		struct rte_mbuf *m = numbered(THERE4, 1400, 1);

		sl_pipeline_receive(&world.worker, PORT_CE, &m, 1);
		sl_pipeline_flush(&world.worker);
	}
	for (uint32_t i = 0; i < 3; i++) {
		assert_true(world_sent(PORT_CORE, frame) > 0);
		assert_int_equal(frame[23], 50);
		assert_int_equal(sl_get32(frame + 38), i + 1); /* sequence number */
	}
	assert_int_equal(world.state->sa_out[1].packets, 3);
	world_expect_quiet();
}

/* Out of a tunnel to a CE with a smaller MTU. */
static void towards_a_ce(void **state)
{
	uint8_t frame[2048];

	(void)state;
	set_mtu(scene.ce, 576);
	build_payload(&b, 1000);
	build_ip4_flags(&b, THERE4, HERE4, 17, 0);
	build_label(&b, LABEL_ALL, true, 255);
	build_gre(&b, 0, 0x8847);
	build_esp(&b, 1, 1, 47);
	build_core4(&b, 50);
	build_receive(&b, PORT_CORE);
	assert_int_equal(world_sent(PORT_CE, frame), 14 + 20 + 552);
	assert_int_equal(sl_get16(frame + 20), 0x2000);
	assert_int_equal(world_sent(PORT_CE, frame), 14 + 20 + 448);
	assert_int_equal(sl_get16(frame + 20), 552 / 8);
	world_expect_quiet();
}

/* From the CE with these options, without DF, larger than the tunnel's MTU. */
static void with_options(const char *options, size_t n)
{
	uint8_t *ip;

	build_payload(&b, 1400);
	memcpy(build_front(&b, n), options, n);
	build_ip4_flags(&b, HERE4, A4(10, 9, 0, 2), 17, 0);
	ip = build_bytes(&b);
	ip[0] = (uint8_t)(0x40 | (20 + n) / 4);
	build_sum4(&b);
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
	build_receive(&b, PORT_CE);
}

static void malformed_options(void **state)
{
	(void)state;
	with_options("\x83\x00\x00\x00", 4); /* no length */
	scene_expect_drops(SL_DROP_ip4_header, 1);
	scene_set();
	with_options("\x83\x01\x00\x00", 4);
	scene_expect_drops(SL_DROP_ip4_header, 1);
	scene_set();
	with_options("\x01\x83\x04\x00", 4); /* one byte beyond the header */
	scene_expect_drops(SL_DROP_ip4_header, 1);
	scene_set();
	with_options("\x01\x01\x01\x83", 4); /* no byte for the length */
	scene_expect_drops(SL_DROP_ip4_header, 1);
	assert_int_equal(world.worker.block->vrf[VRF_A].fragmented, 0);
}

static void what_follows_the_end_of_options(void **state)
{
	uint8_t frame[2048];

	(void)state;
	with_options("\x00\x83\x00\x00", 4);
	assert_true(world_sent(PORT_CORE, frame) > 0);
	assert_int_equal(frame[CLEAR_FRONT], 0x46);
	assert_true(world_sent(PORT_CORE, frame) > 0);
	assert_int_equal(frame[CLEAR_FRONT], 0x45);
	assert_int_equal(world_all_drops(), 0);
	world_expect_quiet();
}

static void send_whole(uint16_t mtu, size_t payload, uint16_t flags)
{
	set_mtu(scene.clear_tunnel, mtu);
	build_payload(&b, payload);
	build_ip4_flags(&b, HERE4, A4(10, 9, 0, 2), 17, flags);
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
	build_receive(&b, PORT_CE);
}

static void what_cannot_be_cut(void **state)
{
	(void)state;
	send_whole(27, 100, 0); /* no eight bytes behind a header */
	scene_expect_drops(SL_DROP_mtu_exceeded, 1);
	scene_set();
	send_whole(68, 32 * 48 + 1, 0); /* 33 pieces */
	scene_expect_drops(SL_DROP_mtu_exceeded, 1);
	scene_set();
	send_whole(600, 1400, 0x1fff); /* ends beyond 65,535 */
	scene_expect_drops(SL_DROP_ip4_header, 1);
}

/* A packet leaves whole or not at all. */
static void all_pieces_or_none(void **state)
{
	static struct rte_mbuf *taken[WORLD_MBUFS];
	unsigned int left = rte_mempool_avail_count(world.worker.pool);
	uint8_t frame[2048];

	(void)state;
	assert_int_equal(rte_pktmbuf_alloc_bulk(world.worker.pool, taken, left - 3), 0);
	send_whole(400, 1400, 0); /* itself and three more: two are left */
	assert_int_equal(world_drops(SL_DROP_no_mbuf), 1);
	assert_int_equal(world_sent(PORT_CORE, frame), 0);
	rte_pktmbuf_free_bulk(taken, left - 3);
	scene_expect_drops(SL_DROP_no_mbuf, 1);
}

#define CASE(test) cmocka_unit_test_setup(test, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(as_scapy_cuts_them),   CASE(order_is_kept),
		CASE(pieces_are_encrypted), CASE(towards_a_ce),
		CASE(malformed_options),    CASE(what_follows_the_end_of_options),
		CASE(what_cannot_be_cut),   CASE(all_pieces_or_none),
	};

	return cmocka_run_group_tests_name("eal_fragment", tests, NULL, NULL);
}
