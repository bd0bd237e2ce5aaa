/* SPDX-License-Identifier: Apache-2.0 */
/* Swapped labels (policy-model 26). */
#include "support/mpls.h"

static void swapped_labels_leave(void **state)
{
	uint8_t frame[2048];
	size_t length;

	(void)state;
	build_payload(&b, 33); /* no IP packet */
	sl_put32(build_front(&b, 4), (uint32_t)LABEL_SWAP << 12 | 5u << 9 | 1u << 8 | 9u);
	send_mpls(VLAN_OTHER);
	length = world_sent(PORT_CORE, frame);
	assert_int_equal(length, 14 + 4 + 4 + 33);
	assert_int_equal(sl_get32(frame + 14), 41u << 12 | 200u);
	assert_int_equal(sl_get32(frame + 18), (uint32_t)OUT << 12 | 5u << 9 | 1u << 8 | 8u);
	for (size_t i = 0; i < 33; i++)
		assert_int_equal(frame[22 + i], 0x80 + i);
	assert_int_equal(world.worker.block->label[LABEL_SWAP].packets, 1);
	assert_int_equal(world.worker.block->label[LABEL_SWAP].bytes, 33);
	assert_int_equal(world.worker.block->vrf[SL_VRF_CORE].from_core_packets, 0);
	world_expect_quiet();
}

static void swapped_label_ttl(void **state)
{
	(void)state;
	for (uint8_t ttl = 0; ttl < 2; ttl++) {
		build_payload(&b, 40);
		build_label(&b, LABEL_SWAP, true, ttl);
		send_mpls(VLAN_OTHER);
		GONE(label_ttl_expired);
	}
}

static void swapped_label_stack(void **state)
{
	(void)state;
	build_labelled4(&b, LABEL_ALL, HERE4);
	build_label(&b, LABEL_SWAP, false, 255);
	send_mpls(VLAN_OTHER);
	GONE(label_stack);
	build_payload(&b, 0);
	build_label(&b, LABEL_SWAP, true, 255);
	send_mpls(VLAN_OTHER);
	GONE(label_truncated);
}

static void swapped_label_mtu(void **state)
{
	(void)state;
	build_payload(&b, MTU_TUNNEL - 20 + 1);
	build_ip4(&b, THERE4, HERE4, 17, 33); /* its DF asks for no answer here */
	build_label(&b, LABEL_SWAP, true, 255);
	send_mpls(VLAN_OTHER);
	GONE(mtu_exceeded);
}

static void swapped_labels_leave_by_tunnels_alone(void **state)
{
	struct sl_version_row unreachable = {.kind = SL_NH_DROP,
	                                     .drop_reason = SL_DROP_unreachable,
	                                     .flags = SL_NHF_ICMP_UNREACHABLE};

	(void)state;
	for (int i = 0; i < 3; i++) {
		const uint32_t others[] = {scene.ce, scene.receive, scene.glean};

		world.tables->nexthop[away].active = world.tables->nexthop[others[i]].active;
		build_labelled4(&b, LABEL_AWAY, HERE4);
		send_mpls(VLAN_OTHER);
		GONE(nexthop_unusable);
	}
	world.tables->nexthop[away].active = world_version(&unreachable);
	build_labelled4(&b, LABEL_AWAY, HERE4);
	send_mpls(VLAN_OTHER);
	GONE(unreachable); /* and nobody hears of it */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(swapped_labels_leave),
		CASE(swapped_label_ttl),
		CASE(swapped_label_stack),
		CASE(swapped_label_mtu),
		CASE(swapped_labels_leave_by_tunnels_alone),
	};

	return cmocka_run_group_tests_name("eal_mpls_swap", tests, NULL, NULL);
}
