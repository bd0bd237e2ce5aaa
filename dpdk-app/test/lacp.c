/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LACP (IEEE 802.1AX-2008 5.4): two systems back to back, what they lose and say. The Linux kernel's bonding driver and tshark
 * are the independent judges of the same code: test/interop/lag-linux-pe.test.ts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lacp/lacp.h"

#define SECOND 1000000000ull
#define STEP (SECOND / 10)
#define START (1000 * SECOND)

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa}, mac_b[6] = {2, 0, 0, 0, 0, 0xb};
static const uint8_t mac_c[6] = {2, 0, 0, 0, 0, 0xc};

/* Two systems; cut[i]: link i carries nothing, though both ends see it up; moved: a's member 1 leads to c. */
static struct {
	struct sl_lacp a, b, c;
	bool moved;
	uint64_t now;
	bool cut[SL_LAG_MEMBERS];
} pair;

static void carry(struct sl_lacp *from, struct sl_lacp *to, unsigned int i, const uint8_t *mac)
{
	uint8_t frame[SL_LACP_FRAME];

	if (sl_lacp_send(from, i, mac, frame, pair.now) && !pair.cut[i] && to->port[i].link_up)
		sl_lacp_receive(to, i, frame, sizeof(frame), pair.now);
}

static void run(uint64_t ns)
{
	for (uint64_t end = pair.now + ns; pair.now < end; pair.now += STEP) {
		sl_lacp_step(&pair.a, pair.now);
		sl_lacp_step(&pair.b, pair.now);
		sl_lacp_step(&pair.c, pair.now);
		carry(&pair.a, &pair.b, 0, mac_a);
		carry(&pair.b, &pair.a, 0, mac_b);
		carry(&pair.a, pair.moved ? &pair.c : &pair.b, 1, mac_a);
		carry(pair.moved ? &pair.c : &pair.b, &pair.a, 1, pair.moved ? mac_c : mac_b);
	}
}

static void set_link(unsigned int i, bool up)
{
	sl_lacp_link(&pair.a, i, up);
	sl_lacp_link(&pair.b, i, up);
}

static void begin(bool fast_a, bool fast_b)
{
	memset(&pair, 0, sizeof(pair));
	pair.now = START;
	sl_lacp_init(&pair.a, mac_a, 1, 2, fast_a);
	sl_lacp_init(&pair.b, mac_b, 7, 2, fast_b);
	set_link(0, true);
	set_link(1, true);
}

static unsigned int distributing(const struct sl_lacp *lacp)
{
	unsigned int members = 0;

	for (unsigned int i = 0; i < lacp->count; i++) {
		/* who distributes collects */
		assert_true(!sl_lacp_distributes(lacp, i) || sl_lacp_collects(lacp, i));
		members |= (unsigned int)sl_lacp_distributes(lacp, i) << i;
	}
	return members;
}

static void test_two_systems_agree(void **cmocka)
{
	(void)cmocka;
	begin(true, true);
	run(SECOND);
	/* Aggregate_Wait_Time: who joins waits for others */
	assert_int_equal(distributing(&pair.a) | distributing(&pair.b), 0);
	run(5 * SECOND);
	assert_int_equal(distributing(&pair.a), 3);
	assert_int_equal(distributing(&pair.b), 3);
	assert_memory_equal(pair.a.port[1].partner.system, mac_b, 6);
	assert_int_equal(pair.a.port[1].partner.key, 7);
	assert_int_equal(pair.a.port[1].partner.port, 7 * 16 + 2);
	assert_int_equal(pair.a.port[0].actor.state,
	                 SL_LACP_ACTIVITY | SL_LACP_SHORT_TIMEOUT | SL_LACP_AGGREGATION |
	                         SL_LACP_SYNCHRONIZATION | SL_LACP_COLLECTING |
	                         SL_LACP_DISTRIBUTING);
}

static void test_rate_is_what_the_partner_wants(void **cmocka)
{
	uint64_t a, b;

	(void)cmocka;
	begin(true, false);
	run(60 * SECOND);
	a = pair.a.port[0].sent;
	b = pair.b.port[0].sent;
	run(60 * SECOND);
	assert_in_range(pair.a.port[0].sent - a, 1, 3);   /* b asks for one in 30 s */
	assert_in_range(pair.b.port[0].sent - b, 58, 61); /* a asks for one a second */
	assert_int_equal(distributing(&pair.a), 3);
}

static void test_a_link_goes_and_comes_back(void **cmocka)
{
	(void)cmocka;
	begin(true, true);
	run(10 * SECOND);
	set_link(0, false);
	run(STEP);
	assert_int_equal(distributing(&pair.a), 2);
	assert_int_equal(distributing(&pair.b), 2);
	set_link(0, true);
	run(8 * SECOND);
	assert_int_equal(distributing(&pair.a), 3);
	assert_int_equal(distributing(&pair.b), 3);
}

static void test_silence_is_noticed(void **cmocka)
{
	(void)cmocka;
	begin(true, true);
	run(10 * SECOND);
	pair.cut[1] = true;
	run(2 * SECOND);
	assert_int_equal(distributing(&pair.a), 3);
	run(2 * SECOND); /* short timeout: 3 s, the last word was at most one before */
	assert_int_equal(distributing(&pair.a), 1);
	assert_true((pair.a.port[1].actor.state & SL_LACP_EXPIRED) != 0);
	run(4 * SECOND); /* nobody is there */
	assert_true((pair.a.port[1].actor.state & SL_LACP_DEFAULTED) != 0);
	assert_int_equal(pair.a.port[1].partner.key, 0);
	assert_false(pair.a.port[1].selected);
	pair.cut[1] = false;
	run(8 * SECOND);
	assert_int_equal(distributing(&pair.a), 3);
	assert_int_equal(distributing(&pair.b), 3);

	begin(false, false);
	run(10 * SECOND);
	pair.cut[1] = true;
	run(59 * SECOND);
	assert_int_equal(distributing(&pair.a), 3);
	run(35 * SECOND); /* long timeout: 90 s */
	assert_int_equal(distributing(&pair.a), 1);
}

/* One member is plugged into another system: it is no part of this aggregation. */
static void test_one_partner_alone(void **cmocka)
{
	(void)cmocka;
	begin(true, true);
	run(10 * SECOND);
	sl_lacp_init(&pair.c, mac_c, 7, 2, true);
	sl_lacp_link(&pair.c, 1, true);
	pair.moved = true;
	run(2 * SECOND);
	assert_int_equal(distributing(&pair.a), 1);
	run(10 * SECOND);
	assert_int_equal(distributing(&pair.a), 1);
	assert_int_equal(distributing(&pair.c), 0);
	assert_memory_equal(pair.a.port[1].partner.system, mac_c, 6);
	/* With the first partner gone, the other one is who is left. */
	set_link(0, false);
	run(8 * SECOND);
	assert_int_equal(distributing(&pair.a), 2);
	assert_int_equal(distributing(&pair.c), 2);
}

static void test_our_own_words_and_others_mean_nothing(void **cmocka)
{
	struct sl_lacp before;
	uint8_t frame[SL_LACP_FRAME];

	(void)cmocka;
	begin(true, true);
	sl_lacp_step(&pair.a, pair.now);
	assert_true(sl_lacp_send(&pair.a, 0, mac_a, frame, pair.now));
	before = pair.a;
	sl_lacp_receive(&pair.a, 1, frame, sizeof(frame), pair.now); /* a loop */
	assert_int_equal(pair.a.port[1].malformed, 1);
	before.port[1].malformed = 1;
	assert_memory_equal(&before, &pair.a, sizeof(before));
	for (size_t length = 0; length < sizeof(frame); length++)
		sl_lacp_receive(&pair.b, 0, frame, length, pair.now);
	assert_int_equal(pair.b.port[0].malformed, sizeof(frame));
	static const size_t needed[] = {12, 13, 14, 16, 17, 36, 37};
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		frame[needed[i]] ^= 0x10;
		sl_lacp_receive(&pair.b, 0, frame, sizeof(frame), pair.now);
		frame[needed[i]] ^= 0x10;
	}
	assert_int_equal(pair.b.port[0].malformed, sizeof(frame) + 7);
	assert_int_equal(pair.b.port[0].received, 0);
	sl_lacp_receive(&pair.b, 0, frame, sizeof(frame), pair.now);
	assert_int_equal(pair.b.port[0].received, 1);
}

/* Three in a second, whatever there is to say. */
static void test_no_more_than_three_a_second(void **cmocka)
{
	uint8_t frame[SL_LACP_FRAME];
	unsigned int sent = 0;

	(void)cmocka;
	begin(true, true);
	sl_lacp_step(&pair.a, pair.now);
	for (int i = 0; i < 10; i++) {
		pair.a.port[0].ntt = true;
		sent += sl_lacp_send(&pair.a, 0, mac_a, frame, pair.now + (uint64_t)i * STEP / 2);
	}
	assert_int_equal(sent, 3);
	sl_lacp_unsent(&pair.a, 0);
	assert_int_equal(pair.a.port[0].sent, 2);
	assert_true(sl_lacp_send(&pair.a, 0, mac_a, frame, pair.now + STEP));
	pair.a.port[0].ntt = true;
	assert_true(sl_lacp_send(&pair.a, 0, mac_a, frame, pair.now + SECOND));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_systems_agree),
		cmocka_unit_test(test_rate_is_what_the_partner_wants),
		cmocka_unit_test(test_a_link_goes_and_comes_back),
		cmocka_unit_test(test_silence_is_noticed),
		cmocka_unit_test(test_one_partner_alone),
		cmocka_unit_test(test_our_own_words_and_others_mean_nothing),
		cmocka_unit_test(test_no_more_than_three_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
