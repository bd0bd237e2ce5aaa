/* SPDX-License-Identifier: Apache-2.0 */
/* Transport labels, swapped labels and other SPs' plain MPLS (P3; policy-model 4, 5, 26). */
#include "net/ip4.h"
#include "support/drops.h"

enum {
	IF_OTHER = 20, /* another SP's, VLAN_OTHER */
	IF_THIRD = 21, /* the next one's, VLAN_THIRD */
	VLAN_OTHER = 30,
	VLAN_THIRD = 31,
	LABEL_POP = 600,    /* transport label of ours, from the own SP */
	LABEL_SWAP = 601,   /* advertised on IF_OTHER, leaves by an LSP */
	LABEL_AWAY = 602,   /* the same for a label whose next hop a test sets */
	LABEL_INSIDE = 603, /* swapped for the own SP's plain MPLS */
	OUT = 777,
};

static uint32_t away; /* next hop of LABEL_AWAY */

/* An LSP of `n` transport labels 41, 42, ... */
static struct sl_version_row lsp_version(uint8_t n)
{
	struct sl_version_row row = {.kind = SL_NH_TUNNEL,
	                             .interface = IF_CORE,
	                             .protection = SL_PROT_MPLS,
	                             .core_labels = n,
	                             .mtu = MTU_TUNNEL};
	uint8_t at = world_ethernet(row.template_bytes, P_MAC, PE_CORE_MAC, 0, 0x8847);

	for (uint8_t i = 0; i < n; i++, at = (uint8_t)(at + 4))
		sl_put32(row.template_bytes + at, (41u + i) << 12 | 200u);
	row.label_off = at;
	row.template_bytes[at + 2] = 1; /* S */
	row.template_len = (uint8_t)(at + 4);
	return row;
}

static int with_labels(void **state)
{
	struct sl_accept_row own = {.clear = SL_CLEAR_MPLS}, other = {.mpls_interface = IF_OTHER};
	struct sl_version_row lsp = lsp_version(1);
	uint64_t *label;
	uint32_t on_other;

	fresh(state);
	label = world.tables->label;
	world_interface(IF_OTHER, SL_ROLE_CORE, SL_VRF_CORE, PORT_CORE, VLAN_OTHER, PE_CORE_MAC);
	world_interface(IF_THIRD, SL_ROLE_CORE, SL_VRF_CORE, PORT_CORE, VLAN_THIRD, PE_CORE_MAC);
	world.tables->interface[IF_OTHER].flags = SL_IF_MPLS_OTHER_SP;
	world.tables->interface[IF_THIRD].flags = SL_IF_MPLS_OTHER_SP;
	world.tables->interface[IF_CORE].flags = SL_IF_MPLS_OWN_SP;
	on_other = world_accept(&other);
	away = world_nexthop(&lsp);
	label[LABEL_POP] = sl_label_row(SL_LABEL_POP, world_accept(&own), 0, 0);
	label[LABEL_SWAP] = sl_label_row(SL_LABEL_SWAP, on_other, OUT, world_nexthop(&lsp));
	label[LABEL_AWAY] = sl_label_row(SL_LABEL_SWAP, on_other, OUT, away);
	label[LABEL_INSIDE] = sl_label_row(SL_LABEL_SWAP, world_accept(&own), OUT, away);
	return 0;
}

/* As EXPECT, and the labels are there again. */
#define GONE(reason)                                                                               \
	do {                                                                                       \
		scene_expect_drops(SL_DROP_##reason, 1);                                           \
		with_labels(NULL);                                                                 \
	} while (0)
#undef CASE
#define CASE(test) cmocka_unit_test_setup(test, with_labels)

/* What is built, in plain MPLS, as if from `vlan`. */
static void send_mpls(uint16_t vlan)
{
	build_eth(&b, PE_CORE_MAC, P_MAC, vlan, 0x8847);
	from_core();
}

static void stack_of(unsigned int n, bool bottom)
{
	for (unsigned int i = 0; i < n; i++)
		build_label(&b, LABEL_POP, bottom && i == 0, 255);
}

/* MPLS-in-GRE from the remote PE, without Ethernet. */
static void build_tunnelled(uint32_t label)
{
	build_labelled4(&b, label, HERE4);
	build_gre(&b, 0, 0x8847);
	build_ip4(&b, REMOTE4, LOCAL4, 47, 255);
}

static void expect_at_ce(unsigned int n)
{
	uint8_t frame[2048];

	for (unsigned int i = 0; i < n; i++)
		assert_int_not_equal(world_sent(PORT_CE, frame), 0);
	assert_int_equal(world_all_drops(), 0);
	world_expect_quiet();
}

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

/* ---- swap ---- */

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
	uint32_t adjacency, receive, glean;
	struct sl_version_row unreachable = {.kind = SL_NH_DROP,
	                                     .drop_reason = SL_DROP_unreachable,
	                                     .flags = SL_NHF_ICMP_UNREACHABLE};

	(void)state;
	for (int i = 0; i < 3; i++) {
		adjacency = scene.ce;
		receive = scene.receive;
		glean = scene.glean;
		world.tables->nexthop[away].active =
			world.tables->nexthop[i == 0   ? adjacency
		                              : i == 1 ? receive
		                                       : glean]
				.active;
		build_labelled4(&b, LABEL_AWAY, HERE4);
		send_mpls(VLAN_OTHER);
		GONE(nexthop_unusable);
	}
	world.tables->nexthop[away].active = world_version(&unreachable);
	build_labelled4(&b, LABEL_AWAY, HERE4);
	send_mpls(VLAN_OTHER);
	GONE(unreachable); /* and nobody hears of it */
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
		CASE(swapped_labels_leave),
		CASE(swapped_label_ttl),
		CASE(swapped_label_stack),
		CASE(swapped_label_mtu),
		CASE(swapped_labels_leave_by_tunnels_alone),
		CASE(every_reason_was_provoked),
	};

	return cmocka_run_group_tests_name("eal_mpls", tests, NULL, NULL);
}
