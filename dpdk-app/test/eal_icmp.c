/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP errors: the bytes, by Scapy; where they come from and go to; when there are none. */
#include <rte_cycles.h>

#include "support/scene.h"
#include "vectors/icmp.h"

static struct build b;

static int fresh(void **state)
{
	(void)state;
	scene_set();
	return 0;
}

static void own_addresses(void)
{
	memcpy(world.tables->interface[IF_CE].address4, PE_CE4, 4);
	memcpy(world.tables->interface[IF_CE].address6, PE_CE6, 16);
	/* the core interface's must never be seen in a VPN */
	memcpy(world.tables->interface[IF_CORE].address4, LOCAL4, 4);
	memcpy(world.tables->interface[IF_CORE].address6, LOCAL6, 16);
}

static void as_scapy_builds_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vec_icmps) / sizeof(vec_icmps[0]); i++) {
		const struct vec_icmp *v = &vec_icmps[i];
		uint8_t frame[2048], want[2048];
		size_t n, m = hex_bytes(v->answer, want, sizeof(want));

		scene_set();
		if (v->own)
			own_addresses();
		if (v->uniform)
			world.tables->vrf[VRF_A].flags = SL_VRF_TTL_UNIFORM;
		n = hex_bytes(v->packet, frame, sizeof(frame));
		world_receive(v->core ? PORT_CORE : PORT_CE, frame, n);
		n = world_sent(v->to_core ? PORT_CORE : PORT_CE, frame);
		world_expect_bytes(v->name, frame, n, want, m);
		assert_int_equal(world_all_drops(), 1); /* the packet in error */
		if (v->uniform)
			assert_int_equal(world_drops(SL_DROP_label_ttl_expired), 1);
		world_expect_quiet();
	}
}

/* Counted once as dropped for its reason, once as suppressed; nothing is sent. */
static void expect_forbidden(enum sl_drop_reason reason)
{
	assert_int_equal(world_drops(SL_DROP_icmp_forbidden), 1);
	world.worker.block->drops[SL_DROP_icmp_forbidden] = 0;
	assert_int_equal(world.worker.block->interface[IF_CE].drops, 1);
	scene_expect_drops(reason, 1);
	scene_set();
}

static void not_about_icmp_errors(void **state)
{
	static const uint8_t errors4[] = {3, 4, 5, 11, 12}, errors6[] = {1, 2, 3, 4, 100, 127, 137};

	(void)state;
	for (size_t i = 0; i < sizeof(errors4); i++) {
		build_payload(&b, 36);
		build_bytes(&b)[0] = errors4[i];
		build_ip4(&b, HERE4, THERE4, 1, 1);
		build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
		build_receive(&b, PORT_CE);
		expect_forbidden(SL_DROP_ttl_expired);
	}
	for (size_t i = 0; i < sizeof(errors6); i++) {
		build_payload(&b, 36);
		build_bytes(&b)[0] = errors6[i];
		build_ip6(&b, HERE6, THERE6, 58, 1);
		build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x86dd);
		build_receive(&b, PORT_CE);
		expect_forbidden(SL_DROP_ttl_expired);
		/* nor when extension headers stand before it */
		build_payload(&b, 36);
		build_bytes(&b)[0] = errors6[i];
		memcpy(build_front(&b, 8), "\x3a\x00\x01\x04\x00\x00\x00\x00", 8);
		build_ip6(&b, HERE6, THERE6, 60, 1);
		build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x86dd);
		build_receive(&b, PORT_CE);
		expect_forbidden(SL_DROP_ttl_expired);
	}
	build_payload(&b, 0); /* ICMP without a type */
	build_ip4(&b, HERE4, THERE4, 1, 1);
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
	build_receive(&b, PORT_CE);
	expect_forbidden(SL_DROP_ttl_expired);
}

static void about_echo_requests(void **state)
{
	uint8_t frame[2048];

	(void)state;
	build_payload(&b, 36);
	build_bytes(&b)[0] = 8;
	build_ip4(&b, HERE4, THERE4, 1, 1);
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
	build_receive(&b, PORT_CE);
	assert_true(world_sent(PORT_CE, frame) > 0);
	assert_int_equal(frame[34], 11);
	scene_expect_drops(SL_DROP_ttl_expired, 1);
}

static void only_about_first_fragments(void **state)
{
	uint8_t frame[2048];

	(void)state;
	for (uint16_t offset = 0; offset < 2; offset++) {
		build_payload(&b, 40);
		build_ip4(&b, HERE4, THERE4, 17, 1);
		sl_put16(build_bytes(&b) + 6, 0x2000 | offset);
		build_sum4(&b);
		build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
		build_receive(&b, PORT_CE);
		if (offset == 0) {
			assert_true(world_sent(PORT_CE, frame) > 0);
			scene_set();
		} else {
			expect_forbidden(SL_DROP_ttl_expired);
		}
	}
}

static void fragment6(uint16_t offset)
{
	build_payload(&b, 40);
	sl_put16(build_front(&b, 8) + 2, (uint16_t)(offset << 3 | 1));
	build_bytes(&b)[0] = 17;
	build_ip6(&b, HERE6, THERE6, 44, 1);
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x86dd);
	build_receive(&b, PORT_CE);
}

static void only_about_first_fragments6(void **state)
{
	uint8_t frame[2048];

	(void)state;
	fragment6(0);
	assert_true(world_sent(PORT_CE, frame) > 0);
	scene_set();
	fragment6(1);
	expect_forbidden(SL_DROP_ttl_expired);
}

/* A VRF without any address of its own says nothing. */
static void no_address_to_answer_from(void **state)
{
	(void)state;
	memset(world.tables->vrf[VRF_A].icmp_source4, 0, 4);
	build_from_ce4(&b, THERE4, 20, 1);
	build_receive(&b, PORT_CE);
	expect_forbidden(SL_DROP_ttl_expired);
}

static void expire(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		build_from_ce4(&b, THERE4, 20, 1);
		build_receive(&b, PORT_CE);
	}
}

static unsigned int answers(void)
{
	uint8_t frame[2048];
	unsigned int n = 0;

	while (world_sent(PORT_CE, frame) != 0)
		n++;
	return n;
}

/* 100 at once, then 1000 a second. */
static void at_a_limited_rate(void **state)
{
	uint64_t hz = rte_get_tsc_hz();

	(void)state;
	world.worker.now_tsc = 1000;
	expire(150);
	assert_int_equal(answers(), 100);
	assert_int_equal(world_drops(SL_DROP_icmp_rate), 50);
	assert_int_equal(world_drops(SL_DROP_ttl_expired), 150);
	assert_int_equal(world.worker.block->interface[IF_CE].drops, 150);
	world.worker.now_tsc += hz / 1000 - 1; /* not quite a token */
	expire(1);
	assert_int_equal(answers(), 0);
	world.worker.now_tsc += 2;
	expire(3);
	assert_int_equal(answers(), 1);
	world.worker.now_tsc += hz / 100;
	expire(30);
	assert_int_equal(answers(), 10);
	world.worker.now_tsc += 3600 * hz; /* the bucket does not overflow */
	expire(150);
	assert_int_equal(answers(), 100);
	world_expect_quiet();
}

/* A whole burst of packets in error is answered one by one. */
static void whole_bursts(void **state)
{
	struct rte_mbuf *burst[SL_BURST];

	(void)state;
	build_from_ce4(&b, THERE4, 20, 1);
	for (unsigned int i = 0; i < SL_BURST; i++)
		burst[i] = world_frame(build_bytes(&b), build_len(&b));
	sl_pipeline_receive(&world.worker, PORT_CE, burst, SL_BURST);
	sl_pipeline_flush(&world.worker);
	assert_int_equal(answers(), SL_BURST);
	scene_expect_drops(SL_DROP_ttl_expired, SL_BURST);
}

/* The answer has no way back: it is dropped, and not answered. */
static void never_about_an_answer(void **state)
{
	(void)state;
	build_payload(&b, 20);
	build_ip4(&b, A4(172, 16, 9, 9), A4(172, 16, 8, 8), 17, 9);
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
	build_receive(&b, PORT_CE);
	assert_int_equal(world_drops(SL_DROP_icmp_forbidden), 1);
	world.worker.block->drops[SL_DROP_icmp_forbidden] = 0;
	scene_expect_drops(SL_DROP_no_route, 2);
}

/* The kernel learns the path MTU of its own packets: by its host TAP, from its own VRF. */
static void to_the_host(void **state)
{
	struct rte_mbuf *m;
	const uint8_t *ip;

	(void)state;
	build_payload(&b, MTU_TUNNEL);
	build_ip4(&b, PE_CE4, THERE4, 17, 64);
	world_inject(IF_HOST, build_bytes(&b), build_len(&b));
	m = world_punted();
	assert_non_null(m);
	assert_int_equal(sl_packet(m)->punt, SL_PUNT_PACKET);
	assert_int_equal(sl_packet(m)->interface, IF_HOST);
	ip = rte_pktmbuf_mtod(m, const uint8_t *);
	assert_int_equal(m->data_len, 576);
	assert_memory_equal(ip + 12, ICMP4, 4);
	assert_memory_equal(ip + 16, PE_CE4, 4);
	assert_int_equal(sl_get32(ip + 20) >> 16, 0x0304);
	assert_int_equal(sl_get16(ip + 26), MTU_TUNNEL);
	rte_pktmbuf_free(m);
	scene_expect_drops(SL_DROP_mtu_exceeded, 1);
}

#define CASE(test) cmocka_unit_test_setup(test, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(as_scapy_builds_them),        CASE(not_about_icmp_errors),
		CASE(about_echo_requests),         CASE(only_about_first_fragments),
		CASE(only_about_first_fragments6), CASE(no_address_to_answer_from),
		CASE(at_a_limited_rate),           CASE(whole_bursts),
		CASE(never_about_an_answer),       CASE(to_the_host),
	};

	return cmocka_run_group_tests_name("eal_icmp", tests, NULL, NULL);
}
