/* SPDX-License-Identifier: Apache-2.0 */
/* TCP MSS clamping: segments by Scapy, both directions, whose MTU counts, and only where it is asked for. */
#include "support/scene.h"
#include "vectors/mss.h"

static struct build b;

static const uint8_t FAR6[16] = {0x20, 1, 0x0d, 0xb8, 0, 9, [15] = 2}; /* of the vectors */
static const uint8_t FAR4[4] = {10, 9, 0, 2};

/* IP packet under the label of a frame of the clear tunnel, MPLS-in-IP over IPv4. */
#define CLEAR_FRONT (14u + 20u + 4u)

static int clamping(void **state)
{
	(void)state;
	scene_set();
	world_route(VRF_A, 6, FAR6, 64, scene.clear_tunnel, VEC_LABEL_OUT, 0);
	world_commit();
	world.tables->vrf[VRF_A].flags |= SL_VRF_CLAMP_MSS;
	return 0;
}

static void set_mtu(uint32_t nexthop, uint16_t mtu)
{
	world.tables->version[world.tables->nexthop[nexthop].active].mtu = mtu;
}

static void as_scapy_builds_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vec_mss) / sizeof(vec_mss[0]); i++) {
		uint8_t frame[2048], want[2048];
		size_t n;

		world_receive(PORT_CE, frame, hex_bytes(vec_mss[i].from_ce, frame, sizeof(frame)));
		n = world_sent(PORT_CORE, frame);
		assert_true(n > CLEAR_FRONT);
		world_expect_bytes(vec_mss[i].name, frame + CLEAR_FRONT, n - CLEAR_FRONT, want,
		                   hex_bytes(vec_mss[i].packet, want, sizeof(want)));
		assert_int_equal(world_all_drops(), 0);
		world_expect_quiet();
	}
}

/* A SYN with an MSS of 1460 at its end, without valid checksum. */
static void build_syn(uint8_t family, const uint8_t *from, const uint8_t *to)
{
	uint8_t *tcp;

	build_payload(&b, 24);
	tcp = build_bytes(&b);
	memset(tcp, 0, 24);
	tcp[12] = 0x60;
	tcp[13] = 0x02;
	memcpy(tcp + 20, "\x02\x04\x05\xb4", 4);
	if (family == 4)
		build_ip4_flags(&b, from, to, 6, 0x4000);
	else
		build_ip6(&b, from, to, 6, 64);
}

/* The MSS of the next frame sent by `port`, whose TCP segment is its last 24 bytes. */
static uint16_t sent_mss(uint32_t port)
{
	uint8_t frame[2048];
	size_t n = world_sent(port, frame);

	assert_true(n > 24);
	assert_int_equal(sl_get16(frame + n - 4), 0x0204);
	return sl_get16(frame + n - 2);
}

static uint16_t into_tunnel(void)
{
	build_syn(4, HERE4, FAR4);
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
	build_receive(&b, PORT_CE);
	return sent_mss(PORT_CORE);
}

/* By the SA of IPv4 in GRE. */
static uint16_t out_of_tunnel(uint64_t sequence, uint32_t label, uint8_t family,
                              const uint8_t *from)
{
	build_syn(family, from, family == 4 ? HERE4 : HERE6);
	build_label(&b, label, true, 255);
	build_gre(&b, 0, 0x8847);
	build_esp(&b, 1, sequence, 47);
	build_core4(&b, 50);
	build_receive(&b, PORT_CORE);
	return sent_mss(PORT_CE);
}

static void only_where_asked_for(void **state)
{
	(void)state;
	assert_int_equal(into_tunnel(), 1360);
	world.tables->vrf[VRF_A].flags &= ~SL_VRF_CLAMP_MSS;
	assert_int_equal(into_tunnel(), 1460);
	assert_int_equal(out_of_tunnel(1, LABEL_ALL, 4, FAR4), 1460);
	world_expect_quiet();
}

/* What the CE will answer with has to fit the tunnel to who asks. */
static void out_of_a_tunnel(void **state)
{
	(void)state;
	set_mtu(scene.clear_tunnel, 1300);
	set_mtu(scene.tunnel, 1350);
	assert_int_equal(out_of_tunnel(1, LABEL_ALL, 4, FAR4), 1260);
	assert_int_equal(out_of_tunnel(2, LABEL_ALL, 4, THERE4), 1310);
	assert_int_equal(out_of_tunnel(3, LABEL_ALL, 6, FAR6), 1240);
	assert_int_equal(out_of_tunnel(4, LABEL_NEXTHOP, 4, FAR4), 1260); /* no lookup there */
	assert_int_equal(out_of_tunnel(5, LABEL_ALL, 4, A4(10, 99, 0, 1)), 1460); /* no way back */
	assert_int_equal(out_of_tunnel(6, LABEL_ALL, 4, A4(10, 4, 0, 1)), 1460);  /* blackhole */
	assert_int_equal(out_of_tunnel(7, LABEL_ALL, 4, A4(10, 6, 0, 1)), 1460);  /* no version */
	world_expect_quiet();
}

static void the_smaller_mtu_counts(void **state)
{
	(void)state;
	set_mtu(scene.ce, 1280);
	assert_int_equal(into_tunnel(), 1240);
	assert_int_equal(out_of_tunnel(1, LABEL_ALL, 4, FAR4), 1240);
	set_mtu(scene.ce, 9000);
	set_mtu(scene.clear_tunnel, 8900);
	assert_int_equal(into_tunnel(), 1460); /* never raised */
	set_mtu(scene.clear_tunnel, 576);
	assert_int_equal(into_tunnel(), 536);
	world_expect_quiet();
}

/* A way back of several: any of them may be taken. */
static void the_smallest_of_a_group_counts(void **state)
{
	struct sl_group_row *group = &world.tables->group[1];

	(void)state;
	set_mtu(scene.tunnel, 1340);
	set_mtu(scene.clear_tunnel, 1330);
	group->member[0] = sl_leaf(scene.ce, 0, 0);
	group->member[1] = sl_leaf(scene.clear_tunnel, 7, 0);
	group->member[2] = sl_leaf(scene.tunnel, 7, 0);
	world.tables->header.committed_rows[SL_ARENA_GROUP] = 2;
	trie_add(&world.trie, VRF_A, 4, A4(10, 20, 0, 0), 24, sl_group_leaf(1, 0));
	trie_add(&world.trie, VRF_A, 4, A4(10, 21, 0, 0), 24,
	         sl_group_leaf(2, 0)); /* no such group */
	world_commit();
	assert_int_equal(out_of_tunnel(1, LABEL_ALL, 4, A4(10, 20, 0, 1)), 1290);
	assert_int_equal(out_of_tunnel(2, LABEL_ALL, 4, A4(10, 21, 0, 1)), 1460);
	world_expect_quiet();
}

#define CASE(test) cmocka_unit_test_setup(test, clamping)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(as_scapy_builds_them),
		CASE(only_where_asked_for),
		CASE(out_of_a_tunnel),
		CASE(the_smaller_mtu_counts),
		CASE(the_smallest_of_a_group_counts),
	};

	return cmocka_run_group_tests_name("eal_mss", tests, NULL, NULL);
}
