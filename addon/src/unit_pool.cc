// SPDX-License-Identifier: Apache-2.0
#include "unit_pool.h"

#include <bit>

#include "tables_error.h"

namespace sealane
{

namespace
{

constexpr uint32_t kUnits = 64;

unsigned order_of(unsigned count) { return std::bit_width(count - 1u); }

/// free[k]: bit u is set when the aligned run of 2^k units at u is free.
std::array<uint64_t, 7> free_runs(uint64_t used)
{
	static constexpr std::array<uint64_t, 7> aligned{~0ull,
	                                                 0x5555555555555555ull,
	                                                 0x1111111111111111ull,
	                                                 0x0101010101010101ull,
	                                                 0x0001000100010001ull,
	                                                 0x0000000100000001ull,
	                                                 1ull};
	std::array<uint64_t, 7> runs{};
	runs[0] = ~used;
	for (unsigned k = 1; k < runs.size(); k++)
		runs[k] = runs[k - 1] & (runs[k - 1] >> (1u << (k - 1))) & aligned[k];
	return runs;
}

int largest_order(uint64_t used)
{
	const auto runs = free_runs(used);
	for (int k = 6; k >= 0; k--) {
		if (runs[static_cast<size_t>(k)] != 0)
			return k;
	}
	return -1;
}

uint64_t run_mask(unsigned first, unsigned order)
{
	const unsigned length = 1u << order;
	return (length == kUnits ? ~0ull : (1ull << length) - 1) << first;
}

} // namespace

UnitPool::UnitPool(Segment &segment, sl_arena which) : segment_(segment), which_(which)
{
	heads_.fill(kNone);
	adopt_committed();
	change(0, 1); // unit 0 is the empty trie's
}

/// Takes over what the segment has backed since the last look.
void UnitPool::adopt_committed()
{
	const uint32_t whole = segment_.committed(which_) / kUnits;
	blocks_.reserve(whole);
	while (blocks_.size() < whole) {
		blocks_.push_back({0, kNone, kNone, 6});
		insert(static_cast<uint32_t>(blocks_.size() - 1));
	}
}

void UnitPool::insert(uint32_t block)
{
	Block &b = blocks_[block];
	if (b.order < 0)
		return;
	uint32_t &head = heads_[static_cast<size_t>(b.order)];
	b.previous = kNone;
	b.next = head;
	if (head != kNone)
		blocks_[head].previous = block;
	head = block;
	free_blocks_ += b.order == 6;
}

void UnitPool::remove(uint32_t block)
{
	const Block &b = blocks_[block];
	if (b.order < 0)
		return;
	if (b.previous != kNone)
		blocks_[b.previous].next = b.next;
	else
		heads_[static_cast<size_t>(b.order)] = b.next;
	if (b.next != kNone)
		blocks_[b.next].previous = b.previous;
	free_blocks_ -= b.order == 6;
}

void UnitPool::change(uint32_t block, uint64_t used)
{
	const int order = largest_order(used);
	if (order == blocks_[block].order) {
		blocks_[block].used = used;
		return;
	}
	remove(block);
	blocks_[block].used = used;
	blocks_[block].order = order;
	insert(block);
}

void UnitPool::reserve(uint32_t blocks)
{
	while (free_blocks_ < blocks) {
		const uint64_t wanted = (blocks_.size() + blocks - free_blocks_) * kUnits;
		if (wanted > arena(which_).capacity)
			throw TablesError("TABLE_FULL",
			                  std::string("table ") + arena(which_).name + " is full");
		// Nearly all that is quarantined will be free in a moment.
		segment_.commit(which_, static_cast<uint32_t>(wanted), !quarantined_.empty());
		adopt_committed();
	}
}

uint32_t UnitPool::allocate(unsigned count)
{
	const unsigned order = order_of(count);
	for (unsigned k = order; k < kOrders; k++) {
		const uint32_t block = heads_[k];
		if (block == kNone)
			continue;
		const auto runs = free_runs(blocks_[block].used);
		// A run whose other half is taken, where there is one: larger runs stay whole.
		uint64_t halves = runs[order];
		if (order < 6)
			halves &= ~(runs[order + 1] | runs[order + 1] << (1u << order));
		const unsigned first =
			static_cast<unsigned>(std::countr_zero(halves != 0 ? halves : runs[order]));
		change(block, blocks_[block].used | run_mask(first, order));
		used_units_ += 1u << order;
		return block * kUnits + first;
	}
	throw TablesError("SEGMENT_SPACE",
	                  std::string("table ") + arena(which_).name + " has no free run");
}

void UnitPool::release(uint32_t first, unsigned count)
{
	const unsigned order = order_of(count);
	const uint32_t block = first / kUnits;
	change(block, blocks_[block].used & ~run_mask(first % kUnits, order));
	used_units_ -= 1u << order;
}

bool UnitPool::mark(uint32_t first, unsigned count)
{
	const unsigned order = order_of(count);
	const uint32_t block = first / kUnits;
	if (block >= blocks_.size() || (first & ((1u << order) - 1)) != 0)
		return false;
	const uint64_t mask = run_mask(first % kUnits, order);
	if ((blocks_[block].used & mask) != 0)
		return false;
	change(block, blocks_[block].used | mask);
	used_units_ += 1u << order;
	return true;
}

void UnitPool::quarantine()
{
	quarantined_.clear();
	for (uint32_t block = 0; block < blocks_.size(); block++) {
		quarantined_.push_back(blocks_[block].used);
		change(block, ~0ull);
	}
}

void UnitPool::thaw()
{
	for (uint32_t block = 0; block < quarantined_.size(); block++)
		change(block, quarantined_[block]);
	quarantined_.clear();
	quarantined_.shrink_to_fit();
}

bool UnitPool::sound() const
{
	uint64_t used = 0;
	for (const Block &b : blocks_) {
		used += static_cast<unsigned>(std::popcount(b.used));
		if (b.order != largest_order(b.used))
			return false;
	}
	uint32_t listed = 0;
	for (int k = 0; k < kOrders; k++) {
		for (uint32_t at = heads_[static_cast<size_t>(k)]; at != kNone;
		     at = blocks_[at].next) {
			if (blocks_[at].order != k)
				return false;
			listed++;
		}
	}
	uint32_t listable = 0;
	for (const Block &b : blocks_)
		listable += b.order >= 0;
	// Unit 0 is taken but belongs to no array. While quarantined, all bits are set.
	return listed == listable && (!quarantined_.empty() || used == used_units_ + 1);
}

} // namespace sealane
