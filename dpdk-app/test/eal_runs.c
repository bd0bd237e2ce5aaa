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

/* What is under the label of a packet out of SA 1, and around it. */
struct under {
	enum sl_drop_reason reason; /* SL_DROP_none: it goes to the CE */
	uint8_t at, value,
		mask;   /* a byte of the inner header, with the sum made right; mask 0: none */
	uint8_t length; /* bytes of the inner packet that there are, 0 = all */
	uint8_t label_ttl, outer_ecn;
	bool top, wrong_sum;
};

static void add_under(const struct under *u)
{
	build_payload(&b, 40);
	build_ip4(&b, THERE4, HERE4, 17, 33);
	build_bytes(&b)[u->at] = (uint8_t)((build_bytes(&b)[u->at] & ~u->mask) | u->value);
	if (u->mask != 0)
		build_sum4(&b);
	build_bytes(&b)[10] ^= u->wrong_sum;
	if (u->length != 0)
		b.end = b.at + u->length;
	build_label(&b, LABEL_ALL, !u->top, u->label_ttl);
	build_gre(&b, 0, 0x8847);
	build_esp(&b, 1, ++sequence, 47);
	build_ip4(&b, REMOTE4, LOCAL4, 50, 60);
	build_bytes(&b)[1] = u->outer_ecn;
	build_sum4(&b);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
	add_frame();
}

/* The label and the way it came are those of the packet before; what is under it is not. */
static void inner_packets(void **state)
{
	static const struct under cases[] = {
		{.reason = SL_DROP_label_ttl_expired, .label_ttl = 0},
		{.reason = SL_DROP_label_stack, .label_ttl = 9, .top = true},
		{.reason = SL_DROP_ip4_checksum, .label_ttl = 9, .wrong_sum = true},
		{.reason = SL_DROP_ip_source, .label_ttl = 9, .at = 12, .mask = 255, .value = 127},
		{.reason = SL_DROP_ip_multicast,
	         .label_ttl = 9,
	         .at = 16,
	         .mask = 255,
	         .value = 230},
		{.reason = SL_DROP_ip4_header, .label_ttl = 9, .length = 59},
		{.reason = SL_DROP_ip4_header, .label_ttl = 9, .length = 19},
		{.reason = SL_DROP_label_truncated, .label_ttl = 9, .length = 255},
		{.reason = SL_DROP_inner_not_ip,
	         .label_ttl = 9,
	         .at = 0,
	         .mask = 255,
	         .value = 0x55},
		{.reason = SL_DROP_ecn_not_ect, .label_ttl = 9, .outer_ecn = 3},
		{.label_ttl = 1},
		{.label_ttl = 9,
	         .at = 1,
	         .mask = 3,
	         .value = 2,
	         .outer_ecn = 3},                                      /* takes CE over */
		{.label_ttl = 9, .at = 0, .mask = 255, .value = 0x46}, /* options */
	};
	static const struct under good = {.label_ttl = 255};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct under u = cases[i];
		bool empty = u.length == 255;
		uint64_t before = world_all_drops();

		count = 0;
		add_under(&good);
		add_under(&good);
		if (empty) {
			build_payload(&b, 0);
			build_label(&b, LABEL_ALL, true, 9);
			build_gre(&b, 0, 0x8847);
			build_esp(&b, 1, ++sequence, 47);
			build_core4(&b, 50);
			add_frame();
		} else {
			add_under(&u);
		}
		add_under(&good);
		assert_int_equal(run_burst(), u.reason == SL_DROP_none ? 4 : 3);
		assert_int_equal(world_all_drops() - before, u.reason != SL_DROP_none);
		if (u.reason != SL_DROP_none) {
			assert_true(world_drops(u.reason) >= 1);
			world.worker.block->drops[u.reason] = 0;
		}
	}
	world_expect_quiet();
}

/* Headers of one burst by port, each but one in the middle as the others. */
static void outer_headers(void **state)
{
	static const struct {
		uint32_t port;
		enum sl_drop_reason reason;
		uint8_t at,
			value; /* of the IP header; the sum is made right unless it is the sum */
		bool group;    /* in a multicast frame */
	} cases[] = {
		{PORT_CE, SL_DROP_ip4_checksum, 10, 0, false},
		{PORT_CE, SL_DROP_ip_source, 12, 0, false},
		{PORT_CE, SL_DROP_ip_multicast, 16, 239, false},
		{PORT_CE, SL_DROP_ip4_header, 3, 255, false},
		{PORT_CE, SL_DROP_ip4_header, 0, 0x44, false},
		{PORT_CE, SL_DROP_rx_not_our_mac, 8, 64, true},
		{PORT_CORE, SL_DROP_ip4_checksum, 10, 0, false},
		{PORT_CORE, SL_DROP_ip_source, 12, 127, false},
		{PORT_CORE, SL_DROP_ip4_header, 3, 255, false},
		{PORT_CORE, SL_DROP_rx_not_our_mac, 8, 64, true},
		{PORT_CORE, SL_DROP_gre_clear, 9, 47, false},
	};

	(void)state;
	world.tables->interface[IF_CORE].flags = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool ce = cases[i].port == PORT_CE;

		count = 0;
		for (unsigned int j = 0; j < 4; j++) {
			uint8_t *frame, *ip;

			if (ce)
				build_from_ce4(&b, THERE4, 40, 64);
			else
				build_secured4(&b, 1, ++sequence, LABEL_ALL, HERE4);
			frame = build_bytes(&b);
			ip = frame + 14;
			if (j == 2) {
				ip[cases[i].at] = cases[i].value;
				if (cases[i].at != 10) {
					sl_put16(ip + 10, 0);
					sl_put16(ip + 10,
					         (uint16_t)~sl_sum_fold(sl_sum(ip, 20, 0)));
				}
				frame[0] |= cases[i].group;
			}
			add_frame();
		}
		sl_pipeline_receive(&world.worker, cases[i].port, burst, count);
		sl_pipeline_flush(&world.worker);
		assert_int_equal(world_drops(cases[i].reason), 1);
		assert_int_equal(world_all_drops(), 1);
		world.worker.block->drops[cases[i].reason] = 0;
		for (unsigned int j = 0; j < 3; j++) {
			uint8_t frame[2048];

			assert_true(world_sent(ce ? PORT_CORE : PORT_CE, frame) > 0);
		}
	}
	world_expect_quiet();
}

#define CASE(test) cmocka_unit_test_setup(test, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(labels_by_arrival), CASE(routes_by_arrival),  CASE(arrivals_by_label),
		CASE(next_hops_by_way),  CASE(sas_by_spi),         CASE(outer_addresses6),
		CASE(outer_family),      CASE(interfaces_by_vlan), CASE(inner_packets),
		CASE(outer_headers),
	};

	return cmocka_run_group_tests_name("eal_runs", tests, NULL, NULL);
}
