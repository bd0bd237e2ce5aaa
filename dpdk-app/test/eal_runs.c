/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stages decide once for packets of a burst that came alike. Here each burst holds packets that are
 * alike in all respects but one: none of them may get what was decided for its neighbour.
 */
#include "support/scene.h"

enum { SA_OTHER_SP = 2, SA_AUTHENTICATE = 3, SA_SIX = 4 };

static struct build b;
static struct rte_mbuf *burst[SL_BURST];
static uint16_t count;
static uint32_t sequence;

static void add_sa(uint32_t id, uint8_t algorithm, uint8_t family, uint8_t sp_table)
{
	struct sl_sa_row row = world_sa_row(algorithm, family, true, SL_ENCAP_GRE);

	row.spi = 0x1000 + id;
	row.sp_table = sp_table;
	world_sa_in(id, &row);
}

static int fresh(void **state)
{
	(void)state;
	scene_set();
	add_sa(SA_OTHER_SP, SL_ALG_AES_GCM_128, 4, 2);
	add_sa(SA_AUTHENTICATE, SL_ALG_AES_GMAC_128, 4, 1);
	add_sa(SA_SIX, SL_ALG_AES_GCM_128, 6, 1);
	world.tables->interface[IF_CORE].flags = SL_IF_ACCEPT_GRE;
	count = 0;
	sequence = 0;
	return 0;
}

static void add_frame(void) { burst[count++] = world_frame(build_bytes(&b), build_len(&b)); }

/* Out of SA `sa`, 0 = in clear MPLS-in-GRE. */
static void add(uint32_t sa, uint32_t label, const uint8_t *to)
{
	if (sa != 0) {
		build_secured4(&b, sa, ++sequence, label, to);
	} else {
		build_labelled4(&b, label, to);
		build_gre(&b, 0, 0x8847);
		build_core4(&b, 47);
	}
	add_frame();
}

/* Process the burst; returns how many packets reached the CE. */
static unsigned int run_burst(void)
{
	uint8_t frame[2048];
	unsigned int sent = 0;

	sl_pipeline_receive(&world.worker, PORT_CORE, burst, count);
	sl_pipeline_flush(&world.worker);
	while (world_sent(PORT_CE, frame) != 0)
		sent++;
	return sent;
}

/* A good packet before, between and behind those of every other arrival. */
static void add_arrivals(uint32_t label, const uint8_t *to)
{
	static const uint32_t sas[] = {1, SA_OTHER_SP, 1, SA_AUTHENTICATE, 1, 0, 1};

	for (size_t i = 0; i < sizeof(sas) / sizeof(sas[0]); i++)
		add(sas[i], label, to);
}

static void labels_by_arrival(void **state)
{
	(void)state;
	add_arrivals(LABEL_ENCRYPT, HERE4);
	assert_int_equal(run_burst(), 4);
	assert_int_equal(world_drops(SL_DROP_label_wrong_sp), 1);
	assert_int_equal(world_drops(SL_DROP_label_wrong_protection), 1);
	assert_int_equal(world_drops(SL_DROP_label_protected), 1);
	assert_int_equal(world_all_drops(), 3);
	assert_int_equal(world.worker.block->label[LABEL_ENCRYPT].packets, 4);
	world_expect_quiet();
}

static void routes_by_arrival(void **state)
{
	(void)state;
	add_arrivals(LABEL_ALL, A4(10, 11, 0, 1));
	assert_int_equal(run_burst(), 4);
	scene_expect_drops(SL_DROP_route_not_exported_this_way, 3);
}

static void arrivals_by_label(void **state)
{
	static const uint32_t labels[] = {LABEL_ALL, LABEL_GRE,     LABEL_ALL, 99999,
	                                  LABEL_ALL, LABEL_ENCRYPT, LABEL_ALL};

	(void)state;
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		add(1, labels[i], HERE4);
	assert_int_equal(run_burst(), 5);
	assert_int_equal(world_drops(SL_DROP_label_wrong_protection), 1);
	assert_int_equal(world_drops(SL_DROP_label_unknown), 1);
	assert_int_equal(world_all_drops(), 2);
	assert_int_equal(world.worker.block->label[LABEL_ALL].packets, 4);
	assert_int_equal(world.worker.block->label[LABEL_ENCRYPT].packets, 1);
	assert_int_equal(world.worker.block->label[LABEL_GRE].packets, 0);
	world_expect_quiet();
}

/* The leaf of a label's own next hop equals that of a route exported to nobody: the way there differs. */
static void next_hops_by_way(void **state)
{
	(void)state;
	add(1, LABEL_NEXTHOP, HERE4);
	add(1, LABEL_ALL, A4(10, 7, 0, 1));
	add(1, LABEL_NEXTHOP, HERE4);
	assert_int_equal(run_burst(), 2);
	scene_expect_drops(SL_DROP_route_not_exported_this_way, 1);
}

static void sas_by_spi(void **state)
{
	static const uint32_t sas[] = {1, SA_OTHER_SP, 1, SA_OTHER_SP, SA_AUTHENTICATE, 1};

	(void)state;
	for (size_t i = 0; i < sizeof(sas) / sizeof(sas[0]); i++)
		add(sas[i], LABEL_ALL, HERE4);
	build_secured4(&b, 1, 50, LABEL_ALL, HERE4);
	build_bytes(&b)[34] ^= 0x40; /* an SPI of nobody in front of the last one */
	add_frame();
	add(1, LABEL_ALL, HERE4);
	assert_int_equal(run_burst(), 7);
	assert_int_equal(world.state->sa_in[1].packets, 4);
	assert_int_equal(world.state->sa_in[SA_OTHER_SP].packets, 2);
	assert_int_equal(world.state->sa_in[SA_AUTHENTICATE].packets, 1);
	scene_expect_drops(SL_DROP_esp_unknown_spi, 1);
}

static void interfaces_by_vlan(void **state)
{
	static const uint16_t vlans[] = {0, VLAN_B, 0, 99, VLAN_A};
	const struct sl_interface_counters *rx = world.worker.block->interface;
	uint8_t frame[2048];
	unsigned int sent = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(vlans) / sizeof(vlans[0]); i++) {
		build_payload(&b, 30);
		build_ip4(&b, HERE4, A4(10, 1, 1, 7), 17, 64);
		build_eth(&b, PE_CE_MAC, CE_MAC, vlans[i], 0x0800);
		add_frame();
	}
	sl_pipeline_receive(&world.worker, PORT_CE, burst, count);
	sl_pipeline_flush(&world.worker);
	while (world_sent(PORT_CE, frame) != 0)
		sent++;
	assert_int_equal(sent, 3);
	assert_int_equal(rx[IF_CE].rx_packets, 2);
	assert_int_equal(rx[IF_CE_VLAN].rx_packets, 1);
	assert_int_equal(rx[IF_CE_B].rx_packets, 1);
	assert_int_equal(world_drops(SL_DROP_rx_unknown_vlan), 1);
	assert_int_equal(world_drops(SL_DROP_no_route), 1); /* VRF B has none */
	world_expect_quiet();
}

/* An SA of IPv6 addresses: each of the two is compared. */
static void outer_addresses6(void **state)
{
	uint8_t other[16];

	(void)state;
	memcpy(other, REMOTE6, 16);
	other[15] ^= 0x40;
	world_route(SL_VRF_CORE, 6, other, 128, world_simple(SL_NH_RECEIVE, SL_VRF_CORE, IF_CORE),
	            0, 0);
	world_commit();
	for (int i = 0; i < 3; i++) {
		build_labelled4(&b, LABEL_ALL, HERE4);
		build_gre(&b, 0, 0x8847);
		build_esp(&b, SA_SIX, (uint32_t)i + 1, 47);
		build_ip6(&b, i == 1 ? other : REMOTE6, i == 2 ? other : LOCAL6, 50, 60);
		build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x86dd);
		add_frame();
	}
	assert_int_equal(run_burst(), 1);
	assert_int_equal(world.state->sa_in[SA_SIX].packets, 1);
	scene_expect_drops(SL_DROP_esp_outer_address, 2);
}

/* IPv4 addresses that are the beginning of the SA's IPv6 ones are not the SA's. */
static void outer_family(void **state)
{
	static const uint8_t prefix[4] = {0x20, 1, 0x0d, 0xb8};

	(void)state;
	world_route(SL_VRF_CORE, 4, prefix, 32, world_simple(SL_NH_RECEIVE, SL_VRF_CORE, IF_CORE),
	            0, 0);
	world_commit();
	build_labelled4(&b, LABEL_ALL, HERE4);
	build_gre(&b, 0, 0x8847);
	build_esp(&b, SA_SIX, 1, 47);
	build_ip4(&b, prefix, prefix, 50, 60);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
	add_frame();
	assert_int_equal(run_burst(), 0);
	scene_expect_drops(SL_DROP_esp_outer_address, 1);
}

#define CASE(test) cmocka_unit_test_setup(test, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(labels_by_arrival), CASE(routes_by_arrival),  CASE(arrivals_by_label),
		CASE(next_hops_by_way),  CASE(sas_by_spi),         CASE(outer_addresses6),
		CASE(outer_family),      CASE(interfaces_by_vlan),
	};

	return cmocka_run_group_tests_name("eal_runs", tests, NULL, NULL);
}
