/* SPDX-License-Identifier: Apache-2.0 */
/* Drops at the label and behind it (P13, P14; policy-model 1-5) (support/drops.h). */
#include "support/drops.h"

/* Put what is built into GRE and ESP and send it. */
static void send_secured(uint32_t sa)
{
	build_gre(&b, 0, 0x8847);
	build_esp(&b, sa, 1, 47);
	build_core4(&b, 50);
	from_core();
}

/* An inbound SA like row 1 but for what a test changes; row 2, its own SPI. */
static struct sl_sa_row second_sa(uint8_t algorithm, enum sl_encap encap, uint8_t sp_table)
{
	struct sl_sa_row row = world_sa_row(algorithm, 4, true, encap);

	row.spi++;
	row.sp_table = sp_table;
	return row;
}

enum clear_kind { CLEAR_GRE, CLEAR_IP, CLEAR_MPLS };
static void send_clear(uint32_t label, enum clear_kind kind, const uint8_t *to)
{
	world.tables->interface[IF_CORE].flags =
		SL_IF_ACCEPT_GRE | SL_IF_ACCEPT_IP | SL_IF_MPLS_OWN_SP;
	build_labelled4(&b, label, to);
	if (kind == CLEAR_MPLS) {
		build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x8847);
	} else {
		if (kind == CLEAR_GRE)
			build_gre(&b, 0, 0x8847);
		build_core4(&b, kind == CLEAR_GRE ? 47 : 137);
	}
	from_core();
}

/* ---- label ---- */

static void label_truncated(void **state)
{
	(void)state;
	for (size_t n = 0; n < 4; n++) { /* no label */
		build_payload(&b, n);
		send_secured(1);
		EXPECT(label_truncated);
	}
	build_payload(&b, 0); /* no packet under it */
	build_label(&b, LABEL_ALL, true, 255);
	send_secured(1);
	EXPECT(label_truncated);
	build_payload(&b, 0); /* no label under the explicit null */
	build_label(&b, 0, false, 255);
	send_secured(1);
	EXPECT(label_truncated);
}

static void label_stack(void **state)
{
	(void)state;
	build_labelled4(&b, LABEL_ALL, HERE4);
	build_label(&b, LABEL_ALL, false, 255);
	send_secured(1);
	EXPECT(label_stack);
	build_labelled4(&b, 0, HERE4); /* explicit null alone */
	send_secured(1);
	EXPECT(label_stack);
	build_labelled4(&b, LABEL_ALL, HERE4); /* explicit null in clear */
	build_label(&b, 0, false, 255);
	build_gre(&b, 0, 0x8847);
	build_core4(&b, 47);
	world.tables->interface[IF_CORE].flags = SL_IF_ACCEPT_GRE;
	from_core();
	EXPECT(label_stack);
}

static void label_unknown(void **state)
{
	static const uint32_t labels[] = {1, 3, 4, 14, 15, 16, 99999, 0xfffff, LABEL_ROW_BROKEN};

	(void)state;
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		if (labels[i] < 16) /* even if a row were there by mistake */
			world.tables->label[labels[i]] =
				sl_label_row(SL_LABEL_VRF, scene.accept_all, 0, VRF_A);
		build_labelled4(&b, labels[i], HERE4);
		send_secured(1);
		EXPECT(label_unknown);
	}
}

/* P13: the label of a protected route in clear, however it is wrapped. */
static void label_protected(void **state)
{
	(void)state;
	for (int kind = CLEAR_GRE; kind <= CLEAR_MPLS; kind++) {
		send_clear(LABEL_ENCRYPT, kind, HERE4);
		EXPECT(label_protected);
	}
	/* case ii: the own SP may leave it out only on plain MPLS, never behind outer addresses */
	send_clear(LABEL_CASE_II, CLEAR_GRE, HERE4);
	EXPECT(label_protected);
	send_clear(LABEL_CASE_II, CLEAR_IP, HERE4);
	EXPECT(label_protected);
}

/* P14: a correctly keyed PE of an SP that the route was not exported to. */
static void label_wrong_sp(void **state)
{
	struct sl_sa_row row = second_sa(SL_ALG_AES_GCM_128, SL_ENCAP_GRE, 2);

	(void)state;
	world_sa_in(2, &row);
	build_labelled4(&b, LABEL_ENCRYPT, HERE4);
	send_secured(2);
	EXPECT(label_wrong_sp);
	build_labelled4(&b, LABEL_CASE_II, HERE4); /* and the other way round */
	send_secured(1);
	EXPECT(label_wrong_sp);
	build_labelled4(&b, LABEL_MPLS, HERE4); /* exported in clear alone */
	send_secured(1);
	EXPECT(label_wrong_sp);
}

/* Policy-model 3: `encrypt` asked for, authenticate-only used; and clear arrivals of the wrong sort. */
static void label_wrong_protection(void **state)
{
	struct sl_sa_row row = second_sa(SL_ALG_AES_GMAC_128, SL_ENCAP_GRE, 1);

	(void)state;
	world_sa_in(2, &row);
	build_labelled4(&b, LABEL_ENCRYPT, HERE4);
	send_secured(2);
	EXPECT(label_wrong_protection);
	build_labelled4(&b, LABEL_GRE, HERE4);
	send_secured(1);
	EXPECT(label_wrong_protection);
	send_clear(LABEL_MPLS, CLEAR_GRE, HERE4);
	EXPECT(label_wrong_protection);
	send_clear(LABEL_GRE, CLEAR_MPLS, HERE4);
	EXPECT(label_wrong_protection);
}

static void label_wrong_encap(void **state)
{
	(void)state;
	build_labelled4(&b, LABEL_SECURED_IP, HERE4);
	send_secured(1);
	EXPECT(label_wrong_encap);
	send_clear(LABEL_GRE, CLEAR_IP, HERE4);
	EXPECT(label_wrong_encap);
}

static void label_ttl_expired(void **state)
{
	(void)state;
	for (int uniform = 0; uniform < 2; uniform++) {
		world.tables->vrf[VRF_A].flags = uniform ? SL_VRF_TTL_UNIFORM : 0;
		build_payload(&b, 40);
		build_ip4(&b, THERE4, HERE4, 17, 33);
		build_label(&b, LABEL_ALL, true, 0);
		send_secured(1);
		EXPECT(label_ttl_expired);
	}
	/* uniform: 1 expires here, and the source hears of it (eal_icmp.c) unless there is no address */
	memset(world.tables->vrf[VRF_A].icmp_source4, 0, 4);
	world.tables->vrf[VRF_A].flags = SL_VRF_TTL_UNIFORM;
	build_payload(&b, 40);
	build_ip4(&b, THERE4, HERE4, 17, 33);
	build_label(&b, LABEL_ALL, true, 1);
	send_secured(1);
	assert_int_equal(world_drops(SL_DROP_icmp_forbidden), 1);
	world.worker.block->drops[SL_DROP_icmp_forbidden] = 0;
	EXPECT(label_ttl_expired);
}

/* Policy-model 2: the label is fine, the route behind it was exported otherwise, or to nobody. */
static void route_not_exported_this_way(void **state)
{
	struct sl_sa_row row = second_sa(SL_ALG_AES_GCM_128, SL_ENCAP_GRE, 2);

	(void)state;
	build_secured4(&b, 1, 1, LABEL_ALL, A4(10, 7, 0, 1)); /* exported to nobody */
	from_core();
	EXPECT(route_not_exported_this_way);
	send_clear(LABEL_ALL, CLEAR_MPLS,
	           A4(10, 11, 0, 1)); /* exported as `encrypt`; the plain label is good */
	EXPECT(route_not_exported_this_way);
	world_sa_in(2, &row);
	build_secured4(&b, 2, 1, LABEL_ALL, A4(10, 11, 0, 1)); /* exported to another SP */
	from_core();
	EXPECT(route_not_exported_this_way);
	world_route(VRF_A, 4, PE_CE4, 32, scene.receive, 0,
	            scene.accept_encrypt); /* our own address too */
	world_commit();
	send_clear(LABEL_ALL, CLEAR_MPLS, PE_CE4);
	EXPECT(route_not_exported_this_way);
	/* out of a tunnel and into one: not even when the sets would allow it */
	world_route(VRF_A, 4, THERE4, 24, scene.tunnel, VEC_LABEL_OUT, scene.accept_all);
	world_commit();
	build_secured4(&b, 1, 1, LABEL_ALL, THERE4);
	from_core();
	EXPECT(route_not_exported_this_way);
	build_secured4(&b, 1, 1, LABEL_TO_TUNNEL, HERE4);
	from_core();
	EXPECT(route_not_exported_this_way);
}

static void inner_not_ip(void **state)
{
	(void)state;
	for (unsigned int version = 0; version < 16; version++) {
		if (version == 4 || version == 6)
			continue;
		build_payload(&b, 40);
		build_ip4(&b, THERE4, HERE4, 17, 33);
		build_bytes(&b)[0] = (uint8_t)(version << 4 | 5);
		build_label(&b, LABEL_ALL, true, 255);
		send_secured(1);
		EXPECT(inner_not_ip);
	}
}

static void every_reason_was_provoked(void **state)
{
	(void)state;
	drops_expect_all(DROPS_LABEL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(label_truncated),
		CASE(label_stack),
		CASE(label_unknown),
		CASE(label_protected),
		CASE(label_wrong_sp),
		CASE(label_wrong_protection),
		CASE(label_wrong_encap),
		CASE(label_ttl_expired),
		CASE(route_not_exported_this_way),
		CASE(inner_not_ip),
		CASE(every_reason_was_provoked),
	};

	return cmocka_run_group_tests_name("eal_drops_label", tests, NULL, NULL);
}
