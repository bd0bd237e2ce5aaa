/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path MTU probes: made as large as was asked for by every suite, over IPv4 and IPv6, in UDP; noted by who receives them;
 * what cannot be sent is dropped by name.
 */
#include "stages/stage.h"
#include "support/build.h"
#include "support/drops.h"
#include "support/scene.h"
#include "support/threads.h"

enum { SA = 1, ROUND = 0x12345678 };

static uint8_t got[2048];
static uint32_t tunnel;

static void send_as(uint32_t nexthop, uint32_t sa, uint32_t bytes)
{
	struct sl_probe probe = {nexthop, sa, ROUND, bytes};
	struct rte_mbuf *m = world_frame((const uint8_t *)&probe, sizeof(probe));

	memset(sl_packet(m), 0, sizeof(struct sl_packet));
	sl_packet(m)->punt = SL_PUNT_PROBE;
	sl_pipeline_inject(&world.worker, &m, 1);
	sl_pipeline_flush(&world.worker);
}

/* A way out, and the other end's way in: the same row is taken for both, so what was sent can be received again. */
static void set(uint8_t algorithm, uint8_t family, bool esn, bool in_udp)
{
	struct sl_sa_row out = world_sa_row(algorithm, family, false, SL_ENCAP_GRE);
	struct sl_version_row row;

	scene_set();
	out.esn = esn;
	if (in_udp)
		out.udp_source_port = out.udp_destination_port = 4500;
	world_sa_out(SA, &out);
	out.replay_window = 64;
	out.sp_table = 1;
	world_sa_in(SA, &out);
	world.tables->spi[out.spi & (SL_SPI_SLOTS - 1)] = SA;
	row = world_tunnel(SL_ENCAP_GRE, family, SA, false);
	tunnel = world_nexthop(&row);
	if (family == 4)
		world_route(SL_VRF_CORE, 4, REMOTE4, 32,
		            world_simple(SL_NH_RECEIVE, SL_VRF_CORE, IF_CORE), 0, 0);
	else
		world_route(SL_VRF_CORE, 6, REMOTE6, 128,
		            world_simple(SL_NH_RECEIVE, SL_VRF_CORE, IF_CORE), 0, 0);
	world_commit();
}

/* The largest outer packet of at most `bytes` that is whole blocks within. */
static unsigned int fit(const struct sl_sa_key *key, uint8_t family, bool in_udp,
                        unsigned int bytes)
{
	unsigned int around =
		(family == 4 ? 20u : 40u) + (in_udp ? 8u : 0u) + key->front_len + key->icv_len;

	return around + (bytes - around) / key->align * key->align;
}

static void send_and_receive(uint8_t algorithm, uint8_t family, bool esn, bool in_udp)
{
	const struct sl_sa_key *key;

	set(algorithm, family, esn, in_udp);
	key = world.keys_out[SA];
	for (uint32_t bytes = 1280; bytes < 1300; bytes++) {
		unsigned int wanted = fit(key, family, in_udp, bytes);
		size_t n;

		send_as(tunnel, SA, bytes);
		n = world_sent(PORT_CORE, got);
		assert_int_equal(n, 14 + wanted);
		if (family == 4) {
			assert_int_equal(sl_get16(got + 16), wanted);
			assert_int_equal(sl_get16(got + 20) & SL_IP4_DF, SL_IP4_DF);
			assert_int_equal(sl_sum_fold(sl_sum(got + 14, 20, 0)), 0xffff);
		} else {
			assert_int_equal(sl_get16(got + 18), wanted - 40);
		}
		memcpy(got, PE_CORE_MAC, 6);
		world_receive(PORT_CORE, got, n);
		scene_expect_drops(SL_DROP_esp_dummy, 1 + bytes - 1280);
		assert_int_equal(sl_probe_seen_round(world.state->sa_in[SA].probe), ROUND);
		assert_int_equal(sl_probe_seen_bytes(world.state->sa_in[SA].probe), wanted);
	}
	assert_int_equal(world.state->sa_out[SA].packets, 20);
	assert_int_equal(world.state->sa_out[SA].last_sequence, 20);
	world_expect_quiet();
}

static void by_every_suite(void **state)
{
	(void)state;
	for (unsigned int algorithm = 1; algorithm <= SL_ALG_NULL_SHA_512; algorithm++)
		for (int family = 4; family <= 6; family += 2)
			for (int esn = 0; esn < 2; esn++) {
				send_and_receive((uint8_t)algorithm, (uint8_t)family, esn != 0,
				                 false);
				if (family == 4)
					send_and_receive((uint8_t)algorithm, 4, esn != 0, true);
			}
}

/* Of one round the largest counts, whatever order they come in; another round begins anew. */
static void the_largest_of_a_round_counts(void **state)
{
	struct sl_sa_in_state *in;
	static const uint32_t sizes[] = {1400, 1300, 1500, 1340};
	static const uint32_t seen[] = {1400, 1400, 1500, 1500};
	size_t n;

	(void)state;
	set(SL_ALG_AES_GCM_128, 4, false, false);
	in = &world.state->sa_in[SA];
	for (unsigned int i = 0; i < 4; i++) {
		send_as(tunnel, SA, sizes[i]);
		n = world_sent(PORT_CORE, got);
		memcpy(got, PE_CORE_MAC, 6);
		world_receive(PORT_CORE, got, n);
		assert_int_equal(sl_probe_seen_bytes(in->probe), seen[i]);
	}
	in->probe = sl_probe_seen(ROUND - 1, 1500);
	send_as(tunnel, SA, 1300);
	n = world_sent(PORT_CORE, got);
	memcpy(got, PE_CORE_MAC, 6);
	world_receive(PORT_CORE, got, n);
	assert_int_equal(in->probe, sl_probe_seen(ROUND, 1300));
	/* again: a replay is none */
	in->probe = 0;
	world_receive(PORT_CORE, got, n);
	assert_int_equal(in->probe, 0);
	assert_int_equal(world.worker.block->drops[SL_DROP_esp_replayed], 1);
	/* and what is not authentic */
	send_as(tunnel, SA, 1300);
	n = world_sent(PORT_CORE, got);
	memcpy(got, PE_CORE_MAC, 6);
	got[n - 1] ^= 1;
	world_receive(PORT_CORE, got, n);
	assert_int_equal(in->probe, 0);
	assert_int_equal(world.worker.block->drops[SL_DROP_esp_auth_failed], 1);
}

static void expect_unsent(uint32_t nexthop, uint32_t sa, uint32_t bytes, enum sl_drop_reason reason)
{
	uint64_t before = world.worker.block->drops[reason];

	send_as(nexthop, sa, bytes);
	assert_int_equal(world_sent(PORT_CORE, got), 0);
	assert_int_equal(world.worker.block->drops[reason], before + 1);
	assert_int_equal(world.state->sa_out[SA].last_sequence, 0);
	world_expect_quiet();
}

static void what_cannot_be_sent(void **state)
{
	(void)state;
	set(SL_ALG_AES_GCM_128, 4, false, false);
	expect_unsent(scene.clear_tunnel, SA, 1300, SL_DROP_nexthop_unusable);
	expect_unsent(scene.ce, SA, 1300, SL_DROP_nexthop_unusable);
	expect_unsent(SL_MAX_NEXTHOPS - 1, SA, 1300, SL_DROP_nexthop_unusable);
	expect_unsent(tunnel, SA + 1, 1300, SL_DROP_nexthop_unusable);
	expect_unsent(tunnel, SA, 57, SL_DROP_nexthop_unusable); /* no room for the round */
	expect_unsent(tunnel, SA, 9000, SL_DROP_no_mbuf);
	world.state->sa_out[SA].ready_generation = 0;
	expect_unsent(tunnel, SA, 1300, SL_DROP_sa_not_ready);
	world.tables->sa_out[SA].generation++;
	expect_unsent(tunnel, SA, 1300, SL_DROP_sa_not_ready);
	set(SL_ALG_AES_GCM_128, 4, false, false);
	world.tables->sa_out[SA].byte_limit = 1299;
	expect_unsent(tunnel, SA, 1300, SL_DROP_sa_exhausted);
	set(SL_ALG_AES_GCM_128, 4, false, false);
	world.tables->version[sl_nexthop_active(&world.worker, tunnel)].template_len = 40;
	expect_unsent(tunnel, SA, 1300, SL_DROP_nexthop_unusable); /* its ESP header is beyond */
}

/* In it are the round and the trailer, and nothing else. */
static void the_least(void **state)
{
	(void)state;
	set(SL_ALG_AES_GCM_128, 4, false, false);
	send_as(tunnel, SA, 58); /* 20 + 16 + 16, and 6, which is no whole block */
	assert_int_equal(world_sent(PORT_CORE, got), 0);
	send_as(tunnel, SA, 60);
	assert_int_equal(world_sent(PORT_CORE, got), 14 + 60);
}

/* Of whoever sends such: there is no round in it, and it is dropped as any. */
static void a_short_dummy(void **state)
{
	(void)state;
	set(SL_ALG_AES_GCM_128, 4, false, false);
	for (unsigned int payload = 0; payload <= 4; payload++) {
		build_payload(&b, payload);
		build_esp(&b, SA, payload + 1, 59);
		build_ip4(&b, LOCAL4, REMOTE4, 50, 60); /* as the row has it */
		build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
		build_receive(&b, PORT_CORE);
		assert_int_equal(world.worker.block->drops[SL_DROP_esp_dummy], payload + 1);
		assert_int_equal(world.state->sa_in[SA].probe != 0, payload == 4);
	}
}

/* The SA's owner makes it. */
static void made_by_the_owner(void **state)
{
	(void)state;
	set(SL_ALG_AES_GCM_128, 4, false, false);
	threads_set();
	world.keys_out[SA]->owner = 1;
	send_as(tunnel, SA, 1300);
	assert_int_equal(world.state->sa_out[SA].last_sequence, 0);
	threads_settle();
	assert_int_equal(world.state->sa_out[SA].last_sequence, 1);
	assert_int_equal(world_sent(PORT_CORE, got), 14 + 1300);
	world.worker.threads = 1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_every_suite),
		cmocka_unit_test(the_largest_of_a_round_counts),
		cmocka_unit_test(what_cannot_be_sent),
		cmocka_unit_test(the_least),
		cmocka_unit_test(a_short_dummy),
		cmocka_unit_test(made_by_the_owner),
	};

	return cmocka_run_group_tests_name("path MTU probes", tests, NULL, NULL);
}
