/* SPDX-License-Identifier: Apache-2.0 */
/* P10: the first packet for a tunnel without SA is held, and looked up again when that has changed. */
#include "support/drops.h"

#include <rte_cycles.h>

#include "stages/packet.h"

/* How long a packet is held at most. */
#define HOLD_SECONDS 30u

static const struct sl_version_row missing = {.kind = SL_NH_DROP,
                                              .drop_reason = SL_DROP_sa_missing};
static uint8_t frame[2048];

/* The tunnel of THERE4 has no SA from now on. */
static void lose_sa(void) { world.tables->nexthop[scene.tunnel].active = world_version(&missing); }

/* One more packet for THERE4, `n` bytes of payload. */
static void send_packet(size_t n)
{
	build_from_ce4(&b, THERE4, n, 64);
	from_ce();
}

/* A round of the packet thread, `ms` after the last one. */
static uint32_t look(uint64_t ms)
{
	uint32_t n;

	world.worker.now_tsc += ms * (rte_get_tsc_hz() / 1000);
	n = sl_pipeline_release(&world.worker);
	sl_pipeline_flush(&world.worker);
	return n;
}

static void expect_held(uint64_t held, uint64_t released, uint64_t dropped)
{
	assert_int_equal(world.worker.hold.count, held);
	assert_int_equal(world.worker.block->held, held);
	assert_int_equal(world.worker.block->released, released);
	assert_int_equal(world_drops(SL_DROP_sa_missing), dropped);
	assert_int_equal(world_all_drops(), dropped);
}

/* The first of five is held, four are dropped; it leaves as it would have with an SA from the beginning. */
static void first_is_held(void **state)
{
	uint32_t with_sa = world.tables->nexthop[scene.tunnel].active;
	uint8_t direct[2048];
	size_t n;

	(void)state;
	send_packet(100);
	n = world_sent(PORT_CORE, direct);
	assert_true(n > 100);
	world.state->sa_out[1].last_sequence = 0; /* the same sequence number again */
	lose_sa();
	send_packet(100);
	expect_held(1, 0, 0);
	assert_int_equal(world.worker.block->interface[IF_CE].drops, 0);
	for (int i = 0; i < 4; i++)
		send_packet(60);
	expect_held(1, 0, 4);
	assert_int_equal(world_acquired(), scene.tunnel);
	assert_int_equal(world_acquired(), 0);
	assert_int_equal(look(1), 0);
	assert_int_equal(world_sent(PORT_CORE, frame), 0);
	expect_held(1, 0, 4);
	world.tables->nexthop[scene.tunnel].active = with_sa;
	assert_int_equal(look(1), 1);
	world_expect_bytes("the packet held", frame, world_sent(PORT_CORE, frame), direct, n);
	expect_held(0, 1, 4);
	assert_int_equal(world.worker.block->vrf[VRF_A].from_ce_packets, 6);
	world_expect_quiet();
}

/* Asked again for later packets, but not for each. */
static void asked_once_a_second(void **state)
{
	(void)state;
	lose_sa();
	for (int i = 0; i < 10; i++)
		send_packet(20);
	assert_int_equal(world_acquired(), scene.tunnel);
	assert_int_equal(world_acquired(), 0);
	look(1100);
	for (int i = 0; i < 10; i++)
		send_packet(20);
	assert_int_equal(world_acquired(), scene.tunnel);
	assert_int_equal(world_acquired(), 0);
	expect_held(1, 0, 19);
}

/* What is never held asks no oftener: the ring is everybody's. */
static void ring_is_not_filled(void **state)
{
	(void)state;
	lose_sa();
	for (uint32_t i = 1; i <= 300; i++) {
		build_secured4(&b, 1, i, LABEL_TO_TUNNEL, THERE4);
		from_core();
	}
	assert_int_equal(world_acquired(), scene.tunnel);
	assert_int_equal(world_acquired(), 0);
	expect_held(0, 0, 300);
	world.worker.now_tsc += rte_get_tsc_hz();
	build_secured4(&b, 1, 301, LABEL_TO_TUNNEL, THERE4);
	from_core();
	assert_int_equal(world_acquired(), scene.tunnel);
	expect_held(0, 0, 301);
}

/* An SA that came and went within a second of the question: for the next packet it is asked again. */
static void asked_for_the_next_packet(void **state)
{
	uint32_t with_sa = world.tables->nexthop[scene.tunnel].active;

	(void)state;
	lose_sa();
	send_packet(20);
	assert_int_equal(world_acquired(), scene.tunnel);
	world.tables->nexthop[scene.tunnel].active = with_sa;
	assert_int_equal(look(1), 1);
	assert_true(world_sent(PORT_CORE, frame) > 0);
	lose_sa();
	send_packet(20);
	expect_held(1, 1, 0);
	assert_int_equal(world_acquired(), 0);
	look(1100);
	assert_int_equal(world_acquired(), scene.tunnel);
	look(1100); /* once: later packets ask again */
	assert_int_equal(world_acquired(), 0);
	expect_held(1, 1, 0);
}

/* Nobody can be asked: nothing is held that nobody would ever let go of. */
static void not_held_when_nobody_is_asked(void **state)
{
	(void)state;
	lose_sa();
	while (sl_punt_acquire(&world.worker, 77))
		;
	send_packet(20);
	while (world_acquired() != 0)
		;
	scene_expect_drops(SL_DROP_sa_missing, 1);
}

static void expired(void **state)
{
	(void)state;
	lose_sa();
	send_packet(20);
	assert_int_equal(world_acquired(), scene.tunnel);
	assert_int_equal(look(HOLD_SECONDS * 1000 - 1), 0);
	expect_held(1, 0, 0);
	assert_int_equal(look(2), 1);
	assert_int_equal(world.worker.block->interface[IF_CE].drops, 1);
	assert_int_equal(world.worker.block->vrf[VRF_A].drops, 1);
	assert_int_equal(world.worker.block->held, 0);
	assert_int_equal(world.worker.block->released, 0);
	scene_expect_drops(SL_DROP_held_expired, 1);
	/* there is room again */
	scene_set();
	lose_sa();
	send_packet(20);
	expect_held(1, 0, 0);
}

/* From tunnel to tunnel, none of which has an SA: the time counts from when the packet came. */
static void goes_on_waiting(void **state)
{
	uint32_t other = world_nexthop(&missing), third = world_nexthop(&missing);

	(void)state;
	lose_sa();
	send_packet(20);
	look(HOLD_SECONDS * 600);
	world_route(VRF_A, 4, THERE4, 24, other, VEC_LABEL_OUT, 0);
	world_commit();
	assert_int_equal(look(1), 1);
	expect_held(1, 1, 0);
	assert_int_equal(world_acquired(), scene.tunnel);
	assert_int_equal(world_acquired(), other);
	look(HOLD_SECONDS * 300);
	world_route(VRF_A, 4, THERE4, 24, third, VEC_LABEL_OUT, 0);
	world_commit();
	assert_int_equal(look(1), 1);
	assert_int_equal(world_acquired(), third);
	expect_held(1, 2, 0);
	assert_int_equal(look(HOLD_SECONDS * 101), 1);
	scene_expect_drops(SL_DROP_held_expired, 1);
}

/* One for each next hop, and so many in all. */
static void bounded(void **state)
{
	uint8_t to[4] = {10, 20, 0, 1};

	(void)state;
	for (unsigned int i = 0; i < SL_HOLD_MAX + 3; i++) {
		to[2] = (uint8_t)(i >> 8);
		to[3] = (uint8_t)i;
		world_route(VRF_A, 4, to, 32, world_nexthop(&missing), VEC_LABEL_OUT, 0);
	}
	world_commit();
	for (unsigned int round = 0; round < 2; round++)
		for (unsigned int i = 0; i < SL_HOLD_MAX + 3; i++) {
			to[2] = (uint8_t)(i >> 8);
			to[3] = (uint8_t)i;
			build_from_ce4(&b, to, 20, 64);
			from_ce();
			(void)world_acquired();
		}
	expect_held(SL_HOLD_MAX, 0, 3 + SL_HOLD_MAX + 3);
	while (world_acquired() != 0)
		;
	/* every one of them leaves: by now there is another route */
	world_route(VRF_A, 4, A4(10, 20, 0, 0), 16, scene.ce, 0, 0);
	for (unsigned int i = 1; i <= world.nexthops; i++)
		if (world.tables->version[world.tables->nexthop[i].active].kind == SL_NH_DROP)
			world.tables->nexthop[i].active = world.tables->nexthop[scene.ce].active;
	assert_int_equal(look(1), SL_HOLD_MAX);
	for (unsigned int i = 0; i < SL_HOLD_MAX; i++)
		assert_int_equal(world_sent(PORT_CE, frame), 14 + 20 + 20);
	expect_held(0, SL_HOLD_MAX, 3 + SL_HOLD_MAX + 3);
	world_expect_quiet();
}

/* Nor more than the worker has buffers for. */
static void bounded_by_buffers(void **state)
{
	uint8_t to[4] = {10, 20, 0, 1};

	(void)state;
	world.worker.waiting.hold = 3;
	for (unsigned int i = 1; i <= 5; i++) {
		to[3] = (uint8_t)i;
		world_route(VRF_A, 4, to, 32, world_nexthop(&missing), VEC_LABEL_OUT, 0);
	}
	world_commit();
	for (unsigned int i = 1; i <= 5; i++) {
		to[3] = (uint8_t)i;
		build_from_ce4(&b, to, 20, 64);
		from_ce();
	}
	expect_held(3, 0, 2);
	world.worker.waiting = sl_waiting_most;
}

/* The route is gone: the reason that applies then, answered by ICMP as for any packet. */
static void route_is_gone(void **state)
{
	(void)state;
	lose_sa();
	send_packet(20);
	world.trie = (struct trie_builder){.tables = world.tables};
	world_route(VRF_A, 4, HERE4, 24, scene.ce, 0, 0);
	world_commit();
	assert_int_equal(look(1), 1);
	assert_int_equal(world_acquired(), scene.tunnel);
	assert_true(world_sent(PORT_CE, frame) > 14 + 20 + 8);
	assert_int_equal(frame[14 + 20], 3); /* destination unreachable, net */
	assert_memory_equal(frame + 14 + 16, HERE4, 4);
	assert_int_equal(world.worker.block->released, 1);
	scene_expect_drops(SL_DROP_no_route, 1);
}

/* The route leads to a CE by now, although the tunnel still has no SA. */
static void route_is_another(void **state)
{
	(void)state;
	lose_sa();
	send_packet(20);
	world_route(VRF_A, 4, THERE4, 24, scene.ce, 0, 0);
	world_commit();
	assert_int_equal(look(1), 1);
	assert_int_equal(world_acquired(), scene.tunnel);
	assert_int_equal(world_sent(PORT_CE, frame), 14 + 20 + 20);
	assert_int_equal(frame[14 + 8], 63); /* decremented once */
	expect_held(0, 1, 0);
	world_expect_quiet();
}

/* The row of its VRF is another customer's by now, with a route for just that address: it goes nowhere. */
static void vrf_is_another(void **state)
{
	(void)state;
	lose_sa();
	strcpy(world.tables->vrf[VRF_A].name, "a");
	send_packet(20);
	strcpy(world.tables->vrf[VRF_A].name, "b");
	world_route(VRF_A, 4, THERE4, 24, scene.ce, 0, 0);
	world_commit();
	assert_int_equal(look(1), 1);
	assert_int_equal(world_acquired(), scene.tunnel);
	assert_int_equal(world.worker.block->vrf[VRF_A].drops, 0); /* not that one's fault */
	scene_expect_drops(SL_DROP_held_expired, 1);
	scene_set();
	lose_sa();
	send_packet(20);
	world.tables->vrf[VRF_A].state = SL_ROW_RETIRED;
	assert_int_equal(look(1), 1);
	assert_int_equal(world_acquired(), scene.tunnel);
	scene_expect_drops(SL_DROP_held_expired, 1);
}

/* The row of its interface is another's by now: neither counted to that one nor answered from it. */
static void interface_is_another(void **state)
{
	(void)state;
	lose_sa();
	strcpy(world.tables->interface[IF_CE].name, "a");
	send_packet(20);
	strcpy(world.tables->interface[IF_CE].name, "b");
	assert_int_equal(look(1), 1);
	assert_int_equal(world_acquired(), scene.tunnel);
	assert_int_equal(world.worker.block->interface[IF_CE].drops, 0);
	scene_expect_drops(SL_DROP_held_expired, 1);
	scene_set();
	lose_sa();
	send_packet(20);
	world.tables->interface[IF_CE].state = SL_ROW_RETIRED;
	assert_int_equal(look(HOLD_SECONDS * 1000 + 1), 1);
	assert_int_equal(world_acquired(), scene.tunnel);
	assert_int_equal(world.worker.block->interface[IF_CE].drops, 0);
	scene_expect_drops(SL_DROP_held_expired, 1);
}

/* Of several ways the flow's own is the one waited for. */
static void by_a_group(void **state)
{
	uint32_t with_sa = world.tables->nexthop[scene.tunnel].active,
		 other = world_nexthop(&missing);
	struct sl_group_row *group = &world.tables->group[1];

	(void)state;
	world.tables->header.committed_rows[SL_ARENA_GROUP] = 2;
	group->member[0] = sl_leaf(scene.tunnel, VEC_LABEL_OUT, 0);
	group->member[1] = sl_leaf(other, VEC_LABEL_OUT, 0);
	trie_add(&world.trie, VRF_A, 4, THERE4, 24, sl_group_leaf(1, 0));
	world_commit();
	lose_sa();
	for (uint8_t i = 0; i < 64; i++) { /* flows on both ways */
		build_from_ce4(&b, A4(10, 2, 2, i), 20, 64);
		from_ce();
	}
	expect_held(2, 0, 62);
	assert_int_equal(look(1), 0);
	world.tables->nexthop[scene.tunnel].active = world.tables->nexthop[other].active = with_sa;
	assert_int_equal(look(1), 2);
	assert_true(world_sent(PORT_CORE, frame) > 0);
	assert_true(world_sent(PORT_CORE, frame) > 0);
	expect_held(0, 2, 62);
}

/* A label that leads straight to such a tunnel: judged once, never held. */
static void not_out_of_a_label(void **state)
{
	(void)state;
	lose_sa();
	build_secured4(&b, 1, 1, LABEL_TO_TUNNEL, THERE4);
	from_core();
	assert_int_equal(world_acquired(), scene.tunnel);
	assert_int_equal(world.worker.hold.count, 0);
	scene_expect_drops(SL_DROP_sa_missing, 1);
}

/* What the PE itself sends is held, too, and keeps its TTL. */
static void from_the_host(void **state)
{
	uint32_t with_sa = world.tables->nexthop[scene.tunnel].active;

	(void)state;
	lose_sa();
	build_payload(&b, 20);
	build_ip4(&b, PE_CE4, THERE4, 17, 1);
	world_inject(IF_HOST, build_bytes(&b), build_len(&b));
	expect_held(1, 0, 0);
	world.tables->nexthop[scene.tunnel].active = with_sa;
	assert_int_equal(look(1), 1);
	assert_true(world_sent(PORT_CORE, frame) > 0);
	expect_held(0, 1, 0);
}

/* IPv6, which has a lookup of its own. */
static void six(void **state)
{
	uint32_t with_sa = world.tables->nexthop[scene.tunnel].active;

	(void)state;
	lose_sa();
	build_from_ce6(&b, THERE6, 20, 64);
	from_ce();
	expect_held(1, 0, 0);
	assert_int_equal(look(1), 0);
	world.tables->nexthop[scene.tunnel].active = with_sa;
	assert_int_equal(look(1), 1);
	assert_true(world_sent(PORT_CORE, frame) > 0);
	expect_held(0, 1, 0);
}

/* The thread ends: every buffer goes back, and none goes unseen. It has not expired, only not been sent. */
static void end_frees(void **state)
{
	(void)state;
	lose_sa();
	send_packet(20);
	assert_int_equal(world_acquired(), scene.tunnel);
	assert_int_equal(rte_mempool_avail_count(world.worker.pool), WORLD_MBUFS - 1);
	sl_pipeline_end(&world.worker);
	assert_int_equal(world.worker.block->held, 0);
	scene_expect_drops(SL_DROP_sa_missing, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(first_is_held),
		CASE(asked_once_a_second),
		CASE(not_held_when_nobody_is_asked),
		CASE(expired),
		CASE(goes_on_waiting),
		CASE(bounded),
		CASE(bounded_by_buffers),
		CASE(route_is_gone),
		CASE(route_is_another),
		CASE(vrf_is_another),
		CASE(by_a_group),
		CASE(not_out_of_a_label),
		CASE(from_the_host),
		CASE(six),
		CASE(end_frees),
		CASE(ring_is_not_filled),
		CASE(asked_for_the_next_packet),
		CASE(interface_is_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
