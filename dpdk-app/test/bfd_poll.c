/* SPDX-License-Identifier: Apache-2.0 */
/* The BFD machine: Poll Sequences, and what changes by them (RFC 5880 6.5, 6.6, 6.8.3). */
#include "support/bfd.h"

/* 6.5: P is answered by F at once, without touching the periodic packets; both are never set. */
static void test_poll_is_answered(void **cmocka)
{
	(void)cmocka;
	for (unsigned int i = SL_BFD_ADMIN_DOWN; i <= SL_BFD_UP; i++) {
		uint8_t state = (uint8_t)i;
		struct sl_bfd_session session = session_in(state, START);
		struct sl_bfd_packet packet =
			from_peer(&session, state == SL_BFD_DOWN ? SL_BFD_UP : state);
		uint64_t due;

		if (state == SL_BFD_INIT)
			packet.state = SL_BFD_DOWN;
		packet.poll = true;
		receive(&session, &packet, START + MS);
		if (state == SL_BFD_ADMIN_DOWN) { /* discarded before P is looked at */
			assert_false(out.send);
			continue;
		}
		due = session.tx_due_ns;
		assert_true(out.send);
		assert_false(out.changed);
		assert_true(out.packet.final);
		assert_false(out.packet.poll);
		receive(&session, &packet, START + 2 * MS);
		assert_int_equal(session.tx_due_ns, due);
	}
}

static void end_poll(struct sl_bfd_session *session, uint64_t now_ns)
{
	struct sl_bfd_packet packet = from_peer(session, SL_BFD_UP);

	packet.final = true;
	receive(session, &packet, now_ns);
}

static void configure(struct sl_bfd_session *session, uint32_t tx, uint32_t rx, uint64_t now_ns)
{
	struct sl_bfd_config config = fast;

	config.desired_min_tx_us = tx;
	config.required_min_rx_us = rx;
	sl_bfd_configure(session, &config, now_ns, &out);
}

/* 6.8.3: what would surprise the peer waits for the end of the Poll Sequence, the rest does not. */
static void test_intervals_change_by_poll(void **cmocka)
{
	struct sl_bfd_session session = session_in(SL_BFD_UP, START);
	struct sl_bfd_packet quick = from_peer(&session, SL_BFD_UP);

	(void)cmocka;
	assert_true(session.polling); /* a second became 50 ms */
	assert_int_equal(session.tx_in_force_us, 50000);
	end_poll(&session, START);
	assert_false(session.polling);
	quick.required_min_rx_us = 1;
	quick.desired_min_tx_us = 1;
	receive(&session, &quick, START);

	configure(&session, 300000, 60000, START); /* sending less often */
	assert_true(out.send);
	assert_true(out.packet.poll);
	assert_int_equal(out.packet.desired_min_tx_us, 300000);
	assert_int_equal(session.tx_interval_us, 50000);
	quick.final = true;
	receive(&session, &quick, START + MS);
	assert_false(session.polling);
	assert_int_equal(session.tx_interval_us, 300000);

	configure(&session, 300000, 20000, START + 2 * MS); /* expecting packets sooner */
	assert_int_equal(out.packet.required_min_rx_us, 20000);
	assert_int_equal(sl_bfd_detection_us(&session), 5 * 60000);
	receive(&session, &quick, START + 3 * MS);
	assert_int_equal(sl_bfd_detection_us(&session), 5 * 20000);

	configure(&session, 30000, 90000, START + 4 * MS); /* more often, and content with less */
	assert_int_equal(session.tx_interval_us, 30000);
	assert_int_equal(sl_bfd_detection_us(&session), 5 * 90000);
	assert_true(session.polling);
	receive(&session, &quick, START + 5 * MS);
	assert_false(session.polling);

	configure(&session, 30000, 90000, START + 6 * MS); /* the same */
	assert_false(out.send);
	assert_false(session.polling);
	assert_false(out.changed);
	assert_int_equal(session.state, SL_BFD_UP);
}

/* A Final that may have answered the older values does not bring the newer ones into force. */
static void test_change_within_a_poll(void **cmocka)
{
	struct sl_bfd_session session = session_in(SL_BFD_UP, START);

	(void)cmocka;
	end_poll(&session, START);
	configure(&session, 300000, 60000, START);
	configure(&session, 400000, 60000, START);
	end_poll(&session, START + MS);
	assert_true(session.polling);
	assert_int_equal(session.tx_in_force_us, 50000);
	end_poll(&session, START + 2 * MS);
	assert_false(session.polling);
	assert_int_equal(session.tx_in_force_us, 400000);
	/* a Final that nobody asked for changes nothing */
	end_poll(&session, START + 3 * MS);
	assert_int_equal(session.tx_in_force_us, 400000);
}

/* 6.6: while the peer wants Demand mode and both are Up, nothing is sent but what is asked for. */
static void test_peer_in_demand_mode(void **cmocka)
{
	struct sl_bfd_session session = session_in(SL_BFD_UP, START);
	struct sl_bfd_packet packet = from_peer(&session, SL_BFD_UP);

	(void)cmocka;
	packet.demand = true;
	receive(&session, &packet, START);
	assert_int_not_equal(session.tx_due_ns, SL_BFD_NEVER); /* our Poll Sequence goes on */
	packet.final = true;
	receive(&session, &packet, START + MS);
	assert_int_equal(session.tx_due_ns, SL_BFD_NEVER);
	packet.final = false;
	packet.poll = true;
	receive(&session, &packet, START + 2 * MS);
	assert_true(out.packet.final);
	assert_int_equal(session.tx_due_ns, SL_BFD_NEVER);
	/* a change is polled for in Demand mode, too */
	configure(&session, 70000, 60000, START + 3 * MS);
	assert_true(out.packet.poll);
	assert_int_not_equal(session.tx_due_ns, SL_BFD_NEVER);
	packet.poll = false;
	packet.final = true;
	receive(&session, &packet, START + 4 * MS);
	assert_int_equal(session.tx_due_ns, SL_BFD_NEVER);
	/* its packets still come and are still missed */
	assert_int_equal(session.detect_due_ns, START + 4 * MS + 500 * MS);
	packet.demand = false;
	receive(&session, &packet, START + 5 * MS);
	assert_int_not_equal(session.tx_due_ns, SL_BFD_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_poll_is_answered),
		cmocka_unit_test(test_intervals_change_by_poll),
		cmocka_unit_test(test_change_within_a_poll),
		cmocka_unit_test(test_peer_in_demand_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
