/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of every sort out of tunnels, their counters and models; bursts of mixed packets. */
#include "support/scene.h"

static struct build b;
static uint8_t got[2048];

static int fresh(void **state)
{
	(void)state;
	scene_set();
	return 0;
}

/* ---- labels ---- */

static void label_counters(void **state)
{
	struct sl_label_counters *label = world.worker.block->label;

	(void)state;
	build_secured4(&b, 1, 1, LABEL_ALL, HERE4);
	build_receive(&b, PORT_CORE);
	build_secured4(&b, 1, 2, LABEL_NEXTHOP, HERE4);
	build_receive(&b, PORT_CORE);
	assert_int_equal(label[LABEL_ALL].packets, 1);
	assert_int_equal(label[LABEL_ALL].bytes, 60);
	assert_int_equal(label[LABEL_NEXTHOP].packets, 1);
	assert_int_equal(world.worker.block->vrf[VRF_A].from_core_packets, 2);
	assert_int_equal(world.worker.block->vrf[VRF_A].from_core_bytes, 120);
	assert_int_equal(world.worker.block->vrf[VRF_A].local_packets, 0);
	world.worker.labels_backed = LABEL_NEXTHOP; /* the first that is not */
	build_secured4(&b, 1, 3, LABEL_NEXTHOP, HERE4);
	build_receive(&b, PORT_CORE);
	assert_int_equal(label[LABEL_NEXTHOP].packets, 1);
	assert_int_equal(world_all_drops(), 0);
	scene_set();
}

/* Policy-model 4: each clear way to an unprotected label, by configuration. */
static void clear_arrivals(void **state)
{
	(void)state;
	world.tables->interface[IF_CORE].flags = SL_IF_ACCEPT_GRE;
	build_labelled4(&b, LABEL_GRE, HERE4);
	build_gre(&b, 0, 0x8847);
	build_core4(&b, 47);
	build_receive(&b, PORT_CORE);
	assert_int_equal(world_sent(PORT_CE, got), 74);
	world.tables->interface[IF_CORE].flags = SL_IF_ACCEPT_IP;
	build_labelled4(&b, LABEL_ALL, HERE4);
	build_core4(&b, 137);
	build_receive(&b, PORT_CORE);
	assert_int_equal(world_sent(PORT_CE, got), 74);
	world.tables->interface[IF_CORE].flags = SL_IF_MPLS_OWN_SP;
	for (int i = 0; i < 2; i++) { /* unprotected, and case ii from inside the own SP */
		build_labelled4(&b, i == 0 ? LABEL_MPLS : LABEL_CASE_II, HERE4);
		build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x8847);
		build_receive(&b, PORT_CORE);
		if (i == 0)
			assert_int_equal(world_sent(PORT_CE, got), 74);
	}
	/* the case ii route would have to accept it as well: accept_all has plain MPLS, so it does */
	assert_int_equal(world_sent(PORT_CE, got), 74);
	assert_int_equal(world_all_drops(), 0);
	world_expect_quiet();
}

static void explicit_null_out_of_an_sa(void **state)
{
	(void)state;
	for (uint32_t null = 0; null <= 2; null += 2) {
		build_labelled4(&b, LABEL_ALL, HERE4);
		build_label(&b, null, false, 255);
		build_gre(&b, 0, 0x8847);
		build_esp(&b, 1, null + 1, 47);
		build_core4(&b, 50);
		build_receive(&b, PORT_CORE);
		assert_int_equal(world_sent(PORT_CE, got), 74);
	}
	assert_int_equal(world_all_drops(), 0);
}

/* Out of an SA, in an outer packet with IPv4 options or skippable IPv6 extension headers. */
static void outer_options(void **state)
{
	struct sl_sa_row six = world_sa_row(SL_ALG_AES_GCM_256, 6, true, SL_ENCAP_IP);

	(void)state;
	build_labelled4(&b, LABEL_ALL, HERE4);
	build_gre(&b, 0, 0x8847);
	build_esp(&b, 1, 1, 47);
	memcpy(build_front(&b, 4), "\x01\x01\x01\x00", 4);
	build_ip4(&b, REMOTE4, LOCAL4, 50, 64);
	build_bytes(&b)[0] = 0x46;
	build_sum4(&b);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
	build_receive(&b, PORT_CORE);
	assert_int_equal(world_sent(PORT_CE, got), 74);

	six.spi ^= 5;
	world_sa_in(2, &six);
	build_labelled4(&b, LABEL_ALL, HERE4);
	build_esp(&b, 2, 1, 137);
	memcpy(build_front(&b, 8), "\x32\x00\x01\x04\x00\x00\x00\x00", 8);
	build_ip6(&b, REMOTE6, LOCAL6, 60, 64);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x86dd);
	build_receive(&b, PORT_CORE);
	assert_int_equal(world_sent(PORT_CE, got), 74);
	assert_int_equal(world_all_drops(), 0);
}

/* RFC 3443, RFC 3270: a label of a lower TTL and another class goes on in the packet; never a higher TTL. */
static void uniform_models_at_egress(void **state)
{
	(void)state;
	world.tables->vrf[VRF_A].flags = SL_VRF_TTL_UNIFORM | SL_VRF_TC_UNIFORM;
	for (unsigned int i = 0; i < 2; i++) {
		uint8_t label_ttl = i == 0 ? 9 : 200;

		build_payload(&b, 40);
		build_ip4(&b, THERE4, HERE4, 17, 33);
		build_label(&b, LABEL_ALL, true, label_ttl);
		build_bytes(&b)[2] |= 3 << 1; /* TC 3 */
		build_gre(&b, 0, 0x8847);
		build_esp(&b, 1, i + 1, 47);
		build_core4(&b, 50);
		build_receive(&b, PORT_CORE);
		assert_int_equal(world_sent(PORT_CE, got), 74);
		assert_int_equal(got[14 + 8], i == 0 ? 8 : 32);
		assert_int_equal(got[14 + 1], 3 << 5);
		assert_int_equal(sl_sum_fold(sl_sum(got + 14, 20, 0)), 0xffff);
	}
}

/* ---- bursts ---- */

/* Packets of all kinds in one burst: each goes its way, in the order it came. */
static void mixed_burst(void **state)
{
	struct rte_mbuf *burst[SL_BURST];
	unsigned int n = 0;

	(void)state;
	for (unsigned int i = 0; i < SL_BURST; i++) {
		static const uint8_t to[4][4] = {
			{10, 2, 2, 2}, {10, 1, 1, 7}, {10, 9, 0, 1}, {10, 4, 0, 1}};

		if (i % 8 == 7)
			build_from_ce6(&b, THERE6, 30 + i, 64);
		else
			build_from_ce4(&b, to[i % 4], 30 + i, 64);
		burst[n++] = world_frame(build_bytes(&b), build_len(&b));
	}
	sl_pipeline_receive(&world.worker, PORT_CE, burst, SL_BURST);
	sl_pipeline_flush(&world.worker);
	for (unsigned int i = 1; i < SL_BURST; i += 4)
		assert_int_equal(world_sent(PORT_CE, got), 14 + 20 + 30 + i);
	/* tunnels leave in order too, secured and clear ones as they came */
	for (unsigned int i = 0, sequence = 1; i < SL_BURST; i++) {
		if (i % 4 == 1 || i % 8 == 3)
			continue;
		assert_true(world_sent(PORT_CORE, got) > 0);
		if (i % 4 == 2) {
			assert_int_equal(got[23], 137);
			continue;
		}
		assert_int_equal(got[23], 50);
		assert_int_equal(sl_get32(got + 38), sequence);
		assert_int_equal(sl_get64(got + 42), sequence++);
	}
	assert_int_equal(world.state->sa_out[1].packets, 12);
	assert_int_equal(world.state->sa_out[1].last_sequence, 12);
	scene_expect_drops(SL_DROP_blackhole, 4);
}

/* The limit lies within a burst: what is left of it is sent, the rest is dropped. */
static void limit_within_a_burst(void **state)
{
	struct rte_mbuf *burst[SL_BURST];

	(void)state;
	world.tables->sa_out[1].packet_limit = 100;
	world.state->sa_out[1].last_sequence = 90;
	build_from_ce4(&b, THERE4, 30, 64);
	for (unsigned int i = 0; i < SL_BURST; i++)
		burst[i] = world_frame(build_bytes(&b), build_len(&b));
	sl_pipeline_receive(&world.worker, PORT_CE, burst, SL_BURST);
	sl_pipeline_flush(&world.worker);
	for (uint32_t sequence = 91; sequence <= 100; sequence++) {
		assert_true(world_sent(PORT_CORE, got) > 0);
		assert_int_equal(sl_get32(got + 38), sequence);
	}
	assert_int_equal(world.state->sa_out[1].last_sequence, 100);
	assert_int_equal(world.state->sa_out[1].packets, 10);
	scene_expect_drops(SL_DROP_sa_exhausted, 22);
}

/* A whole burst out of an SA, some of it forged, replayed or for the kernel. */
static void burst_out_of_an_sa(void **state)
{
	struct rte_mbuf *burst[SL_BURST];
	unsigned int sent = 0;

	(void)state;
	for (uint32_t i = 0; i < SL_BURST; i++) {
		build_secured4(&b, 1, i % 5 == 4 ? i : i + 1, LABEL_ALL,
		               i % 5 == 3 ? PE_CE4 : HERE4);
		if (i % 5 == 2)
			build_bytes(&b)[60] ^= 4;
		burst[i] = world_frame(build_bytes(&b), build_len(&b));
	}
	sl_pipeline_receive(&world.worker, PORT_CORE, burst, SL_BURST);
	sl_pipeline_flush(&world.worker);
	while (world_sent(PORT_CE, got) != 0)
		sent++;
	assert_int_equal(sent, 14); /* i % 5 of 0 and 1 */
	for (unsigned int i = 0; i < 6; i++) {
		struct rte_mbuf *m = world_punted();

		assert_non_null(m);
		rte_pktmbuf_free(m);
	}
	assert_int_equal(world_drops(SL_DROP_esp_auth_failed), 6);
	assert_int_equal(world_drops(SL_DROP_esp_replayed), 6);
	assert_int_equal(world_all_drops(), 12);
	assert_int_equal(world.state->sa_in[1].packets, 20);
	world_expect_quiet();
}

/* A rekey is one store: the next packet uses the other SA (P11, make before break). */
static void rekey_by_one_store(void **state)
{
	struct sl_sa_row next = world_sa_row(SL_ALG_AES_GCM_256, 4, false, SL_ENCAP_GRE);
	struct sl_version_row row;
	uint32_t version;

	(void)state;
	next.spi = 0x01020304;
	next.generation = 8;
	world_sa_out(2, &next);
	row = world_tunnel(SL_ENCAP_GRE, 4, 2, false);
	version = world_version(&row);
	for (int i = 0; i < 2; i++) {
		build_from_ce4(&b, THERE4, 30, 64);
		build_receive(&b, PORT_CE);
		assert_true(world_sent(PORT_CORE, got) > 0);
		assert_int_equal(sl_get32(got + 34), i == 0 ? VEC_SPI_OUT : next.spi);
		assert_int_equal(sl_get32(got + 38), 1);
		world.tables->nexthop[scene.tunnel].active = version;
	}
}

#define CASE(test) cmocka_unit_test_setup(test, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(label_counters),
		CASE(clear_arrivals),
		CASE(explicit_null_out_of_an_sa),
		CASE(outer_options),
		CASE(uniform_models_at_egress),
		CASE(mixed_burst),
		CASE(limit_within_a_burst),
		CASE(burst_out_of_an_sa),
		CASE(rekey_by_one_store),
	};

	return cmocka_run_group_tests_name("eal_paths_bursts", tests, NULL, NULL);
}
