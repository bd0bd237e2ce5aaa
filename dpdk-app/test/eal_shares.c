/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An SA for each packet thread (policy-model 23, RFC 9611): SA 1 is what the tunnel's version names, the first thread's; SA 2
 * is the second's share of it. Each sends by its own, and by no other's state.
 */
#include "support/drops.h"
#include "support/threads.h"

#define OWN_SPI 0x21436587u

static uint8_t got[2048], alone[2048];
static struct sl_sa_row own; /* SA 2 */

static struct sl_sa_row own_row(enum sl_algorithm algorithm)
{
	struct sl_sa_row row = world_sa_row(algorithm, 4, false, SL_ENCAP_GRE);

	row.spi = OWN_SPI;
	row.generation = 77;
	memset(row.key, 0x2b, sizeof(row.key));
	memset(row.salt, 0x35, sizeof(row.salt));
	row.worker = 1;
	row.resource = 1;
	return row;
}

static void share(uint64_t word)
{
	world.tables->sa_share[1].sa[1] = word;
	world.tables->header.committed_rows[SL_ARENA_SA_SHARE] = 2;
}

static int two_threads(void **state)
{
	(void)state;
	scene_set();
	threads_set();
	own = own_row(SL_ALG_AES_GCM_128);
	world_sa_out(2, &own);
	world.keys_out[2]->owner = 1;
	share(sl_host_sa(own.generation, 2));
	return 0;
}

static int one_thread(void **state)
{
	(void)state;
	world.worker.threads = 1;
	scene_set();
	return 0;
}

static void receive(struct sl_worker *w, unsigned int n)
{
	struct rte_mbuf *frames[SL_BURST];

	for (unsigned int i = 0; i < n; i++) {
		build_from_ce4(&b, THERE4, 100, 64);
		frames[i] = world_frame(build_bytes(&b), build_len(&b));
	}
	sl_pipeline_receive(w, PORT_CE, frames, (uint16_t)n);
	sl_pipeline_flush(w);
}

/* What left: by each SA its numbers, from 1 on without a gap, each packet sealed with the key of its SPI. */
static void expect_numbers(uint64_t numbers[2])
{
	size_t n;

	numbers[0] = numbers[1] = 0;
	while ((n = world_sent(PORT_CORE, got)) != 0) {
		uint8_t *esp = got + 34, nonce[SL_ESP_NONCE_LEN];
		unsigned int which = sl_esp_spi(esp) == OWN_SPI;
		const struct sl_sa_key *key = world.keys_out[1 + which];

		assert_int_equal(sl_esp_spi(esp), world.tables->sa_out[1 + which].spi);
		assert_int_equal(sl_esp_sequence(esp), ++numbers[which]);
		sl_esp_read_nonce(esp, key->salt, nonce);
		assert_true(
			sl_esp_open(key, esp, n - 34 - SL_ESP_FRONT_LEN - SL_ESP_ICV_LEN, nonce));
	}
}

/* Bursts of both, in turn: no packet waits for the other thread, and neither touches the other's numbers. */
static void each_by_its_own(void **state)
{
	uint64_t numbers[2];

	(void)state;
	for (unsigned int burst = 1; burst <= 20; burst++) {
		receive(&world.worker, burst);
		receive(&second, 2);
		/* sealed already: what is passed goes to the port's queue, the first thread's */
		assert_int_equal(world.state->sa_out[2].last_sequence, 2ull * burst);
		threads_settle();
	}
	expect_numbers(numbers);
	assert_int_equal(numbers[0], 210);
	assert_int_equal(numbers[1], 40);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(world.state->sa_out[1 + i].last_sequence, numbers[i]);
		assert_int_equal(world.state->sa_out[1 + i].packets, numbers[i]);
		assert_int_equal(world.state->sa_out[1 + i].bytes / numbers[i],
		                 world.state->sa_out[1].bytes / numbers[0]);
	}
	assert_int_equal(world.worker.block->passed, 0);
	assert_int_equal(second.block->passed, 40);
	world_expect_quiet();
}

/* The bytes are those of a tunnel that names the SA itself. */
static void same_bytes(void **state)
{
	struct sl_version_row *version =
		&world.tables->version[world.tables->nexthop[scene.tunnel].active];
	size_t n, m;

	(void)state;
	receive(&second, 1);
	threads_settle();
	n = world_sent(PORT_CORE, got);
	world_sa_out(2, &own); /* from sequence number 1 again */
	world.keys_out[2]->owner = 0;
	version->sa = 2;
	version->sa_generation = own.generation;
	sl_put32(version->template_bytes + version->esp_off, OWN_SPI);
	receive(&world.worker, 1);
	m = world_sent(PORT_CORE, alone);
	assert_true(m > 0);
	world_expect_bytes("by a share", got, n, alone, m);
	assert_int_equal(sl_get32(got + 34), OWN_SPI);
	world_expect_quiet();
}

/* Over IPv6 the core spreads SAs by flow label: each has one of its own (RFC 6438). */
static void a_flow_label_each(void **state)
{
	/* tunnelFlowLabel() of LOCAL6, REMOTE6 and OWN_SPI: test/unit/forwarding/project.test.ts */
	enum { OWN_LABEL = 0x6778f };
	struct sl_sa_row first = world_sa_row(SL_ALG_AES_GCM_128, 6, false, SL_ENCAP_GRE);
	struct sl_version_row row = world_tunnel(SL_ENCAP_GRE, 6, 1, true);
	uint8_t *ip = row.template_bytes + row.ip_off;

	(void)state;
	world_sa_out(1, &first);
	own = first;
	own.spi = OWN_SPI;
	own.generation = 77;
	own.worker = 1;
	world_sa_out(2, &own);
	world.keys_out[2]->owner = 1;
	sl_put16(ip + 2, 0x1234); /* of the template's */
	ip[1] = (uint8_t)((ip[1] & 0xf0) | 5);
	world_route(VRF_A, 4, THERE4, 24, world_nexthop(&row), VEC_LABEL_OUT, 0);
	world_commit();
	receive(&world.worker, 1);
	assert_true(world_sent(PORT_CORE, got) > 0);
	assert_int_equal(sl_get32(got + 14) & 0xfffff, 0x51234);
	receive(&second, 1);
	threads_settle();
	assert_true(world_sent(PORT_CORE, alone) > 0);
	assert_int_equal(sl_get32(alone + 14) & 0xfffff, OWN_LABEL);
	assert_int_equal(sl_get32(alone + 14) >> 20, sl_get32(got + 14) >> 20);
	assert_int_equal(sl_get32(alone + 54), OWN_SPI);
	world_expect_quiet();
}

/* What is left of the share then: the packet is sealed by the owner of SA 1, with that. */
static void expect_passed(const char *why)
{
	uint64_t before = world.state->sa_out[1].last_sequence;

	receive(&second, 1);
	if (world.state->sa_out[1].last_sequence != before)
		fail_msg("%s: the other thread's number", why);
	threads_settle();
	if (world.state->sa_out[1].last_sequence != before + 1 ||
	    world.state->sa_out[2].last_sequence != 0)
		fail_msg("%s: not passed", why);
	assert_true(world_sent(PORT_CORE, got) > 0);
	assert_int_equal(sl_get32(got + 34), world.tables->sa_out[1].spi);
	world_expect_quiet();
}

static void shares_that_do_not_count(void **state)
{
	struct sl_sa_key *key = world.keys_out[2];
	struct sl_sa_row other;

	(void)state;
	share(0);
	expect_passed("none");
	share(sl_host_sa(own.generation + 1, 2));
	expect_passed("another generation");
	share(sl_host_sa(0, 2)); /* as of a row that is free again */
	world.tables->sa_out[2].generation = world.state->sa_out[2].ready_generation = 0;
	expect_passed("no generation");
	world.tables->sa_out[2].generation = own.generation;
	world.state->sa_out[2].ready_generation = own.generation;
	share(sl_host_sa(own.generation, 2));
	world.tables->header.committed_rows[SL_ARENA_SA_SHARE] = 1;
	expect_passed("not backed");
	share(sl_host_sa(own.generation, 2));
	world.state->sa_out[2].ready_generation = own.generation - 1;
	expect_passed("not ready");
	world.state->sa_out[2].ready_generation = own.generation;
	world.keys_out[2] = NULL;
	expect_passed("no key");
	world.keys_out[2] = key;
	key->owner = 2;
	expect_passed("a third thread's");
	other = own_row(SL_ALG_AES_GCM_256); /* as long, and yet not what was agreed on */
	world_sa_out(2, &other);
	world.keys_out[2]->owner = 1;
	expect_passed("another suite");
	other = own_row(SL_ALG_AES_CBC_128_SHA_256); /* longer in front and behind */
	world_sa_out(2, &other);
	world.keys_out[2]->owner = 1;
	expect_passed("another length");
}

/* Rekeyed: from one packet to the next. */
static void another_share(void **state)
{
	struct sl_sa_row next = own_row(SL_ALG_AES_GCM_128);

	(void)state;
	next.spi++;
	next.generation++;
	next.key[0]++;
	world_sa_out(3, &next);
	world.keys_out[3]->owner = 1;
	receive(&second, 1);
	share(sl_host_sa(next.generation, 3));
	receive(&second, 1);
	threads_settle();
	assert_true(world_sent(PORT_CORE, got) > 0);
	assert_int_equal(sl_get32(got + 34), OWN_SPI);
	assert_true(world_sent(PORT_CORE, got) > 0);
	assert_int_equal(sl_get32(got + 34), OWN_SPI + 1);
	assert_int_equal(world.state->sa_out[2].last_sequence, 1);
	assert_int_equal(world.state->sa_out[3].last_sequence, 1);
	assert_int_equal(world.state->sa_out[1].last_sequence, 0);
	world_expect_quiet();
}

/* A router of the core says that a packet was too large that was sent by the share: believed, and told of that SA. */
static void too_big_for_a_share(void **state)
{
	uint8_t quoted[14 + 20 + 8], *ip;
	uintptr_t word;

	(void)state;
	build_from_ce4(&b, THERE4, 1350, 64);
	threads_receive(&second, PORT_CE, &b);
	threads_settle();
	assert_true(world_sent(PORT_CORE, got) > 0);
	memcpy(quoted, got, sizeof(quoted));
	build_payload(&b, 28); /* outer IP header and the beginning of ESP (RFC 792) */
	memcpy(b.room + b.at, quoted + 14, 28);
	ip = build_front(&b, 8);
	memset(ip, 0, 8);
	ip[0] = 3; /* destination unreachable */
	ip[1] = 4; /* fragmentation needed */
	sl_put16(ip + 6, 1300);
	sl_put16(ip + 2, (uint16_t)~sl_sum_fold(sl_sum(ip, 36, 0)));
	build_ip4(&b, A4(203, 0, 113, 1), LOCAL4, 1, 64);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
	build_receive(&b, PORT_CORE);
	word = world_too_big();
	assert_int_equal(sl_too_big_sa(word), 2);
	assert_int_equal(sl_too_big_mtu(word), 1300);
	assert_int_equal(world_all_drops(), 0);
	world_expect_quiet();
}

/* Limits are each SA's. */
static void spent(void **state)
{
	(void)state;
	world.tables->sa_out[2].packet_limit = 3;
	receive(&second, 5);
	receive(&world.worker, 5);
	threads_settle();
	assert_int_equal(second.block->drops[SL_DROP_sa_exhausted], 2);
	assert_int_equal(world.worker.block->drops[SL_DROP_sa_exhausted], 0);
	assert_int_equal(world.state->sa_out[2].last_sequence, 3);
	assert_int_equal(world.state->sa_out[1].last_sequence, 5);
	while (world_sent(PORT_CORE, got) != 0)
		;
	world_expect_quiet();
}

/* The SA that the version names is gone, and with it what stood beside it. */
static void tunnel_without_its_sa(void **state)
{
	(void)state;
	world.tables->sa_out[1].generation++;
	receive(&second, 1);
	threads_settle();
	assert_int_equal(second.block->drops[SL_DROP_sa_not_ready], 1);
	assert_int_equal(world.state->sa_out[2].last_sequence, 0);
	world_expect_quiet();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_by_its_own, two_threads, one_thread),
		cmocka_unit_test_setup_teardown(same_bytes, two_threads, one_thread),
		cmocka_unit_test_setup_teardown(a_flow_label_each, two_threads, one_thread),
		cmocka_unit_test_setup_teardown(shares_that_do_not_count, two_threads, one_thread),
		cmocka_unit_test_setup_teardown(another_share, two_threads, one_thread),
		cmocka_unit_test_setup_teardown(too_big_for_a_share, two_threads, one_thread),
		cmocka_unit_test_setup_teardown(spent, two_threads, one_thread),
		cmocka_unit_test_setup_teardown(tunnel_without_its_sa, two_threads, one_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
