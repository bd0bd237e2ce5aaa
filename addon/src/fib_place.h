// SPDX-License-Identifier: Apache-2.0
// Where a prefix lies in a trie, for those who change tries.
#ifndef SEALANE_ADDON_FIB_PLACE_H
#define SEALANE_ADDON_FIB_PLACE_H

#include <bit>
#include <cstdint>

#include "fib_math.h"
#include "prefix_index.h"

namespace sealane
{

/// The 64 address bits from a level on.
inline uint64_t bits_from(const sl_fib_key &key, unsigned level)
{
	const unsigned bit = level * SL_FIB_STRIDE;
	unsigned __int128 bits = static_cast<unsigned __int128>(key.high) << 64 | key.low;
	bits <<= bit;
	return static_cast<uint64_t>(bits >> 64);
}

/// The six address bits of a level.
inline unsigned slot_at(const sl_fib_key &key, unsigned level)
{
	return static_cast<unsigned>(bits_from(key, level) >> (64 - SL_FIB_STRIDE));
}

inline FibPlace place_of(const Prefix &prefix)
{
	const unsigned level = fib_level(prefix.length);
	return {level, prefix.length - level * SL_FIB_STRIDE, slot_at(prefix.key, level)};
}

/// The prefix of r bits of a level that covers `key`.
inline Prefix covering(const Prefix &prefix, unsigned level, unsigned r)
{
	const unsigned length = level * SL_FIB_STRIDE + r;
	return {prefix.vrf, prefix.family, static_cast<uint8_t>(length),
	        truncated(prefix.key, length)};
}

inline void publish(uint64_t &word, uint64_t value)
{
	__atomic_store_n(&word, value, __ATOMIC_RELEASE);
}

inline unsigned ones(uint64_t word) { return static_cast<unsigned>(std::popcount(word)); }

inline unsigned first_one(uint64_t word) { return static_cast<unsigned>(std::countr_zero(word)); }

} // namespace sealane

#endif
