/* SPDX-License-Identifier: Apache-2.0 */
/* Two BFD machines with a wire between them, on a clock that jumps to what is due next. */
#include "support/bfd.h"

struct end {
	struct sl_bfd_session session;
	uint64_t sent;
	uint64_t changes;
};

struct wire {
	struct end end[2];
	uint64_t now_ns;
	bool cut[2]; /* what that end sends is lost */
	uint32_t seed;
};

/* What a step brought about goes over to the other end, at once, through the codec. */
static void carry(struct wire *wire, unsigned int from, struct sl_bfd_output step)
{
	while (true) {
		struct sl_bfd_packet packet;
		uint8_t bytes[SL_BFD_MAX_BYTES];
		size_t n;

		wire->end[from].changes += step.changed;
		if (!step.send)
			return;
		n = sl_bfd_seal(&wire->end[from].session, &step.packet, bytes);
		wire->end[from].sent++;
		if (wire->cut[from])
			return;
		assert_int_equal(sl_bfd_decode(bytes, n, &packet), SL_BFD_OK);
		from ^= 1;
		assert_true(sl_bfd_receive(&wire->end[from].session, &packet, bytes, wire->now_ns,
		                           &step));
	}
}

static void run(struct wire *wire, uint64_t until_ns)
{
	for (;;) {
		uint64_t due[2] = {sl_bfd_due(&wire->end[0].session),
		                   sl_bfd_due(&wire->end[1].session)};
		unsigned int next = due[1] < due[0];

		if (due[next] > until_ns)
			break;
		wire->seed = wire->seed * 1664525u + 1013904223u;
		drawn = wire->seed >> 8;
		wire->now_ns = due[next];
		sl_bfd_expire(&wire->end[next].session, wire->now_ns, &out);
		carry(wire, next, out);
	}
	wire->now_ns = until_ns;
}

static void connect_ends(struct wire *wire, const struct sl_bfd_config *a,
                         const struct sl_bfd_config *b)
{
	memset(wire, 0, sizeof(*wire));
	wire->now_ns = START;
	wire->seed = 1;
	sl_bfd_start(&wire->end[0].session, &world, a, 11, START);
	sl_bfd_start(&wire->end[1].session, &world, b, 22, START + 300 * MS);
	run(wire, START + 3 * S);
	assert_int_equal(wire->end[0].session.state, SL_BFD_UP);
	assert_int_equal(wire->end[1].session.state, SL_BFD_UP);
	assert_false(wire->end[0].session.polling);
	assert_false(wire->end[1].session.polling);
}

static const struct sl_bfd_config slow = {
	.desired_min_tx_us = 200000, .required_min_rx_us = 100000, .detect_mult = 4};

static void test_two_come_up_and_stay(void **cmocka)
{
	struct wire wire;
	uint64_t sent[2];

	(void)cmocka;
	connect_ends(&wire, &fast, &slow);
	/* a sends max(50, 100) ms apart, b max(200, 60) ms */
	assert_int_equal(wire.end[0].session.tx_interval_us, 100000);
	assert_int_equal(wire.end[1].session.tx_interval_us, 200000);
	assert_int_equal(sl_bfd_detection_us(&wire.end[0].session), 4 * 200000);
	assert_int_equal(sl_bfd_detection_us(&wire.end[1].session), 3 * 100000);
	sent[0] = wire.end[0].sent;
	sent[1] = wire.end[1].sent;
	run(&wire, START + 63 * S);
	/* a minute: 87.5 % of the interval on average */
	assert_in_range(wire.end[0].sent - sent[0], 650, 720);
	assert_in_range(wire.end[1].sent - sent[1], 325, 360);
	assert_int_equal(wire.end[0].session.counters.downs, 0);
	assert_int_equal(wire.end[1].session.counters.downs, 0);
}

static void test_one_way_failure(void **cmocka)
{
	struct wire wire;

	(void)cmocka;
	connect_ends(&wire, &fast, &slow);
	wire.cut[0] = true; /* b hears no more of a, and tells it */
	run(&wire, wire.now_ns + 301 * MS);
	assert_int_equal(wire.end[1].session.state, SL_BFD_DOWN);
	assert_int_equal(wire.end[1].session.local_diag, SL_BFD_DIAG_EXPIRED);
	assert_int_equal(wire.end[0].session.state, SL_BFD_DOWN);
	assert_int_equal(wire.end[0].session.local_diag, SL_BFD_DIAG_NEIGHBOR_DOWN);
	run(&wire, wire.now_ns + 20 * S);
	assert_int_not_equal(wire.end[0].session.state, SL_BFD_UP);
	assert_int_not_equal(wire.end[1].session.state, SL_BFD_UP);
	wire.cut[0] = false;
	run(&wire, wire.now_ns + 3 * S);
	assert_int_equal(wire.end[0].session.state, SL_BFD_UP);
	assert_int_equal(wire.end[1].session.state, SL_BFD_UP);
}

/* Any change of intervals, at any time, and the session stays up. */
static void test_changes_never_take_it_down(void **cmocka)
{
	static const uint32_t intervals[] = {10000, 60000, 300000, 1000000, 3000000};
	struct wire wire;
	uint32_t seed = 7;

	(void)cmocka;
	connect_ends(&wire, &fast, &slow);
	for (int i = 0; i < 2000; i++) {
		struct sl_bfd_config config = fast;
		unsigned int which;

		seed = seed * 1664525u + 1013904223u;
		which = seed >> 31;
		config.desired_min_tx_us = intervals[(seed >> 8) % 5];
		config.required_min_rx_us = intervals[(seed >> 16) % 5];
		config.detect_mult = (uint8_t)(2 + (seed >> 24) % 3);
		sl_bfd_configure(&wire.end[which].session, &config, wire.now_ns, &out);
		carry(&wire, which, out);
		run(&wire, wire.now_ns + (seed >> 4) % 700 * MS);
		assert_int_equal(wire.end[0].session.state, SL_BFD_UP);
		assert_int_equal(wire.end[1].session.state, SL_BFD_UP);
	}
	assert_int_equal(wire.end[0].session.counters.downs, 0);
	assert_int_equal(wire.end[1].session.counters.downs, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_come_up_and_stay),
		cmocka_unit_test(test_one_way_failure),
		cmocka_unit_test(test_changes_never_take_it_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
