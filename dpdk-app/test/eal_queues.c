/* SPDX-License-Identifier: Apache-2.0 */
/* Queues of CE interfaces, in the packet path: order, rounds and drops by a model (vectors/queues.py), shares, rates. */
#include "support/drops.h"
#include "support/queues.h"
#include "vectors/queues.h"

/* ---- Against the model ------------------------------------------------------------------------ */

static void set_link(const struct vec_link *link)
{
	struct sl_egress_row *row;

	(void)queues(NULL);
	row = egress_row(IF_CE);
	set_rate(IF_CE, link->rate, link->burst);
	memcpy(row->strict, link->strict, sizeof(row->strict));
	memcpy(row->quantum, link->quantum, sizeof(row->quantum));
	memcpy(row->limit, link->limit, sizeof(row->limit));
	row->change++;
}

static void run_link(const struct vec_link *link, uint64_t start)
{
	const struct vec_queued *frame = link->frames;
	const uint16_t *order = link->order;
	uint32_t number = 0, lost = 0;

	set_link(link);
	world.worker.now_tsc = start;
	for (unsigned int i = 0; i < link->count; i++) {
		const struct vec_round *round = &link->rounds[i];

		for (unsigned int j = 0; j < round->come; j++, frame++) {
			come(frame->slot, number++, frame->bytes);
			lost += frame->kept == 0;
		}
		if (world_drops(SL_DROP_queue_full) != lost)
			fail_msg("%s, round %u: not %u dropped, but %lu", link->name, i, lost,
			         world_drops(SL_DROP_queue_full));
		if (round_after(round->ns) != round->leave)
			fail_msg("%s, round %u: not %u frames", link->name, i, round->leave);
		for (unsigned int j = 0; j < round->leave; j++, order++) {
			size_t bytes;
			uint32_t got = left(&bytes);

			if (got != *order)
				fail_msg("%s, round %u: frame %u, not %u", link->name, i, got,
				         *order);
			assert_int_equal(bytes, link->frames[got].bytes);
		}
	}
	assert_int_equal(world_drops(SL_DROP_queue_full), world_all_drops());
	end(&world.worker);
	world_expect_quiet();
}

static void as_the_model(void **state)
{
	(void)state;
	for (size_t v = 0; v < sizeof(vec_links) / sizeof(vec_links[0]); v++) {
		run_link(&vec_links[v], SECOND);
		/* clock.h counts 2^52 ns, and comparisons turn round at half of that */
		run_link(&vec_links[v], (1ull << 52) - 200000);
		run_link(&vec_links[v], (1ull << 51) - 200000);
	}
}

/* ---- Shares and rates ------------------------------------------------------------------------- */

static uint32_t lcg(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Whatever the sizes, at any time: no queue is more than a turn and two frames away from its share. */
static void shares(void **state)
{
	static const uint32_t weight[] = {1, 3, 7};
	uint64_t bytes[3] = {0}, all = 0;
	static uint32_t size[1 << 16];
	uint32_t seed = 7, number = 0;

	(void)state;
	for (uint32_t slot = 0; slot < 3; slot++)
		egress_row(IF_CE)->quantum[slot] = 1514 * weight[slot];
	set_rate(IF_CE, 8000000, 1514);
	for (unsigned int i = 0; i < 20000; i++) {
		for (uint32_t slot = 0; slot < 3; slot++) {
			while (world.worker.egress[IF_CE].queue[slot].count < 40) {
				/* the heaviest one has the smallest packets */
				number = (number + 1) % (1 << 16);
				size[number] = slot == 2 ? 78 : 64 + lcg(&seed) % (1514 - 63);
				come(slot, slot << 24 | number, size[number]);
			}
		}
		for (uint32_t n = round_after(300000); n > 0; n--) {
			size_t got;
			uint32_t which = left(&got);

			assert_int_equal(got, size[which & 0xffffff]);
			bytes[which >> 24] += got;
			all += got;
			for (uint32_t slot = 0; slot < 3; slot++) {
				uint64_t ideal = all * weight[slot] / 11;
				uint64_t away = bytes[slot] > ideal ? bytes[slot] - ideal
				                                    : ideal - bytes[slot];

				assert_in_range(away, 0, 1514 * (weight[slot] + 2));
			}
		}
	}
	assert_true(all > 5000000);
	for (uint32_t slot = 0; slot < 3; slot++)
		assert_int_equal(counters(IF_CE, slot)->bytes, bytes[slot]);
}

/* With something to send all the time: as many frames as the time has room for, to the one. */
static void exact_rate(uint64_t rate, uint64_t ns_per_round, unsigned int rounds, size_t bytes)
{
	unsigned __int128 bit_ns = 0; /* room since the first frame, in bits times 10^9 */
	uint64_t sent = 0;

	(void)queues(NULL);
	set_rate(IF_CE, rate, 20 * (uint32_t)bytes);
	for (unsigned int i = 0; i < rounds; i++) {
		uint32_t n;

		while (world.worker.egress[IF_CE].queue[0].count < 90)
			come(0, i, bytes);
		n = round_after(i == 0 ? 0 : ns_per_round);
		sent += n;
		bit_ns = (unsigned __int128)i * ns_per_round * rate;
		/* and the burst at the beginning, and the one that begins now */
		assert_int_equal(sent, 20 + (uint64_t)(bit_ns / (bytes * 8 * SECOND)) + 1);
		for (; n > 0; n--)
			(void)left(NULL);
	}
	assert_int_equal(world_all_drops(), 0);
	assert_int_equal(counters(IF_CE, 0)->bytes, sent * bytes);
}

/* No round comes within a nanosecond of where a frame is through. */
static void rates(void **state)
{
	(void)state;
	exact_rate(64000, 99999937, 20000, 1514);    /* 2000 s */
	exact_rate(64000, 2000003, 100000, 78);      /* 200 s */
	exact_rate(40000000000, 1901, 20000, 1514);  /* 6 frames in a round, 38 ms */
	exact_rate(40000000000, 153, 100000, 78);    /* 10 in a round, 15 ms */
	exact_rate(10000000, 1000003, 100000, 1000); /* 100 s */
}

/* Strict priority takes all there is; the weighted ones get what it leaves. */
static void starvation(void **state)
{
	(void)state;
	egress_row(IF_CE)->strict[1] = VOICE;
	egress_row(IF_CE)->change++;
	set_rate(IF_CE, FRAME * 8 * 1000, 0); /* a frame in a millisecond */
	come_many(BULK, 1000, 3);
	for (uint32_t ms = 0; ms < 500; ms++) {
		come_many(VOICE, ms, 1);
		assert_int_equal(round_after(ms == 0 ? 0 : 1000000), 1);
		expect_left(ms, 1);
	}
	assert_int_equal(counters(IF_CE, BULK)->depth, 3);
	assert_int_equal(round_after(3000000), 1); /* late by more than the burst: lost time */
	come(SL_QUEUE_KERNEL, 7, FRAME);
	come(VOICE, 8, FRAME);
	assert_int_equal(round_after(1000000) + round_after(1000000) + round_after(1000000), 3);
	expect_left(1000, 1);
	expect_left(7, 2);
	expect_left(1001, 1);
	assert_int_equal(round_after(1000000), 1);
	expect_left(1002, 1);
	world_expect_quiet();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		QUEUES(as_the_model),
		QUEUES(shares),
		QUEUES(rates),
		QUEUES(starvation),
	};

	return cmocka_run_group_tests_name("eal_queues", tests, NULL, NULL);
}
