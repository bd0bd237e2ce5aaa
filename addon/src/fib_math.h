// SPDX-License-Identifier: Apache-2.0
// Arithmetic of one trie node: which prefixes end in it, and what that makes of its 64 slots.
//
// A prefix of length L >= 1 belongs to level (L - 1) / 6 and ends there after r = 1..6 of the six
// bits: it covers 2^(6 - r) slots. A node's own prefixes ("internal") are a bitmap:
//
//   deep     bit s                          the prefix with r = 6 at slot s
//   shallow  bit (2^r - 2) + (s >> (6 - r)) the prefix with r = 1..5 that begins at slot s
//
// The source of a slot is the longest internal prefix that covers it, or what the node inherits from
// above. Runs of leaves begin where the source changes: they depend on the prefixes and the children,
// never on the values, so a changed value is one store.
#ifndef SEALANE_ADDON_FIB_MATH_H
#define SEALANE_ADDON_FIB_MATH_H

#include <bit>
#include <cstdint>

#include "sealane/fib.h"

namespace sealane
{

struct Internal {
	uint64_t deep = 0;
	uint64_t shallow = 0;

	bool empty() const { return (deep | shallow) == 0; }
};

/// Where a prefix ends: `level`, bits `r` (1..6) of it, and the first slot it covers.
struct FibPlace {
	unsigned level;
	unsigned r;
	unsigned slot;
};

inline unsigned fib_level(unsigned length) { return (length - 1) / SL_FIB_STRIDE; }

/// The slots first .. first + 2^(6 - r) - 1.
inline uint64_t fib_range(unsigned r, unsigned first)
{
	const unsigned span = SL_FIB_SLOTS >> r;
	return (span == SL_FIB_SLOTS ? ~0ull : (1ull << span) - 1) << first;
}

inline unsigned shallow_bit(unsigned r, unsigned slot)
{
	return (1u << r) - 2 + (slot >> (SL_FIB_STRIDE - r));
}

inline bool internal_has(const Internal &i, unsigned r, unsigned slot)
{
	return ((r == 6 ? i.deep >> slot : i.shallow >> shallow_bit(r, slot)) & 1) != 0;
}

inline void internal_set(Internal &i, unsigned r, unsigned slot, bool present)
{
	uint64_t &word = r == 6 ? i.deep : i.shallow;
	const uint64_t bit = 1ull << (r == 6 ? slot : shallow_bit(r, slot));
	word = present ? word | bit : word & ~bit;
}

/// r of the longest internal prefix of at most `up_to` bits that covers the slot; 0: inherited.
inline unsigned internal_source(const Internal &i, unsigned slot, unsigned up_to = 6)
{
	for (unsigned r = up_to; r >= 1; r--) {
		if (internal_has(i, r, slot))
			return r;
	}
	return 0;
}

/// Calls f(r, first slot) for every internal prefix of r = 1..5.
template <class F> inline void for_each_shallow(const Internal &i, F f)
{
	if (i.shallow == 0)
		return; // nearly always
	for (unsigned r = 1; r < SL_FIB_STRIDE; r++) {
		const unsigned count = 1u << r; // prefixes of r bits
		uint64_t rest = i.shallow >> (count - 2) & ((1ull << count) - 1);
		for (; rest != 0; rest &= rest - 1)
			f(r, static_cast<unsigned>(std::countr_zero(rest)) << (SL_FIB_STRIDE - r));
	}
}

/// Slots whose source is the internal prefix (r, first), which need not be in the bitmap.
inline uint64_t slots_of(const Internal &i, unsigned r, unsigned first)
{
	uint64_t slots = fib_range(r, first);
	if (r == 6)
		return slots;
	uint64_t longer = i.deep;
	for_each_shallow(i, [&](unsigned other, unsigned at) {
		if (other > r)
			longer |= fib_range(other, at);
	});
	return slots & ~longer;
}

/// Slots that no internal prefix covers.
inline uint64_t inherited_slots(const Internal &i)
{
	uint64_t covered = i.deep;
	for_each_shallow(i, [&](unsigned r, unsigned at) { covered |= fib_range(r, at); });
	return ~covered;
}

/// The leafvec word of a node with these prefixes and children (see fib.h).
inline uint64_t leafvec_of(const Internal &i, uint64_t vector)
{
	uint64_t edges = 1 | i.deep | i.deep << 1;
	for_each_shallow(i, [&](unsigned r, unsigned at) {
		const unsigned end = at + (1u << (SL_FIB_STRIDE - r));
		edges |= 1ull << at | (end < SL_FIB_SLOTS ? 1ull << end : 0);
	});
	// An edge on a slot with a child counts for the next slot without one.
	const uint64_t leaves = ~vector;
	uint64_t starts = edges & leaves;
	for (uint64_t rest = edges & vector; rest != 0; rest &= rest - 1) {
		const uint64_t after = leaves & ~((rest & -rest) - 1);
		starts |= after & -after;
	}
	return starts;
}

/// Position of a slot's child or run in its array: ones of `word` up to the slot, less one.
inline unsigned fib_rank(uint64_t word, unsigned slot)
{
	return static_cast<unsigned>(std::popcount(word & ((2ull << slot) - 1))) - 1;
}

} // namespace sealane

#endif
