/* SPDX-License-Identifier: Apache-2.0 */
/* Transport labels and other SPs' plain MPLS (P3; policy-model 4, 5). */
#include "support/mpls.h"

/* ---- transport labels ---- */

static void transport_labels_are_popped(void **state)
{
	(void)state;
	for (unsigned int n = 1; n <= SL_MAX_CORE_LABELS; n++) {
		build_tunnelled(LABEL_ALL);
		stack_of(n, true);
		world.tables->interface[IF_CORE].flags |= SL_IF_ACCEPT_GRE;
		send_mpls(0);
		build_labelled4(&b, LABEL_ALL, HERE4);
		stack_of(n, false);
		send_mpls(0);
		expect_at_ce(2);
	}
	assert_int_equal(world.worker.block->label[LABEL_POP].packets, 2 * 36);
	build_tunnelled(LABEL_ALL);
	build_label(&b, 0, true, 255);
	send_mpls(0);
	expect_at_ce(1);
}

static void transport_label_depth(void **state)
{
	(void)state;
	build_labelled4(&b, LABEL_ALL, HERE4);
	stack_of(9, false);
	send_mpls(0);
	GONE(label_stack);
	build_tunnelled(LABEL_ALL);
	stack_of(9, true);
	send_mpls(0);
	GONE(label_stack);
}

/* The bytes of the stack are the frame's last: nothing behind them is read. */
static void transport_label_truncated(void **state)
{
	(void)state;
	for (size_t n = 0; n < 8; n++) {
		build_payload(&b, n % 4);
		stack_of((unsigned int)(n / 4), false);
		send_mpls(0);
		GONE(label_truncated);
	}
	build_payload(&b, 0);
	stack_of(1, true);
	send_mpls(0);
	GONE(label_truncated);
}

static void transport_label_ttl(void **state)
{
	(void)state;
	build_labelled4(&b, LABEL_ALL, HERE4);
	build_label(&b, LABEL_POP, false, 0);
	send_mpls(0);
	GONE(label_ttl_expired);
	build_payload(&b, 16);
	build_ip4(&b, REMOTE4, LOCAL4, 17, 255);
	build_label(&b, LABEL_POP, true, 0);
	send_mpls(0);
	GONE(label_ttl_expired);
}

static void transport_label_set(void **state)
{
	struct sl_accept_row none = {.clear = SL_CLEAR_GRE};

	(void)state;
	world.tables->label[LABEL_POP] = sl_label_row(SL_LABEL_POP, world_accept(&none), 0, 0);
	build_labelled4(&b, LABEL_ALL, HERE4);
	stack_of(1, false);
	send_mpls(0);
	GONE(label_wrong_protection);
	/* out of a tunnel it is no label at all, whatever its set says */
	world.tables->label[LABEL_POP] = sl_label_row(SL_LABEL_POP, scene.accept_all, 0, 0);
	world.tables->interface[IF_CORE].flags = SL_IF_ACCEPT_GRE;
	build_labelled4(&b, LABEL_POP, HERE4);
	build_gre(&b, 0, 0x8847);
	build_core4(&b, 47);
	from_core();
	GONE(label_unknown);
}

static void transport_label_family(void **state)
{
	(void)state;
	build_tunnelled(LABEL_ALL);
	build_label(&b, 2, true, 255);
	send_mpls(0);
	GONE(inner_not_ip);
	build_payload(&b, 40);
	build_label(&b, LABEL_POP, true, 255);
	send_mpls(0);
	GONE(inner_not_ip);
}

static void transport_label_opens_nothing(void **state)
{
	(void)state;
	build_tunnelled(LABEL_ALL);
	stack_of(1, true);
	send_mpls(0);
	GONE(gre_clear);
	build_payload(&b, 24); /* OSPF: of this link, it says */
	build_ip4(&b, REMOTE4, A4(224, 0, 0, 5), 89, 1);
	stack_of(1, true);
	send_mpls(0);
	GONE(ip_multicast);
}

/* Neighbours speak without labels: OSPF to one of our addresses, and whoever has a link-local address. */
static void transport_label_brings_no_neighbour(void **state)
{
	static const uint8_t neighbour6[16] = {0xfe, 0x80, [15] = 9};

	(void)state;
	for (int six = 0; six < 2; six++) {
		build_payload(&b, 24);
		if (six)
			build_ip6(&b, REMOTE6, LOCAL6, 89, 255);
		else
			build_ip4(&b, REMOTE4, LOCAL4, 89, 255);
		stack_of(1, true);
		send_mpls(0);
		GONE(core_transit);
		build_payload(&b, 24);
		if (six)
			build_ip6(&b, neighbour6, LOCAL6, 17, 255);
		else
			build_ip4(&b, A4(169, 254, 0, 9), LOCAL4, 17, 255);
		stack_of(1, true);
		send_mpls(0);
		GONE(ip_source);
	}
	/* nor hidden from us, as OSPF might be */
	build_payload(&b, 24);
	memcpy(build_front(&b, 8), "\x59\x00\xc5\x04\x00\x00\x00\x00", 8);
	build_ip6(&b, REMOTE6, LOCAL6, 60, 255);
	stack_of(1, true);
	send_mpls(0);
	GONE(core_transit);
	build_payload(&b, 24);
	memcpy(build_front(&b, 8), "\x59\x00\x01\x04\x00\x00\x00\x00", 8);
	memcpy(build_front(&b, 8), "\x3c\x00\x00\x01\x00\x00\x00\x00", 8);
	build_ip6(&b, REMOTE6, LOCAL6, 44, 255);
	stack_of(1, true);
	send_mpls(0);
	GONE(core_transit);
}

/* RFC 3443 5.3: the routers that the transport labels have seen count for what is below them. */
static void transport_ttl_goes_on(void **state)
{
	static const uint8_t ttls[][3] = {{9, 200, 9}, {200, 9, 9}, {9, 5, 5}, {255, 255, 33}};
	uint8_t frame[2048];

	(void)state;
	world.tables->vrf[VRF_A].flags = SL_VRF_TTL_UNIFORM;
	for (size_t i = 0; i < sizeof(ttls) / sizeof(ttls[0]); i++) {
		build_labelled4(&b, LABEL_ALL, HERE4);
		build_label(&b, LABEL_POP, false, ttls[i][0]);
		build_label(&b, LABEL_POP, false, ttls[i][1]);
		send_mpls(0);
		assert_int_not_equal(world_sent(PORT_CE, frame), 0);
		assert_int_equal(frame[14 + 8], ttls[i][2] - 1);
		assert_int_equal(sl_ip4_check(frame + 14, 60), SL_IP_OK);
	}
	/* never upwards */
	build_payload(&b, 40);
	build_ip4(&b, THERE4, HERE4, 17, 33);
	build_label(&b, LABEL_ALL, true, 7);
	build_label(&b, LABEL_POP, false, 9);
	send_mpls(0);
	assert_int_not_equal(world_sent(PORT_CE, frame), 0);
	assert_int_equal(frame[14 + 8], 6);
	/* and not where the VRF has the pipe model */
	world.tables->vrf[VRF_A].flags = 0;
	build_labelled4(&b, LABEL_ALL, HERE4);
	build_label(&b, LABEL_POP, false, 9);
	send_mpls(0);
	assert_int_not_equal(world_sent(PORT_CE, frame), 0);
	assert_int_equal(frame[14 + 8], 32);
	assert_int_equal(world_all_drops(), 0);
	world_expect_quiet();
}

static void transport_ttl_goes_on_in_a_swapped_label(void **state)
{
	uint8_t frame[2048];

	(void)state;
	build_labelled4(&b, LABEL_INSIDE, HERE4);
	build_label(&b, LABEL_POP, false, 9);
	send_mpls(0);
	assert_int_not_equal(world_sent(PORT_CORE, frame), 0);
	assert_int_equal(sl_get32(frame + 18), (uint32_t)OUT << 12 | 1u << 8 | 8u);
	world_expect_quiet();
	build_labelled4(&b, LABEL_INSIDE, HERE4);
	build_label(&b, LABEL_POP, false, 1);
	send_mpls(0);
	GONE(label_ttl_expired);
}

/* RFC 5082: what came from routers away does not reach the kernel as a neighbour's. */
static void transport_label_lowers_ttl(void **state)
{
	struct rte_mbuf *m;
	const uint8_t *frame;

	(void)state;
	build_payload(&b, 16);
	build_ip4(&b, REMOTE4, LOCAL4, 17, 255);
	build_label(&b, LABEL_POP, true, 254);
	build_label(&b, LABEL_POP, false, 250);
	send_mpls(0);
	m = world_punted();
	assert_non_null(m);
	frame = rte_pktmbuf_mtod(m, const uint8_t *);
	assert_int_equal(m->data_len, 14 + 20 + 16);
	assert_memory_equal(frame, PE_CORE_MAC, 6);
	assert_memory_equal(frame + 6, P_MAC, 6);
	assert_int_equal(sl_get16(frame + 12), 0x0800);
	assert_int_equal(frame[14 + 8], 250);
	assert_int_equal(sl_ip4_check(frame + 14, 36), SL_IP_OK);
	rte_pktmbuf_free(m);
	world_expect_quiet();
}

/* ---- another SP's interface ---- */

static void other_sp_by_advertised_labels_alone(void **state)
{
	static const uint32_t labels[] = {LABEL_ALL, LABEL_MPLS, LABEL_INSIDE, LABEL_POP, 99999};

	(void)state;
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		build_labelled4(&b, labels[i], HERE4);
		send_mpls(VLAN_OTHER);
		GONE(label_not_advertised);
	}
	build_labelled4(&b, LABEL_SWAP, HERE4);
	send_mpls(VLAN_THIRD);
	GONE(label_not_advertised);
	build_labelled4(&b, LABEL_SWAP, HERE4); /* nor in the own SP */
	send_mpls(0);
	GONE(label_protected);
}

static void other_sp_has_no_transport_labels(void **state)
{
	(void)state;
	build_tunnelled(LABEL_ALL);
	stack_of(1, true);
	world.tables->interface[IF_OTHER].flags |= SL_IF_ACCEPT_GRE;
	send_mpls(VLAN_OTHER);
	GONE(label_not_advertised);
}

static void labels_by_interface(void **state)
{
	struct rte_mbuf *burst[SL_BURST];
	uint8_t frame[2048];
	uint16_t n = 0;
	unsigned int sent = 0;

	(void)state;
	for (unsigned int i = 0; i < 9; i++) {
		build_labelled4(&b, LABEL_SWAP, HERE4);
		build_eth(&b, PE_CORE_MAC, P_MAC, i % 2 == 0 ? VLAN_OTHER : VLAN_THIRD, 0x8847);
		burst[n++] = world_frame(build_bytes(&b), build_len(&b));
	}
	sl_pipeline_receive(&world.worker, PORT_CORE, burst, n);
	sl_pipeline_flush(&world.worker);
	while (world_sent(PORT_CORE, frame) != 0)
		sent++;
	assert_int_equal(sent, 5);
	scene_expect_drops(SL_DROP_label_not_advertised, 4);
}

static void every_reason_was_provoked(void **state)
{
	(void)state;
	drops_expect_all(DROPS_MPLS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(transport_labels_are_popped),
		CASE(transport_label_depth),
		CASE(transport_label_truncated),
		CASE(transport_label_ttl),
		CASE(transport_label_set),
		CASE(transport_label_family),
		CASE(transport_label_opens_nothing),
		CASE(transport_label_brings_no_neighbour),
		CASE(transport_label_lowers_ttl),
		CASE(transport_ttl_goes_on),
		CASE(transport_ttl_goes_on_in_a_swapped_label),
		CASE(other_sp_by_advertised_labels_alone),
		CASE(other_sp_has_no_transport_labels),
		CASE(labels_by_interface),
		CASE(every_reason_was_provoked),
	};

	return cmocka_run_group_tests_name("eal_mpls", tests, NULL, NULL);
}
