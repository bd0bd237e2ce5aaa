/* SPDX-License-Identifier: Apache-2.0 */
/* Metering alone: colours by a model of the RFCs, clocks that wrap and disagree, and threads at one policer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "tables/clock.h"
#include "tables/policer.h"
#include "vectors/policer.h"

enum { MTU = 1500 };
static const uint64_t SECOND = 1000000000ull << 12;

static struct sl_policer_row policer_of(uint32_t meter, uint64_t cir, uint32_t cbs, uint64_t other,
                                        uint32_t burst)
{
	struct sl_policer_row row = {.meter = meter};

	row.cost[0] = sl_policer_cost(cir);
	row.cost[1] = sl_policer_cost(other);
	row.depth[0] = sl_policer_time(row.cost[0], cbs);
	row.depth[1] = sl_policer_time(row.cost[1], burst);
	return row;
}

/* From a clock that is about to wrap, as well as from one that is not. */
static void colours_of_the_rfcs(void **state)
{
	static const uint64_t starts[] = {1, 1ull << 63, UINT64_MAX - 5000};

	(void)state;
	for (size_t v = 0; v < sizeof(vec_meters) / sizeof(vec_meters[0]); v++) {
		const struct vec_meter *vec = &vec_meters[v];
		struct sl_policer_row row = policer_of(vec->meter, vec->rate[0], vec->burst[0],
		                                       vec->rate[1], vec->burst[1]);

		for (unsigned int s = 0; s < 3; s++) {
			union sl_buckets buckets = {.both = 0};
			uint64_t now = starts[s];

			for (unsigned int i = 0; i < 300; i++) {
				const struct vec_metered *p = &vec->packet[i];
				enum sl_colour colour;

				now += p->ns << 12;
				colour = sl_police(&row, &buckets, now, p->bytes,
				                   (enum sl_colour)p->before);
				if (colour != p->colour)
					fail_msg("%s, packet %u: colour %d, not %d", vec->name, i,
					         (int)colour, p->colour);
			}
		}
	}
}

/* Packets of one size at 4 times the rate for `seconds`: bytes of a colour or better. */
static uint64_t overload(const struct sl_policer_row *row, uint64_t rate, uint32_t size,
                         unsigned int packets, enum sl_colour worst)
{
	union sl_buckets buckets = {.both = 0};
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < packets; i++) {
		/* exact: the product first, then the division */
		uint64_t now = 1 + (uint64_t)((unsigned __int128)i * size * 8 * SECOND / 4 / rate);

		if (sl_police(row, &buckets, now, size, SL_GREEN) <= worst)
			bytes += size;
	}
	return bytes;
}

/* A million packets, 8 kb/s to 400 Gb/s: what passes is rate times time plus the burst, within what policer.h says. */
static void rates_are_kept(void **state)
{
	static const struct {
		uint64_t rate;
		uint32_t size;
		double error;
	} cases[] = {{8000, 1500, 1e-7},         {10000, 64, 1e-7},
	             {100000000, 64, 1e-7},      {1000000000, 1500, 1e-7},
	             {10000000000, 64, 3e-6},    {100000000000, 64, 3e-5},
	             {100000000000, 1500, 2e-6}, {400000000000, 1500, 5e-6}};
	const unsigned int packets = 1000000;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sl_policer_row row =
			policer_of(SL_METER_SRTCM, cases[i].rate, 30000, cases[i].rate, 0);
		double want = (double)(packets - 1) * cases[i].size / 4 + 30000;
		double got =
			(double)overload(&row, cases[i].rate, cases[i].size, packets, SL_GREEN);

		if (got > want * (1 + cases[i].error) ||
		    got < want * (1 - cases[i].error) - cases[i].size)
			fail_msg("%lu bit/s, %u bytes: %.0f bytes passed, not %.0f",
			         (unsigned long)cases[i].rate, cases[i].size, got, want);
	}
}

/* Another thread's clock is ahead of ours: nothing is given back, nothing is refused for long. */
static void clocks_that_disagree(void **state)
{
	static const uint32_t meters[] = {SL_METER_SRTCM, SL_METER_TRTCM};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct sl_policer_row row = policer_of(meters[i], 12000, MTU, 12000, MTU);
		union sl_buckets buckets = {.both = 0};
		enum sl_colour rest = meters[i] == SL_METER_SRTCM ? SL_YELLOW : SL_RED;

		assert_int_equal(sl_police(&row, &buckets, 2 * SECOND, MTU, SL_GREEN), SL_GREEN);
		assert_int_equal(sl_police(&row, &buckets, 2 * SECOND - 100000, MTU, SL_GREEN),
		                 rest);
		assert_int_equal(sl_police(&row, &buckets, 2 * SECOND - 100000, MTU, SL_GREEN),
		                 SL_RED);
		/* a byte takes 2/3 ms */
		assert_int_equal(sl_police(&row, &buckets, 3 * SECOND - 1, MTU, SL_GREEN), SL_RED);
		assert_int_equal(sl_police(&row, &buckets, 3 * SECOND, MTU, SL_GREEN), SL_GREEN);
	}
}

/* Another rate or meter finds the buckets as they are, never fuller than they can be. */
static void changed_parameters(void **state)
{
	struct sl_policer_row one = policer_of(SL_METER_SRTCM, 8000000, 3000, 8000000, 3000);
	struct sl_policer_row two = policer_of(SL_METER_TRTCM, 16000000, 1500, 16000000, 1500);
	union sl_buckets buckets = {.both = 0};
	uint64_t now = SECOND;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) /* all that is in them */
		assert_int_not_equal(sl_police(&one, &buckets, SECOND, MTU, SL_GREEN), SL_RED);
	assert_int_equal(sl_police(&one, &buckets, SECOND, MTU, SL_GREEN), SL_RED);
	/* 375 us fill half of the first bucket at the new rate; the second was none of trTCM's: it is full */
	now += SECOND * 375 / 1000000;
	assert_int_equal(sl_police(&two, &buckets, now, 750, SL_GREEN), SL_GREEN);
	assert_int_equal(sl_police(&two, &buckets, now, 750, SL_GREEN), SL_YELLOW);
	assert_int_equal(sl_police(&two, &buckets, now, 750, SL_GREEN), SL_RED);
	/* and back: no more than both bursts */
	for (unsigned int i = 0; i < 4; i++)
		(void)sl_police(&one, &buckets, 2 * SECOND, MTU, SL_GREEN);
	assert_int_equal(sl_police(&one, &buckets, 2 * SECOND, MTU, SL_GREEN), SL_RED);
}

/* AFxy of RFC 2597 section 6; every other DSCP is green. */
static void colours_of_dscps(void **state)
{
	static const uint8_t yellow[] = {12, 20, 28, 36}, red[] = {14, 22, 30, 38};

	(void)state;
	for (unsigned int dscp = 0; dscp < 64; dscp++) {
		enum sl_colour want = SL_GREEN;

		for (unsigned int i = 0; i < 4; i++)
			want = dscp == yellow[i] ? SL_YELLOW : dscp == red[i] ? SL_RED : want;
		assert_int_equal(sl_dscp_colour(dscp), want);
	}
}

enum { THREADS = 4, EACH = 300000 };
struct share {
	const struct sl_policer_row *row;
	union sl_buckets *buckets;
	uint64_t *clock;
	uint64_t bytes[SL_COLOURS];
};

/* Every thread has its own idea of what time it is: that of its last look. */
static void *one_thread(void *context)
{
	struct share *share = context;

	for (unsigned int i = 0; i < EACH; i++) {
		uint64_t now =
			__atomic_add_fetch(share->clock, 40960, __ATOMIC_RELAXED); /* 10 ns */
		uint32_t bytes = 64 + i % 7 * 100;

		share->bytes[sl_police(share->row, share->buckets, now, bytes, SL_GREEN)] += bytes;
	}
	return NULL;
}

/* Four threads, 1.2 million packets: neither more nor less than one thread would let through. */
static void several_threads(void **state)
{
	static const uint32_t meters[] = {SL_METER_SRTCM, SL_METER_TRTCM};
	const uint64_t cir = 8000000000, pir = 16000000000; /* 10 and 20 bytes in 10 ns */

	(void)state;
	for (unsigned int m = 0; m < 2; m++) {
		struct sl_policer_row row =
			policer_of(meters[m], cir, 20000, m == 0 ? cir : pir, 40000);
		union sl_buckets buckets = {.both = 0};
		uint64_t clock = SECOND, sum[SL_COLOURS] = {0};
		struct share share[THREADS];
		pthread_t thread[THREADS];
		uint64_t ns = (uint64_t)THREADS * EACH * 10, green, yellow;

		for (unsigned int i = 0; i < THREADS; i++) {
			share[i] = (struct share){&row, &buckets, &clock, {0}};
			assert_int_equal(pthread_create(&thread[i], NULL, one_thread, &share[i]),
			                 0);
		}
		for (unsigned int i = 0; i < THREADS; i++) {
			assert_int_equal(pthread_join(thread[i], NULL), 0);
			for (unsigned int c = 0; c < SL_COLOURS; c++)
				sum[c] += share[i].bytes[c];
		}
		green = ns + 20000;                           /* CIR is a byte a nanosecond */
		yellow = m == 0 ? 40000 : ns + 40000 - 20000; /* EBS; PIR less CIR, both bursts */
		assert_in_range(sum[SL_GREEN], green - 2000, green);
		assert_in_range(sum[SL_YELLOW], yellow - 2000, yellow + 2000);
		assert_int_not_equal(sum[SL_RED], 0);
	}
}

enum { SIZE = 64, TAKEN = 1500000 };

static void *one_taker(void *context)
{
	struct share *share = context;

	for (unsigned int i = 0; i < TAKEN; i++)
		share->bytes[sl_police(share->row, share->buckets, SECOND, SIZE, SL_GREEN)] += SIZE;
	return NULL;
}

/* Four threads take six million packets' worth at one instant: exactly what was in the buckets, not a packet more. */
static void nothing_is_taken_twice(void **state)
{
	/* whole numbers of packets, whose time is a whole number of units */
	struct sl_policer_row row =
		policer_of(SL_METER_SRTCM, 8000000000, 3000000 * SIZE, 8000000000, 2000000 * SIZE);
	union sl_buckets buckets = {.both = 0};
	struct share share[THREADS];
	pthread_t thread[THREADS];
	uint64_t sum[SL_COLOURS] = {0};

	(void)state;
	for (unsigned int i = 0; i < THREADS; i++) {
		share[i] = (struct share){&row, &buckets, NULL, {0}};
		assert_int_equal(pthread_create(&thread[i], NULL, one_taker, &share[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		for (unsigned int c = 0; c < SL_COLOURS; c++)
			sum[c] += share[i].bytes[c];
	}
	assert_int_equal(sum[SL_GREEN], 3000000ull * SIZE);
	assert_int_equal(sum[SL_YELLOW], 2000000ull * SIZE);
	assert_int_equal(sum[SL_RED], 1000000ull * SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(colours_of_the_rfcs),    cmocka_unit_test(rates_are_kept),
		cmocka_unit_test(clocks_that_disagree),   cmocka_unit_test(changed_parameters),
		cmocka_unit_test(colours_of_dscps),       cmocka_unit_test(several_threads),
		cmocka_unit_test(nothing_is_taken_twice),
	};

	return cmocka_run_group_tests_name("policer", tests, NULL, NULL);
}
