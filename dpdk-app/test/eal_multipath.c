/* SPDX-License-Identifier: Apache-2.0 */
/* Routes with several ways, through the whole packet path. */
#include "support/drops.h"

enum { WAYS = 3, FLOWS = 600 };

static const uint8_t NET4[4] = {10, 20, 0, 0}, NET6[16] = {0x20, 1, 0x0d, 0xb8, 0, 0x20};
static const uint32_t labels[WAYS] = {30001, 30002, 30003};
static uint32_t nexthops[WAYS], group;
static uint32_t groups; /* rows used */

/* New group of `n` ways, each a leaf {next hop, label}, in ascending order. */
static uint32_t world_group(const uint64_t *ways, unsigned int n)
{
	uint32_t id = ++groups;

	memcpy(world.tables->group[id].member, ways, n * sizeof(*ways));
	world.tables->header.committed_rows[SL_ARENA_GROUP] = id + 1;
	return id;
}

static void world_route_group(uint32_t vrf, uint8_t family, const uint8_t *address, uint8_t length,
                              uint32_t id, uint32_t accept)
{
	trie_add(&world.trie, vrf, family, address, length, sl_group_leaf(id, accept));
}

/* VRF A reaches two prefixes by three tunnels in clear, each with a label of its own. */
static int three_ways(void **state)
{
	struct sl_version_row row;
	uint64_t ways[WAYS];

	(void)state;
	scene_set();
	groups = 0;
	world.tables->header.segment.epoch = 0x1234567890abcdefull;
	for (unsigned int i = 0; i < WAYS; i++) {
		row = world_tunnel(SL_ENCAP_GRE, 4, 0, false);
		nexthops[i] = world_nexthop(&row);
		ways[i] = sl_leaf(nexthops[i], labels[i], 0);
	}
	group = world_group(ways, WAYS);
	world_route_group(VRF_A, 4, NET4, 16, group, scene.accept_all);
	world_route_group(VRF_A, 6, NET6, 64, group, scene.accept_all);
	world_commit();
	return 0;
}

/* UDP of flow `i` from the CE; IPv6 when `six`. */
static void make_flow(unsigned int i, bool six, uint8_t ttl)
{
	uint8_t to4[4], to6[16], ports[4];

	memcpy(to4, NET4, 4);
	memcpy(to6, NET6, 16);
	to4[3] = to6[15] = (uint8_t)(1 + i % 200);
	build_payload(&b, 40);
	sl_put16(ports, (uint16_t)(5000 + i));
	sl_put16(ports + 2, 53);
	memcpy(build_bytes(&b), ports, 4);
	if (six)
		build_ip6(&b, HERE6, to6, 17, ttl);
	else
		build_ip4(&b, HERE4, to4, 17, ttl);
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, six ? 0x86dd : 0x0800);
}

/* The way whose label the next frame on the core port carries; WAYS: none left the PE. */
static unsigned int next_way(void)
{
	uint8_t frame[2048];
	size_t n = world_sent(PORT_CORE, frame);

	if (n == 0)
		return WAYS;
	assert_true(n > 42);
	for (unsigned int i = 0; i < WAYS; i++)
		if (sl_get32(frame + 38) >> 12 == labels[i])
			return i;
	fail_msg("label %u is nobody's", sl_get32(frame + 38) >> 12);
	return WAYS;
}

static unsigned int way_of(unsigned int flow, bool six)
{
	make_flow(flow, six, 64);
	build_receive(&b, PORT_CE);
	return next_way();
}

static void flows_use_all_ways_and_keep_theirs(void **state)
{
	(void)state;
	for (int six = 0; six < 2; six++) {
		unsigned int seen[WAYS + 1] = {0};

		for (unsigned int i = 0; i < FLOWS; i++) {
			unsigned int way = way_of(i, six != 0);

			seen[way]++;
			assert_int_equal(way_of(i, six != 0), way);
		}
		for (unsigned int i = 0; i < WAYS; i++)
			assert_in_range(seen[i], FLOWS / WAYS - 70, FLOWS / WAYS + 70);
	}
	assert_int_equal(world_all_drops(), 0);
	world_expect_quiet();
}

/* Packets of several flows in one burst, with others between: each flow in its order, on its way. */
static void bursts_keep_the_order_of_each_flow(void **state)
{
	struct rte_mbuf *burst[SL_BURST];
	unsigned int alone[4], last[4] = {0};
	uint8_t frame[2048];

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		alone[i] = way_of(i, false);
	for (unsigned int i = 0; i < SL_BURST; i++) {
		make_flow(i % 4, false, 64);
		sl_put16(build_bytes(&b) + 14 + 4, (uint16_t)(i + 1)); /* identification */
		b.at += 14;
		build_sum4(&b);
		b.at -= 14;
		burst[i] = world_frame(build_bytes(&b), build_len(&b));
	}
	sl_pipeline_receive(&world.worker, PORT_CE, burst, SL_BURST);
	sl_pipeline_flush(&world.worker);
	for (unsigned int i = 0; i < SL_BURST; i++) {
		unsigned int flow, order;

		assert_true(world_sent(PORT_CORE, frame) > 42 + 28);
		flow = sl_get16(frame + 42 + 20) - 5000u;
		order = sl_get16(frame + 42 + 4);
		assert_in_range(flow, 0, 3);
		assert_int_equal(sl_get32(frame + 38) >> 12, labels[alone[flow]]);
		assert_true(order > last[flow]);
		last[flow] = order;
	}
	assert_int_equal(world_all_drops(), 0);
	world_expect_quiet();
}

/* A way without version carries nothing; the flows of the others stay. All down: said so. */
static void ways_that_are_down_are_passed_over(void **state)
{
	unsigned int was[FLOWS], seen[WAYS + 1] = {0};

	(void)state;
	for (unsigned int i = 0; i < FLOWS; i++)
		was[i] = way_of(i, false);
	world.tables->nexthop[nexthops[1]].active = 0;
	for (unsigned int i = 0; i < FLOWS; i++) {
		unsigned int now = way_of(i, false);

		assert_int_not_equal(now, 1);
		if (was[i] != 1)
			assert_int_equal(now, was[i]);
		else
			seen[now]++;
	}
	assert_true(seen[0] > 50 && seen[2] > 50);
	assert_int_equal(world_all_drops(), 0);
	world.tables->nexthop[nexthops[0]].active = 0;
	world.tables->nexthop[nexthops[2]].active = 0;
	assert_int_equal(way_of(0, false), WAYS);
	scene_expect_drops(SL_DROP_nexthop_unusable, 1);
}

/* The accepted set is the route's: it holds whichever CE the flow goes to (policy-model 2). */
static void labelled_packets_need_the_routes_accepted_set(void **state)
{
	uint64_t ways[2] = {sl_leaf(world_adjacency(IF_CE, 4), 0, 0),
	                    sl_leaf(world_adjacency(IF_CE_VLAN, 4), 0, 0)};
	unsigned int tagged = 0, plain = 0;
	uint8_t frame[2048];
	uint32_t ces;

	(void)state;
	ces = world_group(ways, 2);
	world_route_group(VRF_A, 4, A4(10, 30, 0, 0), 16, ces, scene.accept_all);
	world_route_group(VRF_A, 4, A4(10, 31, 0, 0), 16, ces, 0);
	world_commit();
	for (unsigned int i = 0; i < 100; i++) {
		build_secured4(&b, 1, i + 1, LABEL_ALL, A4(10, 30, 0, (uint8_t)(i + 1)));
		build_receive(&b, PORT_CORE);
		assert_true(world_sent(PORT_CE, frame) > 18);
		*(sl_get16(frame + 12) == 0x8100 ? &tagged : &plain) += 1;
	}
	assert_true(tagged > 25 && plain > 25);
	assert_int_equal(world_all_drops(), 0);
	build_secured4(&b, 1, 101, LABEL_ALL, A4(10, 31, 0, 1));
	build_receive(&b, PORT_CORE);
	scene_expect_drops(SL_DROP_route_not_exported_this_way, 1);
}

/* What came by a label never leaves by a tunnel, of a group neither. */
static void labelled_packets_enter_no_tunnel(void **state)
{
	(void)state;
	build_secured4(&b, 1, 1, LABEL_ALL, A4(10, 20, 0, 1));
	build_receive(&b, PORT_CORE);
	scene_expect_drops(SL_DROP_route_not_exported_this_way, 1);
}

static void groups_that_are_not_there(void **state)
{
	static const uint32_t unknown[] = {0, 2, 77, SL_MAX_GROUPS - 1, SL_MAX_GROUPS, 0xffffff};
	const unsigned int n = sizeof(unknown) / sizeof(unknown[0]);

	(void)state;
	world.tables->header.committed_rows[SL_ARENA_GROUP] = 64;
	for (unsigned int i = 0; i < n; i++) {
		world_route_group(VRF_A, 4, NET4, 16, unknown[i], scene.accept_all);
		world_commit();
		make_flow(i, false, 64);
		build_receive(&b, PORT_CE);
	}
	scene_expect_drops(SL_DROP_group_unknown, n);
}

/* The core's table has no groups; should one be there, its number is not taken for a next hop's. */
static void no_group_is_an_address_of_ours(void **state)
{
	(void)state;
	world_route_group(SL_VRF_CORE, 4, LOCAL4, 32, scene.receive, 0);
	world_commit();
	build_secured4(&b, 1, 1, LABEL_ALL, HERE4);
	build_bytes(&b)[14 + 20] ^= 0xff; /* a SPI that no SA has */
	build_receive(&b, PORT_CORE);
	build_payload(&b, 20);
	build_core4(&b, 17);
	build_receive(&b, PORT_CORE);
	scene_expect_drops(SL_DROP_core_transit, 2);
}

static void every_reason_of_this_program(void **state)
{
	(void)state;
	drops_expect_all(DROPS_MULTIPATH);
}

#define WAYS_CASE(test) cmocka_unit_test_setup(test, three_ways)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WAYS_CASE(flows_use_all_ways_and_keep_theirs),
		WAYS_CASE(bursts_keep_the_order_of_each_flow),
		WAYS_CASE(ways_that_are_down_are_passed_over),
		WAYS_CASE(labelled_packets_need_the_routes_accepted_set),
		WAYS_CASE(labelled_packets_enter_no_tunnel),
		WAYS_CASE(groups_that_are_not_there),
		WAYS_CASE(no_group_is_an_address_of_ours),
		cmocka_unit_test(every_reason_of_this_program),
	};

	return cmocka_run_group_tests_name("multipath", tests, NULL, NULL);
}
