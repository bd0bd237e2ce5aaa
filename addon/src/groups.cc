// SPDX-License-Identifier: Apache-2.0
#include "groups.h"

#include <algorithm>

#include "tables_error.h"

namespace sealane
{

/// FNV-1a over the words.
size_t Groups::Hash::operator()(const Members &members) const
{
	uint64_t hash = 0xcbf29ce484222325ull;
	for (const uint64_t member : members)
		hash = (hash ^ member ^ hash >> 29) * 0x100000001b3ull;
	return hash;
}

Groups::Members Groups::content(uint32_t id) const
{
	Members members;
	std::copy_n(row(id).member, members.size(), members.begin());
	return members;
}

void Groups::attach()
{
	const uint32_t end = context_.segment.committed(SL_ARENA_GROUP);
	for (uint32_t id = 1; id < end; id++) {
		if (row(id).member[0] != SL_LEAF_NONE)
			ids_.adopt_up_to(id);
	}
	references_.resize(ids_.end());
}

/// What the packet path relies on: two members at least, in order, of live next hops.
bool Groups::whole(uint32_t id) const
{
	const Members m = content(id);
	const auto end = std::find(m.begin(), m.end(), SL_LEAF_NONE);
	if (end - m.begin() < 2 || !std::is_sorted(m.begin(), end) ||
	    std::adjacent_find(m.begin(), end) != end ||
	    std::any_of(end, m.end(), [](uint64_t rest) { return rest != SL_LEAF_NONE; }))
		return false;
	const uint32_t nexthops = context_.segment.committed(SL_ARENA_NEXTHOP);
	return std::all_of(m.begin(), end, [&](uint64_t member) {
		const uint32_t nexthop = sl_leaf_nexthop(member);
		return member == sl_leaf(nexthop, sl_leaf_label(member), 0) && nexthop != 0 &&
		       nexthop < nexthops && context_.tables->nexthop[nexthop].state == SL_ROW_LIVE;
	});
}

bool Groups::adopt(uint32_t id)
{
	if (id == 0 || id >= ids_.end() || !whole(id))
		return false;
	if (references_[id]++ == 0)
		index(id);
	return true;
}

/// Enters a group into the index; its members are in use from now on.
void Groups::index(uint32_t id)
{
	const Members members = content(id);
	by_content_[members] = id;
	for (const uint64_t member : members) {
		if (member != SL_LEAF_NONE)
			context_.uses.nexthop.add(sl_leaf_nexthop(member));
	}
}

void Groups::settle()
{
	// Readers may have one of them from a leaf that the tries held until a moment ago.
	for (uint32_t id = 1; id < ids_.end(); id++) {
		if (references_[id] == 0)
			context_.reclaimer.retire(Retired::group, id, 1);
	}
}

uint32_t Groups::acquire(const Members &members)
{
	const auto known = by_content_.find(members);
	if (known != by_content_.end()) {
		references_[known->second]++;
		return known->second;
	}
	uint32_t id = 0;
	try {
		id = new_row(members);
	} catch (const TablesError &error) {
		// A full table or tmpfs: the route has its best way alone.
		const std::string code = error.code();
		if (code != "TABLE_FULL" && code != "SEGMENT_SPACE")
			throw;
		fallbacks_++;
		return 0;
	}
	references_[id] = 1;
	index(id);
	return id;
}

uint32_t Groups::new_row(const Members &members)
{
	const uint32_t id = ids_.allocate();
	try {
		context_.segment.commit(SL_ARENA_GROUP, id + 1);
	} catch (...) {
		ids_.release(id);
		throw;
	}
	if (id >= references_.size())
		references_.resize(id + 1u + id / 2u);
	std::copy(members.begin(), members.end(), context_.tables->group[id].member);
	return id;
}

void Groups::release(uint32_t id)
{
	if (--references_[id] != 0)
		return;
	const Members members = content(id);
	by_content_.erase(members);
	for (const uint64_t member : members) {
		if (member != SL_LEAF_NONE)
			context_.uses.nexthop.drop(sl_leaf_nexthop(member));
	}
	context_.reclaimer.retire(Retired::group, id, 1);
}

void Groups::released(uint32_t id)
{
	for (uint64_t &member : context_.tables->group[id].member)
		store_word(member, SL_LEAF_NONE);
	ids_.release(id);
}

bool Groups::sound() const
{
	return std::all_of(by_content_.begin(), by_content_.end(), [this](const auto &entry) {
		const auto &[members, id] = entry;
		return references(id) != 0 && whole(id) && content(id) == members;
	});
}

} // namespace sealane
