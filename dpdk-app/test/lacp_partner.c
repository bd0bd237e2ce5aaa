/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LACP (IEEE 802.1AX-2008 5.4): what a group makes of each word of its partners, which two systems of ours back to back
 * (lacp.c) never say.
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

enum {
	WORDS = SL_LACP_ACTIVITY | SL_LACP_SHORT_TIMEOUT | SL_LACP_AGGREGATION,
	IN_STEP = WORDS | SL_LACP_SYNCHRONIZATION,
	READY = IN_STEP | SL_LACP_COLLECTING | SL_LACP_DISTRIBUTING,
};

static const uint8_t us[6] = {2, 0, 0, 0, 0, 1}, b[6] = {2, 0, 0, 0, 0, 0xb},
		     c[6] = {2, 0, 0, 0, 0, 0xc};
static struct sl_lacp lacp;
static uint64_t now;

static void begin(unsigned int members)
{
	now = 1000 * SECOND;
	sl_lacp_init(&lacp, us, 1, members, true);
	for (unsigned int i = 0; i < members; i++)
		sl_lacp_link(&lacp, i, true);
	sl_lacp_step(&lacp, now);
}

/* System `from` says `state` by member `i` to `to`, NULL: to us. */
static void hear(unsigned int i, const uint8_t from[6], uint8_t state, const struct sl_lacp_end *to)
{
	struct sl_lacp_pdu pdu = {.partner = to != NULL ? *to : lacp.port[i].actor};
	uint8_t frame[SL_LACP_FRAME];

	pdu.actor = (struct sl_lacp_end){
		.system_priority = 1, .key = 9, .port = (uint16_t)(i + 1), .state = state};
	memcpy(pdu.actor.system, from, sizeof(pdu.actor.system));
	sl_lacp_encode(&pdu, from, frame);
	sl_lacp_receive(&lacp, i, frame, sizeof(frame), now);
}

/* So long, with the same word by member 0 once a second. */
static void keep_hearing(unsigned int seconds, uint8_t state, const struct sl_lacp_end *to)
{
	for (unsigned int n = 0; n < seconds * 10; n++) {
		if (n % 10 == 0)
			hear(0, b, state, to);
		now += STEP;
		sl_lacp_step(&lacp, now);
	}
}

static bool has(unsigned int i, uint8_t bits) { return (lacp.port[i].actor.state & bits) == bits; }

static void test_in_step_and_collecting_first(void **cmocka)
{
	(void)cmocka;
	begin(1);
	keep_hearing(4, IN_STEP, NULL);
	assert_true(has(0, SL_LACP_COLLECTING)); /* it may send soon */
	assert_false(has(0, SL_LACP_DISTRIBUTING));
	keep_hearing(1, READY, NULL);
	assert_true(has(0, SL_LACP_DISTRIBUTING));
	keep_hearing(1, IN_STEP, NULL);
	assert_false(has(0, SL_LACP_DISTRIBUTING));
}

/* It speaks of another end than ours: what it is in step with is not us. */
static void test_who_means_another(void **cmocka)
{
	struct sl_lacp_end other;

	(void)cmocka;
	begin(1);
	other = lacp.port[0].actor;
	other.port++;
	keep_hearing(5, READY, &other);
	assert_true(has(0, SL_LACP_SYNCHRONIZATION));
	assert_false(has(0, SL_LACP_COLLECTING));
	keep_hearing(1, READY, NULL);
	assert_true(has(0, SL_LACP_DISTRIBUTING));
}

static void test_who_does_not_aggregate(void **cmocka)
{
	(void)cmocka;
	begin(1);
	keep_hearing(5, READY & ~SL_LACP_AGGREGATION, NULL);
	assert_false(lacp.port[0].selected);
	assert_false(has(0, SL_LACP_SYNCHRONIZATION));
}

/* The partner that most members see; but it stays while a member is left to it. */
static void test_most_members_see(void **cmocka)
{
	(void)cmocka;
	begin(3);
	hear(0, c, READY, NULL);
	hear(1, b, READY, NULL);
	hear(2, b, READY, NULL);
	sl_lacp_step(&lacp, now);
	assert_false(lacp.port[0].selected);
	assert_true(lacp.port[1].selected && lacp.port[2].selected);

	begin(3);
	hear(2, b, READY, NULL);
	sl_lacp_step(&lacp, now);
	hear(0, c, READY, NULL);
	hear(1, c, READY, NULL);
	sl_lacp_step(&lacp, now);
	assert_true(lacp.port[2].selected);
	assert_false(lacp.port[0].selected || lacp.port[1].selected);
}

/* The cable is put into another system, whose word comes before the link is seen to have gone. */
static void test_another_partner_at_once(void **cmocka)
{
	(void)cmocka;
	begin(1);
	keep_hearing(5, READY, NULL);
	assert_true(has(0, SL_LACP_DISTRIBUTING));
	hear(0, c, READY, NULL);
	sl_lacp_step(&lacp, now);
	assert_true(lacp.port[0].selected);
	assert_false(has(0, SL_LACP_SYNCHRONIZATION)); /* it waits for others, as at first */
	assert_false(has(0, SL_LACP_DISTRIBUTING));
}

static void test_a_word_from_before_the_link_went(void **cmocka)
{
	(void)cmocka;
	begin(1);
	sl_lacp_link(&lacp, 0, false);
	sl_lacp_step(&lacp, now);
	hear(0, b, READY, NULL);
	assert_int_equal(lacp.port[0].receive, SL_LACP_PORT_DISABLED);
	assert_int_equal(lacp.port[0].received, 1);
}

/* One that wanted a word in 30 s wants one a second now: it does not wait for the 30 s to pass. */
static void test_from_slow_to_fast(void **cmocka)
{
	uint8_t frame[SL_LACP_FRAME];
	unsigned int sent = 0;

	(void)cmocka;
	begin(1);
	keep_hearing(5, READY & ~SL_LACP_SHORT_TIMEOUT, NULL);
	for (unsigned int i = 0; i < 5; i++) { /* all that there was to say */
		now += SECOND;
		hear(0, b, READY & ~SL_LACP_SHORT_TIMEOUT, NULL);
		sl_lacp_step(&lacp, now);
		(void)sl_lacp_send(&lacp, 0, us, frame, now);
	}
	for (unsigned int i = 0; i < 5; i++) {
		now += SECOND;
		hear(0, b, READY, NULL);
		sl_lacp_step(&lacp, now);
		sent += sl_lacp_send(&lacp, 0, us, frame, now);
	}
	assert_int_equal(sent, 5);
}

static void test_what_could_not_be_sent_is_due(void **cmocka)
{
	uint8_t frame[SL_LACP_FRAME];

	(void)cmocka;
	begin(1);
	assert_true(sl_lacp_send(&lacp, 0, us, frame, now));
	assert_false(sl_lacp_send(&lacp, 0, us, frame, now));
	sl_lacp_unsent(&lacp, 0);
	assert_true(sl_lacp_send(&lacp, 0, us, frame, now));
}

/* A later version has the fields of the first where they are; there is none before it. */
static void test_versions(void **cmocka)
{
	struct sl_lacp_pdu pdu = {.actor.port = 1};
	uint8_t frame[SL_LACP_FRAME];

	(void)cmocka;
	sl_lacp_encode(&pdu, us, frame);
	frame[15] = 2;
	assert_true(sl_lacp_decode(&pdu, frame, sizeof(frame)));
	frame[15] = 0;
	assert_false(sl_lacp_decode(&pdu, frame, sizeof(frame)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_step_and_collecting_first),
		cmocka_unit_test(test_who_means_another),
		cmocka_unit_test(test_who_does_not_aggregate),
		cmocka_unit_test(test_most_members_see),
		cmocka_unit_test(test_another_partner_at_once),
		cmocka_unit_test(test_a_word_from_before_the_link_went),
		cmocka_unit_test(test_from_slow_to_fast),
		cmocka_unit_test(test_what_could_not_be_sent_is_due),
		cmocka_unit_test(test_versions),
	};

	return cmocka_run_group_tests_name("lacp_partner", tests, NULL, NULL);
}
