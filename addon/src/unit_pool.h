// SPDX-License-Identifier: Apache-2.0
// Allocator of short arrays (1..64 rows) in the FIB pools.
//
// The pool is cut into blocks of 64 units, one bit per unit. An array takes an aligned run of the
// next power of two within one block, so neighbours merge again by themselves when they are freed
// and nothing but the bits has to be kept: after a restart they are found by walking the tries.
#ifndef SEALANE_ADDON_UNIT_POOL_H
#define SEALANE_ADDON_UNIT_POOL_H

#include <array>
#include <cstdint>
#include <vector>

#include "segment.h"

namespace sealane
{

class UnitPool
{
public:
	/// Unit 0 of the arena is never given out.
	UnitPool(Segment &segment, sl_arena which);

	/// Makes sure that `blocks` arrays of any length can be allocated. Throws SEGMENT_SPACE or
	/// TABLE_FULL; nothing has changed then.
	void reserve(uint32_t blocks);
	/// First unit of an array of 1..64 units. The caller has reserved.
	uint32_t allocate(unsigned count);
	void release(uint32_t first, unsigned count);

	/// Attach: notes an array found in a trie. False when it is out of range or overlaps another.
	bool mark(uint32_t first, unsigned count);
	/// Attach, after all marks: what is not marked may still be seen by readers, so only newly
	/// backed space is given out until thaw().
	void quarantine();
	void thaw();

	uint64_t used_units() const { return used_units_; }
	/// Internal soundness: the lists and counts agree with the bits.
	bool sound() const;

private:
	struct Block {
		uint64_t used; // bit u: unit u is taken
		uint32_t next;
		uint32_t previous;
		int order; // of the largest free run; -1: none
	};
	static constexpr uint32_t kNone = UINT32_MAX;
	static constexpr int kOrders = 7; // runs of 1, 2, 4 ... 64 units

	void adopt_committed();
	void insert(uint32_t block);
	void remove(uint32_t block);
	void change(uint32_t block, uint64_t used);

	Segment &segment_;
	sl_arena which_;
	std::vector<Block> blocks_;
	std::vector<uint64_t> quarantined_; // true `used` words of the first blocks, until thaw()
	std::array<uint32_t, kOrders> heads_;
	uint32_t free_blocks_ = 0; // wholly free
	uint64_t used_units_ = 0;
};

} // namespace sealane

#endif
