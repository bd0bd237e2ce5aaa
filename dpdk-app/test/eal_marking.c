/* SPDX-License-Identifier: Apache-2.0 */
/* DSCP, TC and ECN between headers: the core's map (RFC 3270), swapped labels, and congestion (RFC 6040). */
#include "net/ecn.h"
#include "net/ip6.h"
#include "net/mpls.h"
#include "support/mpls.h"

enum { EF = 46, AF11 = 10, LABEL_GRE_SWAP = 610 };

static int marked(void **state)
{
	with_labels(state);
	world.tables->interface[IF_CORE].flags = SL_IF_ACCEPT_GRE;
	world.tables->label[LABEL_GRE_SWAP] =
		sl_label_row(SL_LABEL_SWAP, scene.accept_all, OUT, away);
	return 0;
}

/* EF is class 6 here, and nothing is class 5. */
static void map_classes(void)
{
	struct sl_traffic_class_map *map = &world.tables->header.traffic_class;

	for (unsigned int dscp = 40; dscp < 48; dscp++)
		map->tc_of_dscp[dscp] = 6;
	map->dscp_of_tc[6] = EF;
}

static void leave_by(struct sl_version_row row)
{
	world.tables->nexthop[away].active = world_version(&row);
}

/* Send a packet of `tos` from the CE by the tunnel of scene.clear_tunnel; what leaves is in `frame`. */
static void send_tos(uint8_t tos, uint8_t *frame)
{
	build_payload(&b, 40);
	build_ip4(&b, HERE4, A4(10, 9, 0, 1), 17, 64);
	sl_ip4_set_dscp(build_bytes(&b), tos >> 2);
	sl_ip4_set_ecn(build_bytes(&b), tos & 3);
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
	build_receive(&b, PORT_CE);
	assert_int_not_equal(world_sent(PORT_CORE, frame), 0);
}

static void into(struct sl_version_row row, uint8_t tos, uint8_t *frame)
{
	world.tables->nexthop[scene.clear_tunnel].active = world_version(&row);
	send_tos(tos, frame);
}

static uint8_t tc_at(const uint8_t *entry) { return sl_mpls_tc(sl_get32(entry)); }

static void classes_by_the_map(void **state)
{
	struct sl_version_row tunnel = world_tunnel(SL_ENCAP_IP, 4, 0, true), lsp = lsp_version(2);
	uint8_t frame[2048];

	(void)state;
	map_classes();
	into(tunnel, EF << 2, frame);
	assert_int_equal(frame[15], EF << 2);
	assert_int_equal(tc_at(frame + 34), 6);
	lsp.tos_copy = SL_TOS_DSCP;
	into(lsp, EF << 2, frame);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(tc_at(frame + 14 + 4 * i), 6);
	world.tables->vrf[VRF_A].flags = SL_VRF_DSCP_FIXED | AF11 << SL_VRF_DSCP_SHIFT;
	into(lsp, EF << 2, frame);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(tc_at(frame + 14 + 4 * i), 1);
	assert_int_equal(frame[14 + 12 + 1], EF << 2); /* the packet's own stays */
	lsp.tos_copy = 0;
	into(lsp, EF << 2, frame);
	assert_int_equal(tc_at(frame + 14),
	                 0); /* the template's; the VPN label is not the tunnel's */
	assert_int_equal(tc_at(frame + 22), 1);
}

/* Every octet of the customer's in every choice of what is copied: the checksum is right. */
static void outer_octet(void **state)
{
	static const uint8_t copies[] = {0, SL_TOS_ECN, SL_TOS_DSCP, SL_TOS_DSCP | SL_TOS_ECN};
	struct sl_version_row row = world_tunnel(SL_ENCAP_IP, 4, 0, false);
	uint8_t frame[2048];

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		row.tos_copy = copies[i];
		world.tables->nexthop[scene.clear_tunnel].active = world_version(&row);
		for (unsigned int tos = 0; tos < 256; tos++) {
			send_tos((uint8_t)tos, frame);
			assert_int_equal(frame[15], tos & copies[i]);
			assert_int_equal(sl_sum_fold(sl_sum(frame + 14, 20, 0)), 0xffff);
			assert_int_equal(frame[14 + 20 + 4 + 1], tos);
		}
	}
}

/* RFC 3270 2.6.3: a DSCP that has the label's class already is left, another becomes the one of that class. */
static void uniform_by_the_map(void **state)
{
	static const struct {
		uint8_t tc, dscp, left;
	} cases[] = {{6, EF, EF}, {6, 40, 40}, {6, AF11, EF}, {1, AF11, AF11}, {5, AF11, 40}};
	uint8_t frame[2048];

	(void)state;
	map_classes();
	world.tables->vrf[VRF_A].flags = SL_VRF_TC_UNIFORM;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		build_payload(&b, 40);
		build_ip4(&b, THERE4, HERE4, 17, 33);
		sl_ip4_set_dscp(build_bytes(&b), cases[i].dscp);
		build_label(&b, LABEL_ALL, true, 255);
		build_bytes(&b)[2] |= (uint8_t)(cases[i].tc << 1);
		build_gre(&b, 0, 0x8847);
		build_core4(&b, 47);
		from_core();
		assert_int_equal(world_sent(PORT_CE, frame), 74);
		assert_int_equal(frame[15], cases[i].left << 2);
		assert_int_equal(sl_sum_fold(sl_sum(frame + 14, 20, 0)), 0xffff);
	}
}

/* A packet under LABEL_GRE_SWAP with TC 5 in a GRE packet of family and ECN. */
static void send_swapped(uint8_t family, uint8_t ecn)
{
	build_payload(&b, 33); /* no IP packet */
	build_label(&b, LABEL_GRE_SWAP, true, 255);
	build_bytes(&b)[2] |= 5 << 1;
	build_gre(&b, 0, 0x8847);
	if (family == 4) {
		build_ip4(&b, REMOTE4, LOCAL4, 47, 60);
		sl_ip4_set_ecn(build_bytes(&b), ecn);
		build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
	} else {
		build_ip6(&b, REMOTE6, LOCAL6, 47, 60);
		sl_ip6_set_ecn(build_bytes(&b), ecn);
		build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x86dd);
	}
	from_core();
}

/* From tunnel to tunnel the outer ECN goes on, and the outer DSCP is the one that TC stands for. */
static void congestion_across_a_swap(void **state)
{
	uint8_t frame[2048];

	(void)state;
	for (uint8_t ecn = 0; ecn < 4; ecn++)
		for (unsigned int families = 0; families < 4; families++) {
			uint8_t in = families & 1 ? 6 : 4, out = families & 2 ? 6 : 4, tos;
			struct sl_version_row row = world_tunnel(SL_ENCAP_GRE, out, 0, true);

			row.tos_copy |= SL_TOS_ECN;
			leave_by(row);
			send_swapped(in, ecn);
			assert_int_not_equal(world_sent(PORT_CORE, frame), 0);
			tos = out == 4 ? frame[15] : sl_ip6_traffic_class(frame + 14);
			assert_int_equal(tos, 40 << 2 | ecn);
			assert_int_equal(tc_at(frame + 14 + (out == 4 ? 24 : 44)), 5);
			world_expect_quiet();
		}
}

/* Where the next tunnel cannot tell of congestion a loss does (RFC 6040 4.2), and everything else goes on. */
static void congestion_that_cannot_be_told(void **state)
{
	struct sl_version_row rows[] = {world_tunnel(SL_ENCAP_GRE, 4, 0, true), lsp_version(1)};
	uint8_t frame[2048];

	(void)state;
	for (unsigned int i = 0; i < 2; i++)
		for (uint8_t ecn = 0; ecn < 4; ecn++) {
			leave_by(rows[i]);
			send_swapped(4, ecn);
			if (ecn == SL_ECN_CE) {
				scene_expect_drops(SL_DROP_ecn_not_ect, 1);
				world.worker.block->drops[SL_DROP_ecn_not_ect] = 0;
				continue;
			}
			assert_int_not_equal(world_sent(PORT_CORE, frame), 0);
			world_expect_quiet();
		}
}

/* Plain MPLS has no outer header: what would stand there says nothing of congestion. */
static void plain_mpls_is_not_ect(void **state)
{
	uint8_t frame[2048];

	(void)state;
	world.tables->interface[IF_CORE].flags = SL_IF_MPLS_OWN_SP;
	build_payload(&b, 40);
	build_ip4(&b, THERE4, HERE4, 17, 33);
	build_label(&b, LABEL_ALL, true, 255);
	build_bytes(&b)[1] |= 3; /* both halves of an octet of TOS at either place of a header */
	world.tables->label[sl_mpls_label(sl_get32(build_bytes(&b)))] =
		world.tables->label[LABEL_ALL];
	build_bytes(&b)[1] |= 0x30;
	world.tables->label[sl_mpls_label(sl_get32(build_bytes(&b)))] =
		world.tables->label[LABEL_ALL];
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x8847);
	from_core();
	assert_int_equal(world_sent(PORT_CE, frame), 74);
	assert_int_equal(frame[15], 0);
	world_expect_quiet();
}

/* The congestion of a packet that is not forwarded is nobody's: an ECN of the outside opens no label. */
static void not_ect_in_ce(void **state)
{
	(void)state;
	for (int six = 0; six < 2; six++) {
		build_payload(&b, 40);
		if (six)
			build_ip6(&b, THERE6, HERE6, 17, 33);
		else
			build_ip4(&b, THERE4, HERE4, 17, 33);
		build_label(&b, LABEL_ALL, true, 255);
		build_gre(&b, 0, 0x8847);
		build_ip4(&b, REMOTE4, LOCAL4, 47, 60);
		sl_ip4_set_ecn(build_bytes(&b), SL_ECN_CE);
		build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
		from_core();
		scene_expect_drops(SL_DROP_ecn_not_ect, 1);
		world.worker.block->drops[SL_DROP_ecn_not_ect] = 0;
	}
}

static void every_reason_was_provoked(void **state)
{
	(void)state;
	drops_expect_all(DROPS_MARKING);
}

#define MARKED(test) cmocka_unit_test_setup(test, marked)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MARKED(classes_by_the_map),
		MARKED(outer_octet),
		MARKED(uniform_by_the_map),
		MARKED(congestion_across_a_swap),
		MARKED(congestion_that_cannot_be_told),
		MARKED(plain_mpls_is_not_ect),
		MARKED(not_ect_in_ce),
		MARKED(every_reason_was_provoked),
	};

	return cmocka_run_group_tests_name("eal_marking", tests, NULL, NULL);
}
