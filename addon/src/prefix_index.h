// SPDX-License-Identifier: Apache-2.0
// Exact match on prefixes: {VRF, family, address, length} -> prefix row. In this process only; built
// again from the rows at attach.
#ifndef SEALANE_ADDON_PREFIX_INDEX_H
#define SEALANE_ADDON_PREFIX_INDEX_H

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sealane/fib.h"

namespace sealane
{

/// A prefix; `key` as the trie consumes it, an IPv4 address in the upper half of `high`.
struct Prefix {
	uint32_t vrf;
	uint8_t family; // 4 or 6
	uint8_t length;
	sl_fib_key key; // bits behind `length` are zero
};

inline unsigned address_bits(unsigned family) { return family == 4 ? 32 : 128; }

/// `key` with all bits behind `length` cleared.
sl_fib_key truncated(const sl_fib_key &key, unsigned length);
/// The address of `family` in network order (4 or 16 bytes).
sl_fib_key key_from_bytes(unsigned family, const uint8_t *address);
void key_to_bytes(unsigned family, const sl_fib_key &key, uint8_t address[16]);
Prefix prefix_of_row(const sl_prefix_row &row);

class PrefixIndex
{
public:
	explicit PrefixIndex(const sl_prefix_row *rows);

	/// Row id, 0 when there is none.
	uint32_t find(const Prefix &prefix) const;
	/// Leaf of a prefix that is there; SL_LEAF_NONE otherwise.
	uint64_t leaf(const Prefix &prefix) const;
	/// The prefix is not in the index; its row is written.
	void insert(const Prefix &prefix, uint32_t row);
	/// The prefix is in the index under another row.
	void move(const Prefix &prefix, uint32_t row);
	void erase(const Prefix &prefix);
	void prefetch(const Prefix &prefix) const;
	size_t size() const { return size_; }

private:
	struct Slot {
		uint32_t row; // 0: empty
		uint32_t hash;
	};

	size_t locate(const Prefix &prefix) const;
	void grow();

	const sl_prefix_row *rows_;
	std::vector<Slot> slots_; // open addressing, linear; a power of two
	size_t size_ = 0;
};

} // namespace sealane

#endif
