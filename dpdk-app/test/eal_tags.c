/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces of two VLAN tags (IEEE 802.1ad): which frames are theirs, and what theirs look like. Frames are written
 * out byte by byte here.
 */
#include "support/scene.h"

enum { IF_STACKED = 7, SVLAN = 100 };

static struct build b;
static uint8_t got[2048];
static uint32_t in_svlan[4096];

/* VLAN_A within SVLAN is an interface of its own, beside the one of VLAN_A alone. */
static int fresh(void **state)
{
	struct sl_interface_row *row;

	(void)state;
	scene_set();
	row = &world.tables->interface[IF_STACKED];
	world_interface(IF_STACKED, SL_ROLE_CE, VRF_A, 0, VLAN_A, PE_CE_MAC);
	row->port = PORT_CE;
	row->svlan = SVLAN;
	row->stag_type = 0x88a8;
	in_svlan[VLAN_A] = IF_STACKED;
	world.worker.ports[PORT_CE].by_svlan[SVLAN] = in_svlan;
	return 0;
}

static int forget(void **state)
{
	(void)state;
	world.worker.ports[PORT_CE].by_svlan[SVLAN] = NULL;
	return 0;
}

/* Two tags in front of what is built; S-VID or VLAN 0: a priority tag. */
static void put_tags(uint16_t stype, uint16_t svlan, uint16_t vlan, uint16_t type)
{
	build_eth(&b, PE_CE_MAC, CE_MAC, 1, type);
	sl_put16(build_bytes(&b) + 14, vlan);
	b.at -= 4;
	memmove(build_bytes(&b), build_bytes(&b) + 4, 12);
	sl_put16(build_bytes(&b) + 12, stype);
	sl_put16(build_bytes(&b) + 14, svlan);
}

/* A packet to a site behind VLAN_B, with these tags. */
static void receive_tagged(uint16_t stype, uint16_t svlan, uint16_t vlan)
{
	build_payload(&b, 30);
	build_ip4(&b, HERE4, A4(10, 8, 0, 7), 17, 64);
	put_tags(stype, svlan, vlan, 0x0800);
	build_receive(&b, PORT_CE);
}

static void both_types_are_taken(void **state)
{
	static const uint16_t types[] = {0x88a8, 0x8100};

	(void)state;
	for (uint64_t i = 0; i < 2; i++) {
		/* priority and DEI are no part of a VLAN's number */
		receive_tagged(types[i], 0xf000 | SVLAN, 0x7000 | VLAN_A);
		assert_int_equal(world_sent(PORT_CE, got), 18 + 50);
		assert_int_equal(sl_get16(got + 14), VLAN_B);
		assert_int_equal(world.worker.block->interface[IF_STACKED].rx_packets, i + 1);
	}
	assert_int_equal(world.worker.block->interface[IF_STACKED].rx_bytes, 2 * 72);
	assert_int_equal(world.worker.block->vrf[VRF_A].from_ce_packets, 2);
	assert_int_equal(world_all_drops(), 0);
	world_expect_quiet();
}

/* Neither tag says anything without the other, and no interface is another's. */
static void other_tags_are_not(void **state)
{
	static const struct {
		uint16_t svlan, vlan;
	} tags[] = {{SVLAN, VLAN_B}, {SVLAN + 1, VLAN_A}, {SVLAN, 0}, {VLAN_A, SVLAN}, {VLAN_B, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		receive_tagged(0x88a8, tags[i].svlan, tags[i].vlan);
		scene_expect_drops(SL_DROP_rx_unknown_vlan, 1);
		(void)fresh(NULL);
	}
	/* one tag, of the S-VID */
	build_payload(&b, 30);
	build_ip4(&b, HERE4, A4(10, 8, 0, 7), 17, 64);
	build_eth(&b, PE_CE_MAC, CE_MAC, SVLAN, 0x0800);
	build_receive(&b, PORT_CE);
	scene_expect_drops(SL_DROP_rx_unknown_vlan, 1);
	(void)fresh(NULL);
	/* one tag, of the VLAN: the interface without a service VLAN */
	build_payload(&b, 30);
	build_ip4(&b, HERE4, A4(10, 1, 1, 7), 17, 64);
	build_eth(&b, PE_CE_MAC, CE_MAC, VLAN_A, 0x0800);
	build_receive(&b, PORT_CE);
	assert_int_equal(world_sent(PORT_CE, got), 14 + 50);
	assert_int_equal(world.worker.block->interface[IF_CE_VLAN].rx_packets, 1);
	/* as is one behind a priority tag */
	build_payload(&b, 30);
	build_ip4(&b, HERE4, A4(10, 1, 1, 7), 17, 64);
	put_tags(0x88a8, 0, VLAN_A, 0x0800);
	build_receive(&b, PORT_CE);
	assert_int_equal(world_sent(PORT_CE, got), 14 + 50);
	assert_int_equal(world.worker.block->interface[IF_CE_VLAN].rx_packets, 2);
	assert_int_equal(world.worker.block->interface[IF_STACKED].rx_packets, 0);
	assert_int_equal(world_all_drops(), 0);
}

/* One after the other in a burst: what was found for one frame is not taken for the next. */
static void a_burst_of_both(void **state)
{
	const struct sl_interface_counters *rx = world.worker.block->interface;
	struct rte_mbuf *burst[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		build_payload(&b, 30);
		build_ip4(&b, HERE4, A4(10, 1, 1, 7), 17, 64);
		if (i % 2 == 0)
			put_tags(0x88a8, SVLAN, VLAN_A, 0x0800);
		else
			build_eth(&b, PE_CE_MAC, CE_MAC, VLAN_A, 0x0800);
		burst[i] = world_frame(build_bytes(&b), build_len(&b));
	}
	sl_pipeline_receive(&world.worker, PORT_CE, burst, 4);
	sl_pipeline_flush(&world.worker);
	for (int i = 0; i < 4; i++)
		assert_int_equal(world_sent(PORT_CE, got), 14 + 50);
	assert_int_equal(rx[IF_STACKED].rx_packets, 2);
	assert_int_equal(rx[IF_CE_VLAN].rx_packets, 2);
	assert_int_equal(world_all_drops(), 0);
}

/* The driver may have taken the first tag off. */
static void a_stripped_tag_is_remembered(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	build_payload(&b, 30);
	build_ip4(&b, HERE4, A4(10, 8, 0, 7), 17, 64);
	build_eth(&b, PE_CE_MAC, CE_MAC, VLAN_A, 0x0800);
	m = world_frame(build_bytes(&b), build_len(&b));
	m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = 0x6000 | SVLAN;
	sl_pipeline_receive(&world.worker, PORT_CE, &m, 1);
	sl_pipeline_flush(&world.worker);
	assert_int_equal(world_sent(PORT_CE, got), 18 + 50);
	assert_int_equal(world.worker.block->interface[IF_STACKED].rx_packets, 1);
	assert_int_equal(world_all_drops(), 0);
}

static void truncated(void **state)
{
	(void)state;
	for (uint16_t n = 14; n < 22; n++) {
		receive_tagged(0x88a8, SVLAN, VLAN_A);
		assert_int_equal(world_sent(PORT_CE, got), 18 + 50);
		world_receive(PORT_CE, build_bytes(&b), n);
		scene_expect_drops(SL_DROP_rx_truncated, 1);
		(void)fresh(NULL);
	}
}

/* The kernel's TAP has no tags: both are taken off, and put on what comes from there. */
static void the_kernels_frames(void **state)
{
	static const uint8_t tags[2][8] = {{0x88, 0xa8, 0, SVLAN, 0x81, 0, 0, VLAN_A},
	                                   {0x81, 0, 0, SVLAN, 0x81, 0, 0, VLAN_A}};
	uint8_t want[64];
	struct rte_mbuf *m;

	(void)state;
	build_payload(&b, 28);
	put_tags(0x88a8, SVLAN, VLAN_A, 0x0806);
	build_receive(&b, PORT_CE);
	m = world_punted();
	assert_non_null(m);
	assert_int_equal(sl_packet(m)->interface, IF_STACKED);
	memcpy(want, build_bytes(&b), 12);
	memcpy(want + 12, build_bytes(&b) + 20, 30);
	world_expect_bytes("punted", rte_pktmbuf_mtod(m, uint8_t *), m->data_len, want, 42);
	rte_pktmbuf_free(m);
	for (int i = 0; i < 2; i++) {
		world.tables->interface[IF_STACKED].stag_type = sl_get16(tags[i]);
		build_payload(&b, 28);
		build_eth(&b, CE_MAC, PE_CE_MAC, 0, 0x0806);
		world_inject(IF_STACKED, build_bytes(&b), build_len(&b));
		memcpy(want, build_bytes(&b), 12);
		memcpy(want + 12, tags[i], 8);
		memcpy(want + 20, build_bytes(&b) + 12, 30);
		world_expect_bytes("tagged", got, world_sent(PORT_CE, got), want, 50);
	}
	assert_int_equal(world.worker.block->interface[IF_STACKED].injected, 2);
	assert_int_equal(world_all_drops(), 0);
	world_expect_quiet();
}

/* Out of an SA to such an interface: the next hop's template has both tags. */
static void to_the_customer(void **state)
{
	static const uint8_t front[22] = {0x02, 0, 0, 0,      0,    9,    0x02, 0,
	                                  0,    0, 0, 8,      0x88, 0xa8, 0,    SVLAN,
	                                  0x81, 0, 0, VLAN_A, 0x08, 0};
	struct sl_version_row row = {.kind = SL_NH_ADJACENCY,
	                             .interface = IF_STACKED,
	                             .vrf = VRF_A,
	                             .mtu = MTU_CE,
	                             .family = 4,
	                             .template_len = sizeof(front)};
	const struct sl_accept_row all = world_accept_all();

	(void)state;
	memcpy(row.template_bytes, front, sizeof(front));
	world_route(VRF_A, 4, A4(10, 1, 77, 0), 24, world_nexthop(&row), 0, world_accept(&all));
	world_commit();
	build_secured4(&b, 1, 1, LABEL_ALL, A4(10, 1, 77, 1));
	build_receive(&b, PORT_CORE);
	assert_int_equal(world_all_drops(), 0);
	assert_true(world_sent(PORT_CE, got) > 22 + 20);
	world_expect_bytes("front", got, sizeof(front), front, sizeof(front));
	assert_memory_equal(got + 22 + 16, A4(10, 1, 77, 1), 4);
	assert_int_equal(sl_sum_fold(sl_sum(got + 22, 20, 0)), 0xffff);
	assert_int_equal(world.worker.block->interface[IF_STACKED].tx_packets, 1);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, fresh, forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(both_types_are_taken),
		CASE(other_tags_are_not),
		CASE(a_burst_of_both),
		CASE(a_stripped_tag_is_remembered),
		CASE(truncated),
		CASE(the_kernels_frames),
		CASE(to_the_customer),
	};

	return cmocka_run_group_tests_name("eal_tags", tests, NULL, NULL);
}
