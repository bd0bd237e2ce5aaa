// SPDX-License-Identifier: Apache-2.0
#include "direct_pool.h"

#include <algorithm>

#include "tables_error.h"

namespace sealane
{

uint64_t *DirectPool::slot(uint32_t id) const
{
	sl_tables *t = segment_.tables();
	return which_ == SL_ARENA_FIB_DIRECT18 ? t->fib_direct18[id].slot
	                                       : t->fib_direct24[id].slot;
}

std::optional<uint32_t> DirectPool::begin()
{
	uint32_t id = 0;
	while (id < tables_.size() && tables_[id].state != State::free)
		id++;
	if (id == tables_.size()) {
		if (backing_)
			return std::nullopt;
		if (id >= arena(which_).capacity)
			throw TablesError("TABLE_FULL",
			                  std::string("table ") + arena(which_).name + " is full");
		// Not the last that there is: while it is being backed others need some as well.
		if (segment_.room() < arena(which_).row + arena(which_).row / 8)
			throw TablesError("SEGMENT_SPACE",
			                  std::string("no room for a ") + arena(which_).name);
		tables_.push_back({});
		backing_ = true;
	}
	tables_[id] = {State::used, 0, std::make_unique<Depth>(slots())};
	return id;
}

void DirectPool::fill(uint32_t id, uint64_t leaf, int64_t &work)
{
	Table &table = tables_[id];
	const bool backing = backing_ && id == tables_.size() - 1;
	uint64_t *const slot = this->slot(id);
	while (table.filled < slots() && work > 0) {
		const size_t at = table.filled * sizeof(uint64_t);
		if (backing && at % SL_HUGE_PAGE == 0)
			segment_.back_huge(which_, id, at);
		const size_t backed = at / SL_HUGE_PAGE * SL_HUGE_PAGE + SL_HUGE_PAGE;
		const auto most = static_cast<uint32_t>((backed - at) / sizeof(uint64_t));
		const auto count = static_cast<uint32_t>(std::min<int64_t>(work, most));
		std::fill_n(slot + table.filled, count, leaf);
		table.filled += count;
		work -= count;
	}
	if (backing && table.filled == slots()) {
		segment_.committed_up_to(which_, id + 1);
		backing_ = false;
	}
}

/// One that was never filled takes its memory with it.
void DirectPool::release(uint32_t id)
{
	tables_[id] = {};
	if (backing_ && id == tables_.size() - 1) {
		tables_.pop_back();
		backing_ = false;
		segment_.give_back(which_);
	}
}

bool DirectPool::mark(uint32_t id)
{
	adopt_committed();
	if (id >= tables_.size() || tables_[id].state != State::free)
		return false;
	tables_[id] = {State::used, slots(), std::make_unique<Depth>(slots())};
	return true;
}

void DirectPool::quarantine()
{
	adopt_committed();
	segment_.give_back(which_); // what a writer was backing when it died
	for (Table &table : tables_) {
		if (table.state == State::free)
			table.state = State::held;
	}
}

void DirectPool::thaw()
{
	for (Table &table : tables_) {
		if (table.state == State::held)
			table.state = State::free;
	}
}

uint32_t DirectPool::live() const
{
	uint32_t count = 0;
	for (const Table &table : tables_)
		count += table.state == State::used;
	return count;
}

} // namespace sealane
