/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anti-replay window (RFC 4303 3.4.3) as a ring of words (RFC 6479): sliding clears whole words and
 * never shifts. Two functions, because the check comes before the integrity check (cheap rejection)
 * and the update only after it (a forged number must not move the window).
 *
 *   ring of 128 words, bit (sequence mod 8192); the window ends at the highest number seen:
 *
 *        left of the window        | window of W <= 4096 numbers |  right of it
 *     ------- rejected ------------+-- rejected when bit is set --+-- accepted, slides ---> sequence
 *                                                          highest^
 *
 * W + 64 <= 8192, so a word that is cleared when the window slides into it holds only numbers left of
 * the window.
 */
#ifndef SEALANE_ESP_REPLAY_H
#define SEALANE_ESP_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "sealane/state.h"

/*
 * May a packet with this sequence number be new? `window` is the row's replay_window in packets,
 * 0 = no replay protection. `sequence` is the whole number, its high half guessed with ESN. Number 0 is
 * never sent (RFC 4303 2.2).
 */
static inline bool sl_replay_check(const struct sl_sa_in_state *state, uint32_t window,
                                   uint64_t sequence)
{
	uint64_t highest = state->highest_sequence;

	if (sequence == 0)
		return false;
	if (window == 0 || sequence > highest)
		return true;
	if (highest - sequence >= window)
		return false;
	return (state->window[sequence / 64 % SL_REPLAY_WORDS] >> sequence % 64 & 1u) == 0;
}

/*
 * Note an authenticated packet. Returns false when it must be dropped after all: an equal one was
 * noted, or the window slid past it, since the check (both may lie in one burst).
 */
static inline bool sl_replay_update(struct sl_sa_in_state *state, uint32_t window,
                                    uint64_t sequence)
{
	uint64_t highest = state->highest_sequence;
	uint64_t words = sequence / 64 - highest / 64; /* to slide: mostly 0 */

	if (sequence <= highest) {
		if (!sl_replay_check(state, window, sequence))
			return false;
		words = 0;
	} else {
		state->highest_sequence = sequence;
	}
	if (__builtin_expect(words != 0, 0)) {
		if (words > SL_REPLAY_WORDS)
			words = SL_REPLAY_WORDS;
		for (uint64_t i = 0; i < words; i++)
			state->window[(sequence / 64 - i) % SL_REPLAY_WORDS] = 0;
	}
	state->window[sequence / 64 % SL_REPLAY_WORDS] |= 1ull << sequence % 64;
	return true;
}

#endif
