/* SPDX-License-Identifier: Apache-2.0 */
/* Policers of CE interfaces: colours as DPDK's rte_meter gives them, then classes, actions and counters in the packet path. */
#include <rte_cycles.h>
#include <rte_meter.h>

#include "net/ip4.h"
#include "net/ip6.h"
#include "support/drops.h"

enum { EF = 46, AF11 = 10, AF12 = 12, AF13 = 14, CS1 = 8, VOICE = 1, BULK = 2 };
enum { PACKET = 500, BURST = 1500 }; /* bytes */

static const uint64_t RATE = 4000000; /* bit/s: a packet in a millisecond */

/* ---- Against rte_meter ---------------------------------------------------------------------- */

static enum sl_colour of_dpdk(enum rte_color colour)
{
	return colour == RTE_COLOR_GREEN    ? SL_GREEN
	       : colour == RTE_COLOR_YELLOW ? SL_YELLOW
	                                    : SL_RED;
}

static uint32_t lcg(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/*
 * rte_meter fills its buckets byte by byte at whole numbers of TSC ticks. With packets that come when it has just
 * done so it is exact, and every colour has to be ours.
 */
struct meters {
	struct sl_policer_row row;
	union sl_buckets buckets;
	struct rte_meter_srtcm sr;
	struct rte_meter_srtcm_profile sr_profile;
	struct rte_meter_trtcm tr;
	struct rte_meter_trtcm_profile tr_profile;
};

static enum sl_colour dpdk_colour(struct meters *m, uint64_t tsc, uint32_t bytes,
                                  enum sl_colour before)
{
	static const enum rte_color colours[] = {RTE_COLOR_GREEN, RTE_COLOR_YELLOW, RTE_COLOR_RED};
	bool aware = (m->row.meter & SL_METER_COLOUR_AWARE) != 0;

	if ((m->row.meter & SL_METER_MASK) == SL_METER_SRTCM)
		return of_dpdk(aware ? rte_meter_srtcm_color_aware_check(
					       &m->sr, &m->sr_profile, tsc, bytes, colours[before])
		                     : rte_meter_srtcm_color_blind_check(&m->sr, &m->sr_profile,
		                                                         tsc, bytes));
	return of_dpdk(
		aware ? rte_meter_trtcm_color_aware_check(&m->tr, &m->tr_profile, tsc, bytes,
	                                                  colours[before])
		      : rte_meter_trtcm_color_blind_check(&m->tr, &m->tr_profile, tsc, bytes));
}

/* CIR of 10^6 bytes a second, PIR of twice that. */
static void make_meters(struct meters *m, uint32_t meter)
{
	struct rte_meter_srtcm_params sr = {.cir = 1000000, .cbs = 6000, .ebs = 9000};
	struct rte_meter_trtcm_params tr = {
		.cir = 1000000, .pir = 2000000, .cbs = 6000, .pbs = 9000};
	bool single = (meter & SL_METER_MASK) == SL_METER_SRTCM;

	*m = (struct meters){.row = {.meter = meter}};
	m->row.cost[0] = sl_policer_cost(8 * sr.cir);
	m->row.cost[1] = sl_policer_cost(8 * (single ? sr.cir : tr.pir));
	m->row.depth[0] = sl_policer_time(m->row.cost[0], 6000);
	m->row.depth[1] = sl_policer_time(m->row.cost[1], 9000);
	assert_int_equal(rte_meter_srtcm_profile_config(&m->sr_profile, &sr), 0);
	assert_int_equal(rte_meter_trtcm_profile_config(&m->tr_profile, &tr), 0);
	assert_int_equal(rte_meter_srtcm_config(&m->sr, &m->sr_profile), 0);
	assert_int_equal(rte_meter_trtcm_config(&m->tr, &m->tr_profile), 0);
	m->sr.time = m->tr.time_tc = m->tr.time_tp = 0;
	/* a byte in a microsecond, or half of it, of a TSC of 1 GHz: not that of this machine */
	m->sr_profile.cir_period = m->tr_profile.cir_period = 1000;
	m->tr_profile.pir_period = 500;
	m->sr_profile.cir_bytes_per_period = 1;
	m->tr_profile.cir_bytes_per_period = m->tr_profile.pir_bytes_per_period = 1;
}

static void colours_of_rte_meter(void **state)
{
	static const uint32_t meters[] = {SL_METER_SRTCM, SL_METER_SRTCM | SL_METER_COLOUR_AWARE,
	                                  SL_METER_TRTCM, SL_METER_TRTCM | SL_METER_COLOUR_AWARE};

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		uint32_t seed = i + 1, seen[SL_COLOURS] = {0};
		uint64_t us =
			1000000; /* and bytes at CIR: rte_meter's buckets are full by then, too */
		struct meters m;

		make_meters(&m, meters[i]);
		for (unsigned int n = 0; n < 200000; n++) {
			uint32_t bytes = 64 + lcg(&seed) % 1437;
			enum sl_colour before = (enum sl_colour)(lcg(&seed) % SL_COLOURS), ours;

			if (!(meters[i] & SL_METER_COLOUR_AWARE))
				before = SL_GREEN;
			us += lcg(&seed) % 64 == 0 ? lcg(&seed) % 20000 : lcg(&seed) % 700;
			ours = sl_police(&m.row, &m.buckets, us * 1000 << 12, bytes, before);
			assert_int_equal(dpdk_colour(&m, us * 1000, bytes, before), ours);
			seen[ours]++;
		}
		for (unsigned int c = 0; c < SL_COLOURS; c++)
			assert_in_range(seen[c], 5000, 190000);
	}
}

/* ---- In the packet path ---------------------------------------------------------------------- */

static struct sl_policer_row *policer(uint32_t interface, uint32_t slot)
{
	return &world.tables->policer[sl_policer_index(interface, slot)];
}

static const struct sl_policer_counters *counters(uint32_t interface, uint32_t slot)
{
	return &world.worker.block->policer[sl_policer_index(interface, slot)];
}

static void expect_counters(uint32_t interface, uint32_t slot, uint64_t green, uint64_t yellow,
                            uint64_t red)
{
	const uint64_t want[SL_COLOURS] = {green, yellow, red};
	const struct sl_policer_counters *c = counters(interface, slot);

	for (unsigned int i = 0; i < SL_COLOURS; i++) {
		assert_int_equal(c->packets[i], want[i]);
		assert_int_equal(c->bytes[i], want[i] * PACKET);
	}
}

/* srTCM: three packets are green, two yellow, then it takes a millisecond for each. */
static void set_policer(uint32_t interface, uint32_t slot, uint8_t green, uint8_t yellow,
                        uint8_t red)
{
	struct sl_policer_row *row = policer(interface, slot);

	row->cost[0] = row->cost[1] = sl_policer_cost(RATE);
	row->depth[0] = sl_policer_time(row->cost[0], BURST);
	row->depth[1] = sl_policer_time(row->cost[1], 2 * PACKET);
	row->action[SL_GREEN] = green;
	row->action[SL_YELLOW] = yellow;
	row->action[SL_RED] = red;
	row->meter = SL_METER_SRTCM;
}

static int policed(void **state)
{
	struct sl_class_table *classes;

	(void)state;
	scene_set();
	world.worker.now_tsc = 1000000000;
	classes = &world.tables->header.classes;
	classes->class_of_dscp[EF] = VOICE;
	classes->class_of_dscp[CS1] = classes->class_of_dscp[AF11] = BULK;
	return 0;
}

static void later(unsigned int milliseconds) { world.worker.now_tsc += milliseconds * 1000000ull; }

/* From the CE by the clear tunnel (IPv4) or to the CE itself (IPv6); returns the TOS octet that left, -1 = none did. */
static int send_dscp(uint8_t family, uint8_t dscp)
{
	uint8_t frame[2048], *ip;

	build_payload(&b, PACKET - (family == 4 ? 20 : 40));
	if (family == 4) {
		build_ip4(&b, HERE4, A4(10, 9, 0, 1), 17, 64);
		sl_ip4_set_dscp(build_bytes(&b), dscp);
		sl_ip4_set_ecn(build_bytes(&b), 2);
		build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
	} else {
		build_ip6(&b, HERE6, HERE6, 17, 64);
		sl_ip6_set_dscp(build_bytes(&b), dscp);
		sl_ip6_set_ecn(build_bytes(&b), 2);
		build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x86dd);
	}
	build_receive(&b, PORT_CE);
	if (world_sent(family == 4 ? PORT_CORE : PORT_CE, frame) == 0)
		return -1;
	if (family == 6)
		return sl_ip6_traffic_class(frame + 14);
	ip = frame + 14 + 20 + 4;
	assert_int_equal(sl_sum_fold(sl_sum(ip, 20, 0)), 0xffff);
	return ip[1];
}

static void nothing_without_policers(void **state)
{
	(void)state;
	set_policer(IF_CE, SL_POLICER_ALL, SL_ACTION_DROP, SL_ACTION_DROP, SL_ACTION_DROP);
	for (unsigned int i = 0; i < 10; i++)
		assert_int_equal(send_dscp(4, EF), EF << 2 | 2);
	expect_counters(IF_CE, SL_POLICER_ALL, 0, 0, 0);
}

static void one_for_all(void **state)
{
	(void)state;
	world.tables->interface[IF_CE].police = SL_POLICE_ALL;
	set_policer(IF_CE, SL_POLICER_ALL, SL_ACTION_PASS, AF12, SL_ACTION_DROP);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(send_dscp(4, EF), EF << 2 | 2);
	assert_int_equal(send_dscp(4, EF), AF12 << 2 | 2);
	assert_int_equal(send_dscp(6, 0), AF12 << 2 | 2);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(send_dscp(i % 2 == 0 ? 4 : 6, EF), -1);
	scene_expect_drops(SL_DROP_policed, 4);
	expect_counters(IF_CE, SL_POLICER_ALL, 3, 2, 4);
	assert_int_equal(world.worker.block->interface[IF_CE].drops, 4);
	later(1);
	assert_int_equal(send_dscp(6, EF), EF << 2 | 2);
	assert_int_equal(send_dscp(6, EF), -1);
	expect_counters(IF_CE, SL_POLICER_ALL, 4, 2, 5);
	expect_counters(IF_CE_VLAN, SL_POLICER_ALL, 0, 0, 0);
}

/* Link padding and the Ethernet header are not counted: expect_counters() knows the packet's size. */
static void of_classes(void **state)
{
	(void)state;
	world.tables->interface[IF_CE].police = SL_POLICE_CLASS;
	set_policer(IF_CE, VOICE, SL_ACTION_PASS, SL_ACTION_DROP, SL_ACTION_DROP);
	set_policer(IF_CE, BULK, CS1, CS1, 0);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(send_dscp(4, EF), i < 3 ? EF << 2 | 2 : -1);
	scene_expect_drops(SL_DROP_policed, 2);
	for (unsigned int i = 0; i < 7; i++)
		assert_int_equal(send_dscp(4, AF11), (i < 5 ? CS1 << 2 : 0) | 2);
	for (unsigned int i = 0; i < 9; i++) /* a class without one */
		assert_int_equal(send_dscp(4, 0), 2);
	expect_counters(IF_CE, VOICE, 3, 2, 0);
	expect_counters(IF_CE, BULK, 3, 2, 2);
	expect_counters(IF_CE, 0, 0, 0, 0);
}

/* AF13 takes no tokens, AF12 none of the committed ones. */
static void colours_that_are_there(void **state)
{
	(void)state;
	world.tables->interface[IF_CE].police = SL_POLICE_ALL;
	set_policer(IF_CE, SL_POLICER_ALL, SL_ACTION_PASS, SL_ACTION_PASS, SL_ACTION_PASS);
	policer(IF_CE, SL_POLICER_ALL)->meter |= SL_METER_COLOUR_AWARE;
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(send_dscp(4, AF13), AF13 << 2 | 2);
	expect_counters(IF_CE, SL_POLICER_ALL, 0, 0, 4);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(send_dscp(6, AF12), AF12 << 2 | 2);
	expect_counters(IF_CE, SL_POLICER_ALL, 0, 2, 5);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(send_dscp(4, AF11), AF11 << 2 | 2);
	expect_counters(IF_CE, SL_POLICER_ALL, 3, 2, 6);
}

/* ARP, and what concerns the link alone, is the kernel's. */
static void not_the_links_own(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	world.tables->interface[IF_CE].police = SL_POLICE_ALL;
	set_policer(IF_CE, SL_POLICER_ALL, SL_ACTION_DROP, SL_ACTION_DROP, SL_ACTION_DROP);
	build_payload(&b, 28);
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0806);
	build_receive(&b, PORT_CE);
	m = world_punted();
	assert_non_null(m);
	rte_pktmbuf_free(m);
	assert_int_equal(world_all_drops(), 0);
	world_expect_quiet();
}

static void every_reason_was_provoked(void **state)
{
	(void)state;
	drops_expect_all(DROPS_POLICERS);
}

#define POLICED(test) cmocka_unit_test_setup(test, policed)

int main(void)
{
	const struct CMUnitTest tests[] = {
		POLICED(colours_of_rte_meter),
		POLICED(nothing_without_policers),
		POLICED(one_for_all),
		POLICED(of_classes),
		POLICED(colours_that_are_there),
		POLICED(not_the_links_own),
		POLICED(every_reason_was_provoked),
	};

	return cmocka_run_group_tests_name("eal_policers", tests, NULL, NULL);
}
