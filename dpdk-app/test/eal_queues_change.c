/* SPDX-License-Identifier: Apache-2.0 */
/* Queues of CE interfaces: room, interfaces that go, configurations that change, classes, threads, sleep. */
#include "support/drops.h"
#include "support/queues.h"
#include "support/threads.h"

/* ---- Room ------------------------------------------------------------------------------------- */

static void limits(void **state)
{
	(void)state;
	egress_row(IF_CE)->limit[VOICE] = 5;
	set_rate(IF_CE, 8000, 0);
	come_many(VOICE, 0, 8);
	come_many(BULK, 100, 100);
	scene_provoked[SL_DROP_queue_full] = true;
	assert_int_equal(world_drops(SL_DROP_queue_full), 3);
	assert_int_equal(world.worker.block->interface[IF_CE].drops, 3);
	assert_int_equal(counters(IF_CE, VOICE)->dropped, 3);
	assert_int_equal(counters(IF_CE, VOICE)->depth, 5);
	assert_int_equal(counters(IF_CE, BULK)->dropped, 0);
	assert_int_equal(counters(IF_CE, BULK)->depth, 100);
	set_rate(IF_CE, 0, 0);
	assert_int_equal(round_now(), 105);
	assert_int_equal(counters(IF_CE, VOICE)->depth, 0);
	assert_int_equal(counters(IF_CE, VOICE)->max_depth, 5);
	assert_int_equal(counters(IF_CE, VOICE)->packets, 5);
	assert_int_equal(counters(IF_CE, VOICE)->bytes, 5 * FRAME);
	come_many(VOICE, 0, 5);
	assert_int_equal(world_drops(SL_DROP_queue_full), 3);
	assert_int_equal(round_now(), 5);
}

static void fill(uint32_t interface, uint8_t last, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		build_payload(&b, 100);
		build_ip4(&b, HERE4, A4(10, last, 0, 1), 17, 64);
		build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
		build_receive(&b, PORT_CE);
	}
	(void)interface;
}

/* A quarter of the pool for all, half of that for one, in each of the threads' share. */
static void buffers(void **state)
{
	enum { ALL = WORLD_MBUFS / 4, ONE = ALL / 2 };
	const uint32_t ids[] = {IF_CE, IF_CE_B, IF_CE_VLAN};

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		set_queues(ids[i], 10000);
		set_rate(ids[i], 8000, 0);
	}
	world_route(VRF_A, 4, A4(10, 12, 0, 0), 24, world_adjacency(IF_CE_VLAN, 4), 0, 0);
	world_commit();
	fill(IF_CE, 7, ONE + 11);
	scene_provoked[SL_DROP_queue_buffers] = true;
	/* the first has left: it is 10 that do not fit */
	assert_int_equal(world_drops(SL_DROP_queue_buffers), 10);
	fill(IF_CE_B, 8, ONE + 1);
	assert_int_equal(world_drops(SL_DROP_queue_buffers), 10);
	fill(IF_CE_VLAN, 12, 10);
	/* one that leaves at once, one that is left of the odd number, 8 more */
	assert_int_equal(world_drops(SL_DROP_queue_buffers), 10 + 10 - 1 - ALL % 2);
	assert_int_equal(world.worker.queues.packets[0], ALL);
	world.worker.threads = 2;
	fill(IF_CE_VLAN, 12, 1);
	world.worker.threads = 1;
	assert_int_equal(world_drops(SL_DROP_queue_buffers), 10 + 11 - 1 - ALL % 2);
	end(&world.worker);
	assert_int_equal(world.worker.queues.packets[0], 0);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(world.worker.egress[ids[i]].count, 0);
}

/* What the port does not take waits in its order, and keeps its accounts. */
static void full_port(void **state)
{
	(void)state;
	come_many(VOICE, 0, 63);
	for (uint32_t i = 63; i < 1023; i += 60) { /* places in the port's ring */
		assert_int_equal(round_now(), i == 63 ? 63 : 60);
		come_many(VOICE, i, 60);
	}
	come_many(VOICE, 1023, 39);
	assert_int_equal(round_now(), 60);
	assert_int_equal(world.worker.egress[IF_CE].count, 39);
	assert_int_equal(world.worker.egress[IF_CE].refused.count, 39);
	assert_int_equal(
		sl_queues_wait_ns(&world.worker, sl_clock(SECOND, world.worker.clock_scale), 500),
		0);
	come_many(VOICE, 1062, 50);
	come(SL_QUEUE_KERNEL, 9999, FRAME);
	assert_int_equal(world.worker.block->interface[IF_CE].tx_packets, 1023);
	expect_left(0, 1023);
	assert_int_equal(round_now(), 90);
	expect_left(1023, 39);
	assert_int_equal(left(NULL), 9999);
	expect_left(1062, 50);
	assert_int_equal(world_all_drops(), 0);
	assert_int_equal(counters(IF_CE, VOICE)->packets, 1112);
	assert_int_equal(world.worker.block->interface[IF_CE].tx_packets, 1113);
	assert_int_equal(world.worker.queues.interfaces, 0);
	world_expect_quiet();
}

/* ---- Change ----------------------------------------------------------------------------------- */

static void expect_gone(enum sl_drop_reason reason)
{
	assert_int_equal(round_now(), 0);
	assert_int_equal(world.worker.queues.interfaces, 0);
	assert_int_equal(counters(IF_CE, VOICE)->depth, 0);
	assert_int_equal(counters(IF_CE, VOICE)->packets, 1);
	scene_expect_drops(reason, 9);
}

static void wait_nine(void)
{
	(void)queues(NULL);
	set_rate(IF_CE, 8000, 0);
	come_many(VOICE, 0, 10);
	assert_int_equal(round_now(), 1);
	expect_left(0, 1);
}

static void gone(void **state)
{
	(void)state;
	wait_nine();
	world.tables->interface[IF_CE].state = SL_ROW_RETIRED;
	expect_gone(SL_DROP_queue_gone);
	wait_nine();
	egress_row(IF_CE)->generation++; /* it was away, and is another one's by now */
	expect_gone(SL_DROP_queue_gone);
	wait_nine();
	egress_row(IF_CE)->generation++; /* the other one's first packet comes before the round */
	come(VOICE, 77, FRAME);
	assert_int_equal(world_drops(SL_DROP_queue_gone), 9);
	round_after(2 * SECOND);
	expect_left(77, 1);
	world_expect_quiet();
	wait_nine();
	world.worker.ports[PORT_CE].dpdk_port = RTE_MAX_ETHPORTS;
	assert_int_equal(round_now(), 0);
	assert_int_equal(world_drops(SL_DROP_tx_no_port), 9);
	world.worker.ports[PORT_CE].dpdk_port = 0;
	world_expect_quiet();
}

/* A worker that is replaced leaves nothing behind: all goes at once, in its order, as far as the port takes it. */
static void ended(void **state)
{
	(void)state;
	wait_nine();
	sl_pipeline_end(&world.worker);
	expect_left(1, 9);
	assert_int_equal(counters(IF_CE, VOICE)->packets, 10);
	assert_int_equal(counters(IF_CE, VOICE)->depth, 0);
	assert_int_equal(world.worker.queues.packets[0], 0);
	assert_int_equal(world_all_drops(), 0);
	(void)queues(NULL);
	for (uint32_t i = 0; i < 1023; i += 93) { /* places in the port's ring */
		come_many(VOICE, i, 93);
		assert_int_equal(round_now(), 93);
	}
	come_many(VOICE, 1023, 5);
	sl_pipeline_end(&world.worker);
	expect_left(0, 1023);
	scene_expect_drops(SL_DROP_queue_gone, 5);
	assert_int_equal(world.worker.queues.interfaces, 0);
	world_expect_quiet();
}

/* Nothing is lost when queues, their kinds or the rate change, nor when they are taken away. */
static void changed(void **state)
{
	struct sl_egress_row *row = egress_row(IF_CE);

	(void)state;
	row->strict[1] = VOICE;
	row->change++;
	set_rate(IF_CE, FRAME * 8 * 1000, 0);
	come_many(VOICE, 0, 5);
	come_many(BULK, 100, 5);
	assert_int_equal(round_now(), 1);
	expect_left(0, 1);
	/* the two change places */
	row->strict[1] = BULK;
	row->change++;
	assert_int_equal(round_after(1000000) + round_after(1000000), 2);
	expect_left(100, 2);
	/* none has priority: BULK's turn comes, as it was there first, and VOICE's */
	row->strict[1] = SL_QUEUE_NONE;
	row->change++;
	assert_int_equal(round_after(1000000) + round_after(1000000), 2);
	expect_left(102, 1);
	expect_left(1, 1);
	/* a class without queue, a limit below what waits */
	row->queue_of_class[VOICE] = 0;
	row->limit[BULK] = 1;
	row->change++;
	come(VOICE, 500, FRAME);
	come(BULK, 999, FRAME);
	assert_int_equal(world_drops(SL_DROP_queue_full), 1);
	/* a rate that a frame of is sent in a second of, and another one a millisecond later */
	set_rate(IF_CE, FRAME * 8, 0);
	row->change++;
	assert_int_equal(round_after(1000000) + round_after(1000000), 1);
	expect_left(103, 1);
	set_rate(IF_CE, FRAME * 8 * 1000, 0);
	row->change++;
	assert_int_equal(round_after(1000000), 1);
	(void)left(NULL);
	/* none at all any more */
	world.tables->interface[IF_CE].queues = 0;
	assert_int_equal(round_now(), 4);
	for (unsigned int i = 0; i < 4; i++)
		(void)left(NULL);
	come(BULK, 1, FRAME);
	assert_int_equal(round_now(), 0);
	expect_left(1, 1);
	assert_int_equal(world_all_drops(), 1);
	assert_int_equal(counters(IF_CE, BULK)->packets + counters(IF_CE, VOICE)->packets +
	                         counters(IF_CE, 0)->packets,
	                 11);
	world_expect_quiet();
}

/* ---- Classes, threads, sleep ------------------------------------------------------------------ */

/* The DSCP that the packet leaves with, of either family; what is behind a tag as well. */
static void classes(void **state)
{
	(void)state;
	set_queues(IF_CE_VLAN, 100);
	set_rate(IF_CE, 8000, 0);
	set_rate(IF_CE_VLAN, 8000, 0);
	world_route(VRF_A, 4, A4(10, 12, 0, 0), 24, world_adjacency(IF_CE_VLAN, 4), 0, 0);
	world_commit();
	world.tables->header.classes.class_of_dscp[46] = VIDEO;
	build_payload(&b, 100);
	build_ip6(&b, HERE6, HERE6, 17, 64);
	sl_ip6_set_dscp(build_bytes(&b), 46);
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x86dd);
	for (unsigned int i = 0; i < 4; i++)
		build_receive(&b, PORT_CE);
	assert_int_equal(counters(IF_CE, VIDEO)->packets, 1);
	assert_int_equal(counters(IF_CE, VIDEO)->depth, 3);
	build_payload(&b, 100);
	build_ip4(&b, HERE4, A4(10, 12, 0, 1), 17, 64);
	sl_ip4_set_dscp(build_bytes(&b), 46);
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
	for (unsigned int i = 0; i < 4; i++)
		build_receive(&b, PORT_CE);
	assert_int_equal(counters(IF_CE_VLAN, VIDEO)->packets, 1);
	assert_int_equal(counters(IF_CE_VLAN, VIDEO)->bytes, 18 + 120);
	/* an ARP of the kernel's */
	build_payload(&b, 28);
	build_eth(&b, CE_MAC, PE_CE_MAC, 0, 0x0806);
	world_inject(IF_CE_VLAN, build_bytes(&b), build_len(&b));
	assert_int_equal(counters(IF_CE_VLAN, SL_QUEUE_KERNEL)->depth, 1);
	assert_int_equal(world.worker.block->interface[IF_CE_VLAN].injected, 1);
	assert_int_equal(world_all_drops(), 0);
	end(&world.worker);
}

/* Whichever thread a packet comes to, it goes to the queue of the one. */
static void one_owner(void **state)
{
	uint8_t frame[2048];

	(void)state;
	threads_set();
	world.worker.ports[PORT_CE].last_tx_queue = 1;
	assert_int_equal(sl_queue_owner(IF_CE_VLAN, 1), 0);
	assert_int_equal(sl_queue_owner(IF_CE, 1), 1);
	set_queues(IF_CE_VLAN, 100);
	set_rate(IF_CE_VLAN, 8000, 0);
	world_route(VRF_A, 4, A4(10, 12, 0, 0), 24, world_adjacency(IF_CE_VLAN, 4), 0, 0);
	world_commit();
	build_payload(&b, 100);
	build_ip4(&b, HERE4, A4(10, 12, 0, 1), 17, 64);
	sl_ip4_set_dscp(build_bytes(&b), 8);
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
	threads_receive(&second, PORT_CE, &b);
	threads_receive(&second, PORT_CE, &b);
	assert_int_equal(second.block->passed, 2);
	assert_int_equal(second.queues.interfaces, 0);
	threads_settle();
	threads_receive(&world.worker, PORT_CE, &b);
	assert_int_equal(counters(IF_CE_VLAN, VOICE)->packets, 1);
	assert_int_equal(counters(IF_CE_VLAN, VOICE)->depth, 2);
	assert_true(world_sent(PORT_CE, frame) > 0);
	world.worker.ports[PORT_CE].last_tx_queue = 0;
	end(&world.worker);
	assert_int_equal(counters(IF_CE_VLAN, VOICE)->packets, 3);
	world.worker.threads = 1;
	world_expect_quiet();
}

/* A thread that has nothing to send yet may sleep until it has. */
static void sleep_until(void **state)
{
	struct sl_worker *w = &world.worker;
	uint64_t now = sl_clock(SECOND, w->clock_scale);

	(void)state;
	set_queues(IF_CE_VLAN, 100);
	world_route(VRF_A, 4, A4(10, 12, 0, 0), 24, world_adjacency(IF_CE_VLAN, 4), 0, 0);
	world_commit();
	assert_int_equal(sl_queues_wait_ns(w, now, 5000000), 5000000);
	set_rate(IF_CE, FRAME * 8 * 1000, 0);
	set_rate(IF_CE_VLAN, FRAME * 8 * 500, 0);
	come_many(VOICE, 0, 2);
	fill(IF_CE_VLAN, 12, 2); /* 138 bytes */
	assert_int_equal(sl_queues_wait_ns(w, now, 5000000), 272189);
	assert_int_equal(sl_queues_wait_ns(w, now, 100000), 100000);
	assert_int_equal(round_after(300000), 1);
	now = sl_clock(w->now_tsc, w->clock_scale);
	assert_in_range(sl_queues_wait_ns(w, now, 5000000), 699999, 700000);
	assert_int_equal(sl_queues_wait_ns(w, now + (700000ull << 12), 5000000), 0);
	assert_int_equal(round_after(700000), 1);
	end(w);
}

static void every_reason_was_provoked(void **state)
{
	(void)state;
	drops_expect_all(DROPS_QUEUES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		QUEUES(limits),      QUEUES(buffers),
		QUEUES(full_port),   QUEUES(gone),
		QUEUES(ended),       QUEUES(changed),
		QUEUES(classes),     QUEUES(one_owner),
		QUEUES(sleep_until), QUEUES(every_reason_was_provoked),
	};

	return cmocka_run_group_tests_name("eal_queues_change", tests, NULL, NULL);
}
