// SPDX-License-Identifier: Apache-2.0
#include "prefix_index.h"

#include <cstring>
#include <utility>

namespace sealane
{

namespace
{

/// Murmur3's finaliser: every input bit reaches every output bit.
uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccdull;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53ull;
	return x ^ x >> 33;
}

uint32_t hash_of(const Prefix &p)
{
	const uint64_t rest = static_cast<uint64_t>(p.vrf) << 16 | p.length << 8 | p.family;
	return static_cast<uint32_t>(mix(p.key.high + mix(p.key.low + mix(rest))));
}

bool same(const Prefix &p, const sl_prefix_row &row)
{
	if (row.vrf != p.vrf || row.length != p.length || row.family != p.family)
		return false;
	const sl_fib_key key = key_from_bytes(p.family, row.address);
	return key.high == p.key.high && key.low == p.key.low;
}

} // namespace

sl_fib_key truncated(const sl_fib_key &key, unsigned length)
{
	const uint64_t high = length >= 64 ? ~0ull : length == 0 ? 0 : ~0ull << (64 - length);
	const uint64_t low = length <= 64 ? 0 : length >= 128 ? ~0ull : ~0ull << (128 - length);
	return {key.high & high, key.low & low};
}

sl_fib_key key_from_bytes(unsigned family, const uint8_t *address)
{
	sl_fib_key key{0, 0};
	if (family == 6) {
		std::memcpy(&key.high, address, 8);
		std::memcpy(&key.low, address + 8, 8);
		return {__builtin_bswap64(key.high), __builtin_bswap64(key.low)};
	}
	uint32_t word = 0;
	std::memcpy(&word, address, 4);
	return sl_fib4_key(__builtin_bswap32(word));
}

void key_to_bytes(unsigned family, const sl_fib_key &key, uint8_t address[16])
{
	const uint64_t high = __builtin_bswap64(key.high);
	const uint64_t low = __builtin_bswap64(key.low);
	std::memset(address, 0, 16);
	std::memcpy(address, &high, family == 4 ? 4 : 8);
	if (family == 6)
		std::memcpy(address + 8, &low, 8);
}

Prefix prefix_of_row(const sl_prefix_row &row)
{
	return {row.vrf, row.family, row.length, key_from_bytes(row.family, row.address)};
}

PrefixIndex::PrefixIndex(const sl_prefix_row *rows) : rows_(rows), slots_(64) {}

/// Position of the prefix, or of the empty slot where it would go.
size_t PrefixIndex::locate(const Prefix &prefix) const
{
	const uint32_t hash = hash_of(prefix);
	const size_t mask = slots_.size() - 1;
	size_t at = hash & mask;
	while (slots_[at].row != 0 &&
	       (slots_[at].hash != hash || !same(prefix, rows_[slots_[at].row])))
		at = (at + 1) & mask;
	return at;
}

uint32_t PrefixIndex::find(const Prefix &prefix) const { return slots_[locate(prefix)].row; }

uint64_t PrefixIndex::leaf(const Prefix &prefix) const
{
	const uint32_t row = find(prefix);
	return row == 0 ? SL_LEAF_NONE : rows_[row].leaf;
}

void PrefixIndex::prefetch(const Prefix &prefix) const
{
	__builtin_prefetch(&slots_[hash_of(prefix) & (slots_.size() - 1)]);
}

void PrefixIndex::insert(const Prefix &prefix, uint32_t row)
{
	if (size_ * 5 >= slots_.size() * 3)
		grow();
	slots_[locate(prefix)] = {row, hash_of(prefix)};
	size_++;
}

void PrefixIndex::move(const Prefix &prefix, uint32_t row) { slots_[locate(prefix)].row = row; }

void PrefixIndex::erase(const Prefix &prefix)
{
	const size_t mask = slots_.size() - 1;
	size_t hole = locate(prefix);
	// Close the hole: an entry whose way from its home leads over the hole moves into it.
	for (size_t at = (hole + 1) & mask; slots_[at].row != 0; at = (at + 1) & mask) {
		const size_t home = slots_[at].hash & mask;
		if (((at - home) & mask) >= ((at - hole) & mask)) {
			slots_[hole] = slots_[at];
			hole = at;
		}
	}
	slots_[hole] = {0, 0};
	size_--;
}

/// Doubles the table. Hashes are kept, so no row is read.
void PrefixIndex::grow()
{
	std::vector<Slot> old(slots_.size() * 2);
	std::swap(old, slots_);
	const size_t mask = slots_.size() - 1;
	for (const Slot &slot : old) {
		if (slot.row == 0)
			continue;
		size_t at = slot.hash & mask;
		while (slots_[at].row != 0)
			at = (at + 1) & mask;
		slots_[at] = slot;
	}
}

} // namespace sealane
