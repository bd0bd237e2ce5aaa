// SPDX-License-Identifier: Apache-2.0
// Next-hop groups: the ways of routes that have several (multipath).
#ifndef SEALANE_ADDON_GROUPS_H
#define SEALANE_ADDON_GROUPS_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "rows.h"

namespace sealane
{

/*
 * Groups are shared by content and counted: a row lives while a prefix row names it, and keeps its
 * members' next hops in use. It is written whole before a leaf can name it. Once the last one names it
 * no more it is retired, and cleared when no reader can see it.
 */
class Groups
{
public:
	/// Members as sl_group_row has them: ascending, no two alike, zeros behind the last.
	using Members = std::array<uint64_t, SL_GROUP_MEMBERS>;

	explicit Groups(Context context) : context_(context), ids_("group", SL_MAX_GROUPS) {}

	/// Attach, before the routes: which rows are there.
	void attach();
	/// Attach: a live route names the group. False: no such group; the route cannot be kept.
	bool adopt(uint32_t id);
	/// Attach, once the tries are those of the rows: groups that no route names are retired.
	void settle();

	/// The group of these members with a reference to give back by release(); 0 when there is no
	/// room for another one, which is counted.
	uint32_t acquire(const Members &members);
	void retain(uint32_t id) { references_[id]++; }
	/// The caller's leaf is no longer in a trie.
	void release(uint32_t id);
	void released(uint32_t id);

	const sl_group_row &row(uint32_t id) const { return context_.tables->group[id]; }
	uint32_t references(uint32_t id) const
	{
		return id < references_.size() ? references_[id] : 0;
	}
	uint32_t end() const { return ids_.end(); }
	/// Groups in use.
	uint32_t live_rows() const { return static_cast<uint32_t>(by_content_.size()); }
	/// Routes written with one way because there was no room for their group.
	uint64_t fallbacks() const { return fallbacks_; }
	/// The groups in use are those of the index, whole, with their members' next hops live.
	bool sound() const;

private:
	struct Hash {
		size_t operator()(const Members &members) const;
	};

	uint32_t new_row(const Members &members);
	bool whole(uint32_t id) const;
	void index(uint32_t id);
	Members content(uint32_t id) const;

	Context context_;
	RowIds ids_;
	std::unordered_map<Members, uint32_t, Hash> by_content_;
	std::vector<uint32_t> references_; // by row
	uint64_t fallbacks_ = 0;
};

} // namespace sealane

#endif
