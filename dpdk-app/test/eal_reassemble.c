/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnel packets that came in fragments: put together as Scapy cut them; in any order; in bounded memory. */
#include "support/drops.h"

#include <rte_cycles.h>

#include "stages/reassemble.h"
#include "vectors/reassembly.h"

static uint8_t frame[2048], want[2048];

/* A PE that takes what the vector brings. */
static void set_for(const struct vec_reassembly *v)
{
	struct sl_accept_row all = world_accept_all();
	uint32_t accept;

	world_reset();
	accept = world_accept(&all);
	if (v->algorithm != 0) {
		struct sl_sa_row sa = world_sa_row(v->algorithm, v->outer, true, v->encap);

		if (v->udp)
			sa.udp_source_port = sa.udp_destination_port = 4500;
		world_sa_in(1, &sa);
	} else {
		world.tables->interface[IF_CORE].flags = SL_IF_ACCEPT_GRE | SL_IF_ACCEPT_IP;
	}
	world_route(SL_VRF_CORE, v->outer, v->outer == 4 ? LOCAL4 : LOCAL6,
	            v->outer == 4 ? 32 : 128, world_simple(SL_NH_RECEIVE, SL_VRF_CORE, IF_CORE), 0,
	            0);
	world_route(VRF_A, v->inner, v->inner == 4 ? HERE4 : HERE6, v->inner == 4 ? 24 : 64,
	            world_adjacency(IF_CE, v->inner), 0, accept);
	world.tables->label[VEC_LABEL_IN] = sl_label_row(SL_LABEL_VRF, accept, 0, VRF_A);
	world_commit();
}

static void receive_piece(const struct vec_reassembly *v, unsigned int i)
{
	world_receive(PORT_CORE, frame, hex_bytes(v->pieces[i], frame, sizeof(frame)));
}

static void expect_delivered(const struct vec_reassembly *v)
{
	size_t n = world_sent(PORT_CE, frame);

	world_expect_bytes(v->name, frame, n, want, hex_bytes(v->to_ce, want, sizeof(want)));
	assert_int_equal(world_all_drops(), 0);
	assert_int_equal(world.worker.block->interface[IF_CORE].reassembled, 1);
	assert_int_equal(world.worker.reassembly.datagrams, 0);
	assert_int_equal(world.worker.reassembly.pieces, 0);
	world_expect_quiet();
}

#define VECTORS (sizeof(vec_reassemblies) / sizeof(vec_reassemblies[0]))
#define VECTORS_END (vec_reassemblies + VECTORS)

/* Forwards, backwards, and every other one first; the last to come completes it. */
static void in_any_order(void **state)
{
	(void)state;
	for (const struct vec_reassembly *v = vec_reassemblies; v < VECTORS_END; v++)
		for (unsigned int way = 0; way < 3; way++) {
			unsigned int n = v->count;

			set_for(v);
			for (unsigned int i = 0; i < n; i++) {
				assert_int_equal(world_sent(PORT_CE, frame), 0);
				if (way == 0)
					receive_piece(v, i);
				else if (way == 1)
					receive_piece(v, n - 1 - i);
				else
					receive_piece(v, i < (n + 1) / 2
					                         ? i * 2
					                         : (i - (n + 1) / 2) * 2 + 1);
			}
			expect_delivered(v);
		}
}

/* All in one burst, those of two datagrams by turns. */
static void in_one_burst(void **state)
{
	const struct vec_reassembly *v = &vec_reassemblies[1];
	struct rte_mbuf *burst[SL_BURST];

	(void)state;
	set_for(v);
	for (unsigned int i = 0; i < 32; i++) {
		size_t n = hex_bytes(v->pieces[i / 2], frame, sizeof(frame));

		if (i % 2) { /* another identification: the same packet again, hence a replay */
			sl_put16(frame + 18, 0x1111);
			sl_put16(frame + 24, 0);
			sl_put16(frame + 24, (uint16_t)~sl_sum_fold(sl_sum(frame + 14, 20, 0)));
		}
		burst[i] = world_frame(frame, n);
	}
	sl_pipeline_receive(&world.worker, PORT_CORE, burst, 32);
	sl_pipeline_flush(&world.worker);
	assert_true(world_sent(PORT_CE, frame) > 0);
	assert_int_equal(world.worker.block->interface[IF_CORE].reassembled, 2);
	scene_expect_drops(SL_DROP_esp_replayed, 1);
}

/* What a network repeats is dropped, and the packet delivered all the same. */
static void repeated_fragments(void **state)
{
	const struct vec_reassembly *v = &vec_reassemblies[2];

	(void)state;
	set_for(v);
	receive_piece(v, 0);
	receive_piece(v, 0);
	receive_piece(v, 2);
	receive_piece(v, 2);
	assert_int_equal(world_drops(SL_DROP_reassembly_overlap), 2);
	world.worker.block->drops[SL_DROP_reassembly_overlap] = 0;
	receive_piece(v, 1);
	expect_delivered(v);
}

/* A fragment of ESP for us from the remote PE, or from 192.0.`a`.`b`. Offset in units of eight bytes. */
static void fragment4(uint16_t id, uint16_t offset, bool more, size_t n, uint8_t a, uint8_t b4)
{
	uint8_t *ip;

	build_payload(&b, n);
	build_ip4_flags(&b, A4(192, 0, a, b4), LOCAL4, 50,
	                (uint16_t)((more ? 0x2000u : 0u) | offset));
	ip = build_bytes(&b);
	sl_put16(ip + 4, id);
	build_sum4(&b);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
	from_core();
}

static void piece(uint16_t offset, bool more, size_t n) { fragment4(1, offset, more, n, 2, 2); }

static void overlap(void **state)
{
	(void)state;
	/* each time a datagram of two, then one that does not go with them: all three are dropped */
	static const struct {
		uint16_t offset;
		bool more;
		uint16_t n;
	} third[] = {
		{1, true, 8},   /* within the first */
		{7, true, 16},  /* into the second half from below */
		{0, true, 8},   /* a shorter first */
		{0, true, 96},  /* a longer first */
		{12, true, 8},  /* within the second */
		{9, true, 24},  /* into the second */
		{15, true, 16}, /* beyond the last */
		{16, true, 8},  /* after the last */
		{11, false, 8}, /* another end */
		{20, false, 8}, /* another end, later */
		{8, false, 8},  /* another end, between the two */
	};

	for (size_t i = 0; i < sizeof(third) / sizeof(third[0]); i++) {
		piece(0, true, 64);
		piece(10, false, 48); /* 80 to 128 */
		assert_int_equal(world_all_drops(), 0);
		piece(third[i].offset, third[i].more, third[i].n);
		assert_int_equal(world_drops(SL_DROP_reassembly_overlap), 3);
		piece(8, true, 16); /* what would have completed it */
		assert_int_equal(world_drops(SL_DROP_reassembly_overlap), 4);
		scene_expect_drops(SL_DROP_reassembly_overlap, 4);
		scene_set();
	}
}

static void too_many_fragments(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < SL_REASSEMBLY_PIECES; i++)
		piece(i, true, 8);
	assert_int_equal(world_all_drops(), 0);
	piece(SL_REASSEMBLY_PIECES, false, 8);
	scene_expect_drops(SL_DROP_reassembly_size, SL_REASSEMBLY_PIECES + 1);
}

/* More than a packet buffer has room for. */
static void too_large(void **state)
{
	(void)state;
	piece(0, true, 1400);
	piece(175, false, 1400);
	scene_expect_drops(SL_DROP_reassembly_size, 2);
}

/* Time in milliseconds passes, and the packet thread goes round. */
static void wait_ms(uint64_t ms)
{
	world.worker.now_tsc += ms * (rte_get_tsc_hz() / 1000);
	(void)sl_pipeline_release(&world.worker);
}

static void too_late(void **state)
{
	const struct vec_reassembly *v = &vec_reassemblies[0];

	(void)state;
	set_for(v);
	receive_piece(v, 0);
	wait_ms(1990);
	assert_int_equal(world_all_drops(), 0);
	receive_piece(v, 1);
	expect_delivered(v);
	set_for(v);
	receive_piece(v, 1);
	wait_ms(2030);
	assert_int_equal(world_drops(SL_DROP_reassembly_timeout), 1);
	receive_piece(v, 0);
	assert_int_equal(world_sent(PORT_CE, frame), 0);
	wait_ms(2030);
	scene_expect_drops(SL_DROP_reassembly_timeout, 2);
}

/* Every source has its share: another's packet is not touched. */
static void share_of_a_source(void **state)
{
	(void)state;
	fragment4(7, 0, true, 64, 9, 9);
	for (uint16_t i = 0; i < SL_REASSEMBLY_PER_SOURCE + 5; i++)
		fragment4(i, 0, true, 64, 2, 2);
	assert_int_equal(world_drops(SL_DROP_reassembly_full), 5);
	assert_int_equal(world.worker.reassembly.datagrams, SL_REASSEMBLY_PER_SOURCE + 1);
	/* the five oldest went: the sixth is still there, and is whole now, though no ESP packet */
	fragment4(5, 8, false, 8, 2, 2);
	assert_int_equal(world.worker.reassembly.datagrams, SL_REASSEMBLY_PER_SOURCE);
	fragment4(7, 8, false, 8, 9, 9);
	assert_int_equal(world_drops(SL_DROP_esp_unknown_spi), 2);
	world.worker.block->drops[SL_DROP_esp_unknown_spi] = 0;
	wait_ms(3000);
	assert_int_equal(world_drops(SL_DROP_reassembly_timeout), SL_REASSEMBLY_PER_SOURCE - 1);
	world.worker.block->drops[SL_DROP_reassembly_timeout] = 0;
	scene_expect_drops(SL_DROP_reassembly_full, 5);
}

/* Forged sources without end: never more than so many datagrams, and the newest have the room. */
static void flood(void **state)
{
	const struct vec_reassembly *v = &vec_reassemblies[0];

	(void)state;
	set_for(v);
	for (unsigned int i = 0; i < 1000; i++) {
		world.worker.now_tsc += 10;
		fragment4((uint16_t)i, 0, true, 64, (uint8_t)(i >> 8 | 0x80), (uint8_t)i);
		assert_true(world.worker.reassembly.datagrams <= SL_REASSEMBLY_DATAGRAMS);
	}
	world.worker.now_tsc += 10;
	receive_piece(v, 1);
	for (unsigned int i = 0; i < 100; i++) {
		world.worker.now_tsc += 10;
		fragment4((uint16_t)i, 0, true, 64, 0x70, (uint8_t)i);
	}
	receive_piece(v, 0);
	assert_true(world_sent(PORT_CE, frame) > 0);
	assert_int_equal(world_drops(SL_DROP_reassembly_full), 1101 - SL_REASSEMBLY_DATAGRAMS);
	wait_ms(3000);
	assert_int_equal(world_drops(SL_DROP_reassembly_timeout), SL_REASSEMBLY_DATAGRAMS - 1);
	world.worker.block->drops[SL_DROP_reassembly_timeout] = 0;
	scene_expect_drops(SL_DROP_reassembly_full, 1101 - SL_REASSEMBLY_DATAGRAMS);
}

/* Nor more fragments in all. */
static void fragments_in_all(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 64; i++)
		for (uint16_t j = 0; j < 15; j++) {
			world.worker.now_tsc += 10;
			fragment4((uint16_t)i, j, true, 8, 0x70, (uint8_t)i);
			assert_true(world.worker.reassembly.pieces <= SL_REASSEMBLY_HELD);
		}
	assert_true(world.worker.reassembly.pieces > SL_REASSEMBLY_HELD - 15);
	wait_ms(3000);
	assert_int_equal(world_drops(SL_DROP_reassembly_full) +
	                         world_drops(SL_DROP_reassembly_timeout),
	                 64 * 15);
	world_expect_quiet();
}

/* Nor more than the worker has buffers for. */
static void fragments_by_buffers(void **state)
{
	(void)state;
	world.worker.waiting.reassembly = 40;
	for (unsigned int i = 0; i < 10; i++)
		for (uint16_t j = 0; j < 8; j++) {
			world.worker.now_tsc += 10;
			fragment4((uint16_t)i, j, true, 8, 0x70, (uint8_t)i);
			assert_true(world.worker.reassembly.pieces <= 40);
		}
	assert_int_equal(world.worker.reassembly.pieces, 40);
	assert_int_equal(world_drops(SL_DROP_reassembly_full), 40);
	wait_ms(3000);
	world.worker.waiting = sl_waiting_most;
	world_expect_quiet();
}

/* What is in no accepted place, or for others, is not kept. */
static void not_for_us(void **state)
{
	(void)state;
	build_payload(&b, 64);
	build_ip4_flags(&b, REMOTE4, A4(192, 0, 2, 77), 50, 0x2000);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
	from_core();
	EXPECT(core_transit);
	build_payload(&b, 64);
	build_ip4_flags(&b, REMOTE4, LOCAL4, 47, 0x2000);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
	from_core();
	EXPECT(gre_clear);
	build_payload(&b, 64);
	build_ip4_flags(&b, REMOTE4, LOCAL4, 137, 0x2000);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
	from_core();
	EXPECT(mpls_in_ip_clear);
	/* a customer's fragments are forwarded as they are */
	build_payload(&b, 64);
	build_ip4_flags(&b, HERE4, A4(10, 9, 0, 2), 50, 0x2000);
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
	from_ce();
	assert_true(world_sent(PORT_CORE, frame) > 0);
	assert_int_equal(world_all_drops(), 0);
	world_expect_quiet();
}

/* RFC 6946: a packet that is a fragment by its header alone, in the middle of another of its identification. */
static void atomic_fragment(void **state)
{
	uint8_t *header;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		if (i == 0) {
			build_payload(&b, 72);
		} else {
			build_labelled4(&b, LABEL_ALL, HERE4);
			build_gre(&b, 0, 0x8847);
		}
		header = build_front(&b, 8);
		header[0] = 47;
		header[3] = i == 0; /* more fragments: the first of a datagram */
		sl_put32(header + 4, 99);
		build_ip6(&b, REMOTE6, LOCAL6, 44, 64);
		build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x86dd);
		world.tables->interface[IF_CORE].flags = SL_IF_ACCEPT_GRE;
		from_core();
		assert_int_equal(world_sent(PORT_CE, frame) != 0, i == 1);
	}
	assert_int_equal(world_all_drops(), 0);
	assert_int_equal(world.worker.reassembly.datagrams, 1);
}

/* The field of the packet that fragments with these two ECN fields make; nobody looks at it later. */
static uint8_t joined_ecn(uint8_t family, uint8_t one, uint8_t other)
{
	struct sl_upper upper = {.protocol = 50, .fragment = true};
	struct rte_mbuf *m = NULL;
	uint8_t ecn;

	for (unsigned int i = 0; i < 2; i++) {
		uint8_t field = i ? other : one, *ip;

		build_payload(&b, 8);
		if (family == 4) {
			build_ip4_flags(&b, REMOTE4, LOCAL4, 50, i ? 1 : 0x2000);
			ip = build_bytes(&b);
			ip[1] = field;
			build_sum4(&b);
		} else {
			sl_put16(build_front(&b, 8) + 2, i ? 8 : 1);
			build_ip6(&b, REMOTE6, LOCAL6, 44, 64);
			ip = build_bytes(&b);
			ip[1] = (uint8_t)(field << 4);
		}
		m = world_frame(build_bytes(&b), build_len(&b));
		*sl_packet(m) = (struct sl_packet){.interface = IF_CORE, .family = family};
		upper.offset = family == 4 ? 20 : 48;
		upper.first = i == 0;
		sl_poison_around(m);
		m = sl_reassemble(&world.worker, m, &upper);
		assert_int_equal(m != NULL, i == 1);
	}
	if (family == 4) {
		ecn = sl_l3(m, sl_packet(m))[1] & 3;
		assert_int_equal(sl_ip4_check(sl_l3(m, sl_packet(m)), 36), SL_IP_OK);
	} else {
		ecn = sl_l3(m, sl_packet(m))[1] >> 4;
		assert_int_equal(sl_l3(m, sl_packet(m))[6],
		                 0); /* the Fragment header's, as built */
	}
	sl_free(m);
	return ecn;
}

/* RFC 3168 5.3: congestion that one fragment has met all of it has met. */
static void congestion_is_kept(void **state)
{
	(void)state;
	for (uint8_t family = 4; family <= 6; family += 2) {
		assert_int_equal(joined_ecn(family, 2, 3), 3);
		assert_int_equal(joined_ecn(family, 3, 2), 3);
		assert_int_equal(joined_ecn(family, 1, 1), 1);
		assert_int_equal(joined_ecn(family, 2, 2), 2);
		assert_int_equal(joined_ecn(family, 0, 3), 0);
	}
	world_expect_quiet();
}

/* The packet thread ends. */
static void no_fragment_stays(void **state)
{
	(void)state;
	piece(0, true, 64);
	sl_pipeline_end(&world.worker);
	assert_int_equal(world.worker.reassembly.datagrams, 0);
	scene_expect_drops(SL_DROP_reassembly_timeout, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(in_any_order),
		CASE(in_one_burst),
		CASE(repeated_fragments),
		CASE(overlap),
		CASE(too_large),
		CASE(too_many_fragments),
		CASE(too_late),
		CASE(flood),
		CASE(share_of_a_source),
		CASE(fragments_in_all),
		CASE(fragments_by_buffers),
		CASE(not_for_us),
		CASE(atomic_fragment),
		CASE(congestion_is_kept),
		CASE(no_fragment_stays),
	};

	return cmocka_run_group_tests_name("eal_reassemble", tests, NULL, NULL);
}
