/* SPDX-License-Identifier: Apache-2.0 */
/* The BFD machine: every state with every received state, intervals, detection; Poll Sequences are in bfd_poll.c. */
#include "support/bfd.h"

/* RFC 5880 section 6.2's diagram with the rules of 6.8.6. */
static void test_every_state_and_received_state(void **cmocka)
{
	enum { ADMIN = SL_BFD_ADMIN_DOWN, DOWN = SL_BFD_DOWN, INIT = SL_BFD_INIT, UP = SL_BFD_UP };
	static const uint8_t next[4][4] = {
		/* received:  AdminDown  Down  Init  Up */
		[ADMIN] = {ADMIN, ADMIN, ADMIN, ADMIN},
		[DOWN] = {DOWN, INIT, UP, DOWN},
		[INIT] = {DOWN, INIT, UP, UP},
		[UP] = {DOWN, DOWN, UP, UP},
	};

	(void)cmocka;
	for (uint8_t state = 0; state < 4; state++) {
		for (uint8_t received = 0; received < 4; received++) {
			struct sl_bfd_session session = session_in(state, START);
			uint8_t want = next[state][received];

			receive_state(&session, received, START + MS);
			if (session.state != want)
				fail_msg("%u with %u becomes %u instead of %u", state, received,
				         session.state, want);
			assert_int_equal(out.changed, want != state);
			/* the peer hears of a change at once, and of nothing else */
			assert_int_equal(out.send, want != state);
			if (out.send)
				assert_int_equal(out.packet.state, want);
			if (want == DOWN && state != DOWN)
				assert_int_equal(session.local_diag, SL_BFD_DIAG_NEIGHBOR_DOWN);
			if (want == UP)
				assert_int_equal(session.local_diag, SL_BFD_DIAG_NONE);
			/* what the peer says is known in every state */
			assert_int_equal(session.remote_discr, 77);
			assert_int_equal(session.remote_state, received);
			assert_int_equal(session.remote_min_rx_us, 200000);
		}
	}
}

static void test_packets_say_what_they_must(void **cmocka)
{
	struct sl_bfd_session session;

	(void)cmocka;
	drawn = 0;
	sl_bfd_start(&session, &world, &fast, 0x01020304, START);
	assert_int_equal(sl_bfd_due(&session), START); /* the first one at once */
	sl_bfd_expire(&session, START, &out);
	assert_true(out.send);
	assert_false(out.changed);
	assert_true(out.packet.independent);
	assert_false(out.packet.demand);
	assert_int_equal(out.packet.state, SL_BFD_DOWN);
	assert_int_equal(out.packet.my_discr, 0x01020304);
	assert_int_equal(out.packet.your_discr, 0);
	assert_int_equal(out.packet.detect_mult, 3);
	assert_int_equal(out.packet.desired_min_tx_us, 1000000); /* not Up */
	assert_int_equal(out.packet.required_min_rx_us, 60000);
	assert_int_equal(out.packet.required_min_echo_rx_us, 0);
	receive_state(&session, SL_BFD_INIT, START + MS);
	assert_int_equal(out.packet.your_discr, 77);
	assert_int_equal(out.packet.desired_min_tx_us,
	                 50000); /* Up: as configured, by a Poll Sequence */
	assert_true(out.packet.poll);
	assert_false(out.packet.final);
}

/* 6.8.7: 75 to 100 % of the interval, with Detect Mult 1 75 to 90 %. */
static void test_jitter(void **cmocka)
{
	(void)cmocka;
	for (uint32_t i = 0; i <= 5000; i += 100) {
		for (uint8_t mult = 1; mult <= 2; mult++) {
			struct sl_bfd_session session;
			struct sl_bfd_config config = fast;
			uint64_t wait;

			config.detect_mult = mult;
			drawn = i;
			sl_bfd_start(&session, &world, &config, 1, START);
			sl_bfd_expire(&session, START, &out);
			wait = sl_bfd_due(&session) - START;
			/* in steps of a hundredth of a percent */
			assert_int_equal(wait, (7500 + i % (mult == 1 ? 1501 : 2501)) * MS / 10);
		}
	}
}

/* Nothing happens early, and what is due happens once. */
static void test_periodic(void **cmocka)
{
	struct sl_bfd_session session = session_in(SL_BFD_DOWN, START);
	uint64_t due = sl_bfd_due(&session);

	(void)cmocka;
	assert_int_equal(due, START + 750 * MS);
	sl_bfd_expire(&session, due - 1, &out);
	assert_false(out.send);
	sl_bfd_expire(&session, due, &out);
	assert_true(out.send);
	sl_bfd_expire(&session, due, &out);
	assert_false(out.send);
	assert_int_equal(sl_bfd_due(&session), due + 750 * MS);
}

/* 6.8.4: the peer's Detect Mult times the larger of its sending and our receiving interval. */
static void test_detection_time(void **cmocka)
{
	struct sl_bfd_session session = session_in(SL_BFD_UP, START);
	struct sl_bfd_packet packet = from_peer(&session, SL_BFD_UP);

	(void)cmocka;
	assert_int_equal(sl_bfd_detection_us(&session), 5 * 100000);
	packet.desired_min_tx_us = 10000;
	receive(&session, &packet, START);
	assert_int_equal(sl_bfd_detection_us(&session), 5 * 60000);
	packet.detect_mult = 1;
	receive(&session, &packet, START);
	assert_int_equal(sl_bfd_detection_us(&session), 60000);
	assert_int_equal(session.detect_due_ns, START + 60 * MS);
	assert_int_equal(session.auth.forget_ns, START + 120 * MS); /* 6.8.1, bfd.AuthSeqKnown */
}

static void test_expiry(void **cmocka)
{
	static const uint8_t states[] = {SL_BFD_DOWN, SL_BFD_INIT, SL_BFD_UP};

	(void)cmocka;
	for (size_t i = 0; i < sizeof(states); i++) {
		struct sl_bfd_session session = session_in(states[i], START);
		uint64_t silent;

		if (states[i] == SL_BFD_DOWN) /* heard, but to no effect */
			receive_state(&session, SL_BFD_UP, START);
		silent = START + 500 * MS;
		while (sl_bfd_due(&session) < silent) {
			sl_bfd_expire(&session, sl_bfd_due(&session), &out);
			assert_int_equal(session.state, states[i]);
			assert_false(out.changed);
		}
		assert_int_equal(session.remote_discr, 77);
		assert_int_equal(session.detect_due_ns, silent);
		sl_bfd_expire(&session, silent, &out);
		assert_int_equal(session.state, SL_BFD_DOWN);
		assert_int_equal(session.remote_discr, 0);
		assert_int_equal(out.changed, states[i] != SL_BFD_DOWN);
		if (out.changed) {
			assert_int_equal(session.local_diag, SL_BFD_DIAG_EXPIRED);
			assert_true(out.send);
			assert_int_equal(out.packet.your_discr, 0);
			assert_int_equal(out.packet.diag, SL_BFD_DIAG_EXPIRED);
			assert_int_equal(out.packet.desired_min_tx_us, 1000000);
		}
		assert_int_equal(session.counters.downs, states[i] == SL_BFD_UP);
		assert_int_equal(session.detect_due_ns, SL_BFD_NEVER);
	}
}

/* 6.8.2, 6.8.7: never faster than the peer takes. */
static void test_peer_limits_us(void **cmocka)
{
	struct sl_bfd_session session = session_in(SL_BFD_UP, START);
	struct sl_bfd_packet packet = from_peer(&session, SL_BFD_UP);

	(void)cmocka;
	assert_int_equal(session.tx_interval_us, 200000);
	packet.required_min_rx_us = 400000; /* slower at once */
	receive(&session, &packet, START + 10 * MS);
	assert_int_equal(session.tx_interval_us, 400000);
	assert_int_equal(session.tx_due_ns, START + 300 * MS);
	packet.required_min_rx_us = 10000; /* our own interval rules */
	receive(&session, &packet, START + 20 * MS);
	assert_int_equal(session.tx_interval_us, 50000);
	assert_int_equal(session.tx_due_ns, START + 37500 * (MS / 1000));
	/* the same again leaves the jittered wait alone */
	drawn = 2500;
	receive(&session, &packet, START + 30 * MS);
	assert_int_equal(session.tx_due_ns, START + 37500 * (MS / 1000));
	/* none at all */
	packet.required_min_rx_us = 0;
	receive(&session, &packet, START + 30 * MS);
	assert_int_equal(session.tx_due_ns, SL_BFD_NEVER);
	packet.poll = true; /* but a Final goes, which is not periodic */
	receive(&session, &packet, START + 31 * MS);
	assert_true(out.send);
	assert_true(out.packet.final);
	/* a dead peer's wish is forgotten with it */
	sl_bfd_expire(&session, START + S, &out);
	assert_int_equal(session.state, SL_BFD_DOWN);
	assert_int_not_equal(session.tx_due_ns, SL_BFD_NEVER);
}

/* 6.8.16. */
static void test_admin_down(void **cmocka)
{
	struct sl_bfd_session session = session_in(SL_BFD_UP, START);
	struct sl_bfd_config config = fast;

	(void)cmocka;
	config.admin_down = true;
	sl_bfd_configure(&session, &config, START, &out);
	assert_true(out.changed);
	assert_true(out.send);
	assert_int_equal(out.packet.state, SL_BFD_ADMIN_DOWN);
	assert_int_equal(out.packet.diag, SL_BFD_DIAG_ADMIN_DOWN);
	assert_int_equal(out.packet.desired_min_tx_us, 1000000);
	assert_int_equal(session.counters.downs, 1);
	/* the peer goes on hearing of it, also when it is silent itself */
	sl_bfd_expire(&session, START + 500 * MS, &out);
	assert_false(out.changed);
	assert_int_equal(session.remote_discr, 0);
	sl_bfd_expire(&session, sl_bfd_due(&session), &out);
	assert_true(out.send);
	assert_int_equal(session.state, SL_BFD_ADMIN_DOWN);
	config.admin_down = false;
	sl_bfd_configure(&session, &config, START + S, &out);
	assert_int_equal(session.state, SL_BFD_DOWN);
	assert_true(out.changed);
	receive_state(&session, SL_BFD_DOWN, START + S);
	assert_int_equal(session.state, SL_BFD_INIT);
}

/* Another machine goes on: the peer hears the same discriminators and Up, and the Final ends the Poll. */
static void test_another_goes_on(void **cmocka)
{
	struct sl_bfd_session before = session_in(SL_BFD_UP, START), session;
	struct sl_bfd_resume resume;
	struct sl_bfd_packet packet;

	(void)cmocka;
	assert_false(sl_bfd_get_resume(&before, &resume)); /* the peer has not said Up yet */
	receive_state(&before, SL_BFD_UP, START + MS);
	assert_true(sl_bfd_get_resume(&before, &resume));
	sl_bfd_start(&session, &world, &fast, 5, START + 2 * MS);
	sl_bfd_go_on(&session, &resume, START + 2 * MS);
	assert_int_equal(sl_bfd_detection_us(&session), sl_bfd_detection_us(&before));
	sl_bfd_expire(&session, START + 2 * MS, &out);
	assert_true(out.send);
	assert_false(out.changed);
	assert_true(out.packet.poll);
	assert_int_equal(out.packet.state, SL_BFD_UP);
	assert_int_equal(out.packet.my_discr, before.local_discr);
	assert_int_equal(out.packet.your_discr, before.remote_discr);
	assert_int_equal(out.packet.desired_min_tx_us, 50000);
	packet = from_peer(&session, SL_BFD_UP);
	packet.final = true;
	receive(&session, &packet, START + 3 * MS);
	assert_false(session.polling);
	/* and a peer that is silent from then on is found out as ever */
	sl_bfd_expire(&session, START + 3 * MS + sl_bfd_detection_us(&session) * 1000, &out);
	assert_int_equal(session.state, SL_BFD_DOWN);
	assert_int_equal(session.counters.downs, 1);
}

/* A: packets with and without authentication are for sessions with and without it. */
static void test_unwanted_authentication(void **cmocka)
{
	struct sl_bfd_session session = session_in(SL_BFD_UP, START);
	struct sl_bfd_packet packet = from_peer(&session, SL_BFD_DOWN);
	struct sl_bfd_session before = session;

	(void)cmocka;
	packet.authenticated = true;
	assert_false(sl_bfd_receive(&session, &packet, NULL, START + MS, &out));
	before.counters.rx_bad_auth = 1;
	assert_memory_equal(&session, &before, sizeof(session));
	packet.authenticated = false;
	session.config.key.type = SL_BFD_AUTH_KEYED_SHA1;
	assert_false(sl_bfd_receive(&session, &packet, NULL, START + MS, &out));
	assert_int_equal(session.state, SL_BFD_UP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_state_and_received_state),
		cmocka_unit_test(test_packets_say_what_they_must),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_periodic),
		cmocka_unit_test(test_detection_time),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_peer_limits_us),
		cmocka_unit_test(test_admin_down),
		cmocka_unit_test(test_another_goes_on),
		cmocka_unit_test(test_unwanted_authentication),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
