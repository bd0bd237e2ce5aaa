/* SPDX-License-Identifier: Apache-2.0 */
/* Sequence numbers: none twice, none beyond the limit; the replay window against a plain set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "esp/replay.h"
#include "esp/sequence.h"
#include "esp/suite.h"

static void ranges_follow_each_other(void **state)
{
	struct sl_sa_out_state sa = {0};
	uint64_t first, next = 1;

	(void)state;
	for (uint32_t want = 0; want < 40; want++) {
		assert_int_equal(sl_esp_reserve(&sa, SL_ESP_LAST_SEQUENCE, want, &first), want);
		assert_int_equal(first, next);
		next += want;
		assert_int_equal(sa.last_sequence, next - 1);
	}
}

/* A worker that died between reserving and sending leaves a gap, never a repetition. */
static void a_successor_goes_on_behind_the_range(void **state)
{
	struct sl_sa_out_state sa = {0};
	uint64_t first;

	(void)state;
	sl_esp_reserve(&sa, SL_ESP_LAST_SEQUENCE, 32, &first);
	sl_esp_reserve(&sa, SL_ESP_LAST_SEQUENCE, 1, &first);
	assert_int_equal(first, 33);
}

static void stops_at_the_limit(void **state)
{
	static const uint64_t limits[][3] = {
		/* packet_limit, ESN, last number that may be sent */
		{0, 0, 0xffffffff},
		{1, 0, 1},
		{100, 0, 100},
		{0xffffffff, 0, 0xffffffff},
		{0x100000000ull, 0, 0xffffffff},
		{~0ull, 0, 0xffffffff},
		{0, 1, ~0ull},
		{100, 1, 100},
		{0x100000000ull, 1, 0x100000000ull},
		{~0ull, 1, ~0ull},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		const struct sl_sa_row row = {.packet_limit = limits[i][0],
		                              .esn = (uint8_t)limits[i][1]};
		uint64_t end = limits[i][2], first;

		for (uint64_t left = 0; left <= 40 && left <= end; left++) {
			struct sl_sa_out_state sa = {.last_sequence = end - left};
			uint64_t granted = left < 32 ? left : 32;

			assert_int_equal(
				sl_esp_reserve(&sa, sl_esp_last_sequence(&row), 32, &first),
				granted);
			assert_int_equal(sa.last_sequence, end - left + granted);
		}
	}
}

/* Also when `state` says more than the limit, as after a limit was lowered. */
static void beyond_the_limit_nothing_is_granted(void **state)
{
	struct sl_sa_out_state sa = {.last_sequence = 500};
	uint64_t first;

	(void)state;
	assert_int_equal(sl_esp_reserve(&sa, 100, 5, &first), 0);
	assert_int_equal(sa.last_sequence, 500);
	sa.last_sequence = ~0ull;
	assert_int_equal(sl_esp_reserve(&sa, SL_ESP_LAST_SEQUENCE, 5, &first), 0);
	assert_int_equal(sa.last_sequence, ~0ull);
}

/* A burst is cut where its longest packets could exceed the limit. */
static void bytes_are_limited(void **state)
{
	static const uint64_t cases[][4] = {
		/* limit, sent, packets of at most 1500 bytes asked for, granted */
		{0, ~0ull, 32, 32},    {100000, 0, 32, 32},    {48000, 0, 32, 32},
		{47999, 0, 32, 31},    {100000, 97000, 32, 2}, {100000, 98501, 1, 0},
		{100000, 98500, 1, 1}, {100000, 100000, 1, 0}, {100000, 100001, 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct sl_sa_row row = {.byte_limit = cases[i][0]};
		const struct sl_sa_out_state sa = {.bytes = cases[i][1]};

		assert_int_equal(sl_esp_byte_room(&sa, &row, (uint32_t)cases[i][2], 1500),
		                 cases[i][3]);
	}
}

/*
 * RFC 4303 A2: of the numbers that end in these 32 bits, the least that is not left of the window. So of
 * every 2^32 consecutive numbers from the left edge on exactly one is meant.
 */
static void high_halves_are_guessed(void **state)
{
	static const uint64_t tops[] = {
		0,
		1,
		62,
		63,
		64,
		1000,
		0x7fffffff,
		0xffffff00,
		0xffffffff,
		0x100000000,
		0x10000003e,
		0x10000003f,
		0x100000fff,
		0x100001000,
		0x1ffffffff,
		0x700000005,
		0x123456789a,
		0xfffffffe00000001,
	};
	static const uint32_t windows[] = {64, 1024, 4096};
	uint32_t random = 1;

	(void)state;
	for (size_t t = 0; t < sizeof(tops) / sizeof(tops[0]); t++)
		for (size_t w = 0; w < 3; w++)
			for (unsigned int i = 0; i < 4000; i++) {
				__int128 left = (__int128)tops[t] - windows[w] + 1;
				__int128 want = left;
				uint64_t got = 0;
				uint32_t low;

				random = random * 1664525u + 1013904223u;
				/* near the edges half of the time */
				low = i % 2 ? random : (uint32_t)tops[t] + (random >> 18) - 8192;
				want += (uint32_t)(low - (uint32_t)left);
				assert_int_equal(sl_esn_guess(tops[t], windows[w], low, &got),
				                 want >= 0);
				if (want >= 0)
					assert_true(got == (uint64_t)want);
			}
}

/* ---- Replay window: the model remembers every number accepted. ---- */

enum { MODEL_SPAN = 1 << 20 };

struct model {
	bool *seen; /* by number - base */
	uint64_t base, highest;
};

static bool model_accepts(struct model *m, uint32_t window, uint32_t sequence)
{
	if (sequence == 0 || m->seen[sequence - m->base])
		return false;
	if (sequence + (uint64_t)window <= m->highest)
		return false;
	return true;
}

static void model_note(struct model *m, uint32_t sequence)
{
	m->seen[sequence - m->base] = true;
	if (sequence > m->highest)
		m->highest = sequence;
}

static uint64_t random_state;
static uint32_t random32(void) /* xorshift: the same numbers in every run */
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32);
}

/* Mostly near the highest number, sometimes at the window's edge, sometimes far ahead. */
static uint32_t next_sequence(const struct model *m, uint32_t window)
{
	uint64_t span = m->base + MODEL_SPAN - 1, at;

	switch (random32() % 8) {
	case 0:
		at = m->highest + random32() % (2 * window + 200);
		break;
	case 1:
		at = m->highest > window + 2 ? m->highest - window - 2 + random32() % 4 : 1;
		break;
	case 2:
		at = m->highest > 9000 ? m->highest - random32() % 9000 : random32() % 9000;
		break;
	case 3:
		at = m->highest + 1;
		break;
	default:
		at = m->highest > 80 ? m->highest - random32() % 80 : random32() % 80;
		break;
	}
	if (at < m->base)
		at = m->base;
	return (uint32_t)(at > span ? span : at);
}

static void run_model(uint32_t window, uint64_t base)
{
	struct sl_sa_in_state sa = {.highest_sequence = base == 0 ? 0 : base};
	struct model m = {.seen = calloc(MODEL_SPAN, sizeof(bool)), .base = base, .highest = base};
	unsigned int accepted = 0;

	assert_non_null(m.seen);
	if (base != 0) { /* everything up to the start counts as seen */
		m.seen[0] = true;
		memset(sa.window, 0xff, sizeof(sa.window));
		for (uint64_t i = base - base % 64; i < base + 64; i++)
			if (i > base)
				sa.window[i / 64 % SL_REPLAY_WORDS] &= ~(1ull << i % 64);
	}
	for (unsigned int i = 0; i < 200000; i++) {
		uint32_t sequence = next_sequence(&m, window);
		bool want = model_accepts(&m, window, sequence), got;

		if (sl_replay_check(&sa, window, sequence) != want)
			fail_msg("check of %u, window %u, highest %lu", sequence, window,
			         m.highest);
		if (random32() % 10 == 0) /* forged: checked, never noted */
			continue;
		got = sl_replay_update(&sa, window, sequence);
		if (got != want)
			fail_msg("update of %u, window %u, highest %lu", sequence, window,
			         m.highest);
		if (got) {
			model_note(&m, sequence);
			accepted++;
		}
		assert_int_equal(sa.highest_sequence, m.highest);
	}
	assert_true(accepted > 1000);
	free(m.seen);
}

static void window_equals_the_model(void **state)
{
	static const uint32_t windows[] = {64, 128, 1024, 2048, 4096};

	(void)state;
	random_state = 0x5ea1a9e5ea1a9eull;
	for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		run_model(windows[i], 0);
		run_model(windows[i], 0xffffffffull - MODEL_SPAN + 1); /* up to the last number */
	}
}

static void equal_numbers_in_one_burst(void **state)
{
	struct sl_sa_in_state sa = {0};

	(void)state;
	assert_true(sl_replay_check(&sa, 64, 5));
	assert_true(sl_replay_check(&sa, 64, 5)); /* neither is noted yet */
	assert_true(sl_replay_update(&sa, 64, 5));
	assert_false(sl_replay_update(&sa, 64, 5));
}

/* Between check and update another packet moved the window past this one. */
static void overtaken_in_one_burst(void **state)
{
	struct sl_sa_in_state sa = {0};

	(void)state;
	assert_true(sl_replay_check(&sa, 64, 5));
	assert_true(sl_replay_update(&sa, 64, 1000));
	assert_false(sl_replay_update(&sa, 64, 5));
}

static void number_zero_is_never_accepted(void **state)
{
	struct sl_sa_in_state sa = {0};

	(void)state;
	assert_false(sl_replay_check(&sa, 64, 0));
	assert_false(sl_replay_update(&sa, 64, 0));
	assert_false(sl_replay_check(&sa, 0, 0));
}

static void window_of_zero_is_no_protection(void **state)
{
	struct sl_sa_in_state sa = {0};

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_true(sl_replay_update(&sa, 0, 70000));
		assert_true(sl_replay_update(&sa, 0, 3));
	}
	assert_int_equal(sa.highest_sequence, 70000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_follow_each_other),
		cmocka_unit_test(a_successor_goes_on_behind_the_range),
		cmocka_unit_test(stops_at_the_limit),
		cmocka_unit_test(beyond_the_limit_nothing_is_granted),
		cmocka_unit_test(bytes_are_limited),
		cmocka_unit_test(high_halves_are_guessed),
		cmocka_unit_test(window_equals_the_model),
		cmocka_unit_test(equal_numbers_in_one_burst),
		cmocka_unit_test(overtaken_in_one_burst),
		cmocka_unit_test(number_zero_is_never_accepted),
		cmocka_unit_test(window_of_zero_is_no_protection),
	};

	return cmocka_run_group_tests_name("sequence", tests, NULL, NULL);
}
