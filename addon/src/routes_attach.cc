// SPDX-License-Identifier: Apache-2.0
// Routes found in a segment whose writer has died, at whatever instant.
#include "routes.h"

#include "tables_error.h"

namespace sealane
{

void Routes::attach()
{
	// Space first, then the truth, then whether the tries tell it.
	std::map<size_t, bool> damaged; // table index -> its old trie can be walked
	for (uint32_t vrf = 0; vrf < SL_MAX_VRFS; vrf++) {
		for (const unsigned family : {4u, 6u}) {
			if (!fib_.mark(trie(vrf, family)))
				damaged[table_index(vrf, family)] = false;
		}
	}
	fib_.quarantine();
	adopt_rows();
	for (uint32_t vrf = 0; vrf < SL_MAX_VRFS; vrf++) {
		for (const unsigned family : {4u, 6u}) {
			const size_t table = table_index(vrf, family);
			if (damaged.contains(table))
				continue;
			bool good = true;
			for (const uint32_t id : by_table_[table].rows)
				good = fib_.note(trie(vrf, family),
				                 prefix_of_row(tables_->prefix[id])) &&
				       good;
			if (!good || !fib_.verify(trie(vrf, family)))
				damaged[table] = true;
		}
	}
	// With no reader online, the space found free can be built in at once.
	context_.reclaimer.advance();
	rebuild(damaged);
}

/// Index, lists and use counts from the live rows.
void Routes::adopt_rows()
{
	const uint32_t end = context_.segment.committed(SL_ARENA_PREFIX);
	position_.resize(end);
	uint32_t last = 0;
	for (uint32_t id = 1; id < end; id++) {
		if (tables_->prefix[id].state == SL_ROW_LIVE) {
			adopt_row(id);
			last = id;
		} else if (tables_->prefix[id].state == SL_ROW_RETIRED) {
			last = id;
		}
	}
	ids_.adopt_up_to(last);
	for (uint32_t id = 1; id <= last; id++) {
		sl_prefix_row &r = tables_->prefix[id];
		if (r.state == SL_ROW_RETIRED && index_.find(prefix_of_row(r)) == 0) {
			// Its successor never became live.
			__atomic_store_n(&r.state, static_cast<uint8_t>(SL_ROW_LIVE),
			                 __ATOMIC_RELEASE);
			if (!adopt_row(id))
				free_row(id);
		} else if (r.state != SL_ROW_LIVE) {
			free_row(id);
		}
	}
}

/// False: the row cannot be kept, and is no longer live.
bool Routes::adopt_row(uint32_t id)
{
	sl_prefix_row &r = tables_->prefix[id];
	if (sl_leaf_is_group(r.leaf) && !groups_.adopt(sl_leaf_group(r.leaf))) {
		// No writer of ours leaves such a row: it goes, and whoever wants the route writes it.
		__atomic_store_n(&r.state, static_cast<uint8_t>(SL_ROW_FREE), __ATOMIC_RELEASE);
		return false;
	}
	r.stale = 1;
	index_.insert(prefix_of_row(r), id);
	enlist(id);
	use(r.leaf);
	if (sl_leaf_is_group(r.leaf))
		groups_.release(sl_leaf_group(r.leaf)); // adopt() had taken one
	return true;
}

/// Builds the tries of these tables anew, from the rows, and links each by one store.
void Routes::rebuild(const std::map<size_t, bool> &damaged)
{
	for (const auto &[table, walkable] : damaged) {
		const auto vrf = static_cast<uint32_t>(table / 2);
		const unsigned family = table % 2 == 0 ? 4 : 6;
		const Trie linked = trie(vrf, family);
		const uint32_t old = *linked.root;
		uint32_t root = 0;
		try {
			root = build(linked, limits_.kind(by_table_[table].rows.size(), family));
		} catch (const TablesError &) {
			root = build(linked, SL_FIB_TRIE);
		}
		store_word(*linked.root, root);
		rebuilt_++;
		// What cannot be walked cannot be freed; the next attach finds it unused.
		if (walkable)
			fib_.retire_trie(old);
	}
}

std::string Routes::check()
{
	if (!fib_.sound())
		return "a FIB pool's free lists disagree with its bits";
	size_t rows = 0;
	for (uint32_t vrf = 0; vrf < SL_MAX_VRFS; vrf++) {
		for (const unsigned family : {4u, 6u}) {
			rows += by_table_[table_index(vrf, family)].rows.size();
			if (!fib_.verify(trie(vrf, family)))
				return "the trie of VRF " + std::to_string(vrf) + ", IPv" +
				       std::to_string(family) + ", is not that of its rows";
		}
	}
	if (rows != index_.size() || rows != ids_.live())
		return "index, lists and row ids hold different numbers of routes";
	return check_groups();
}

/// As many references to each group as rows name it.
std::string Routes::check_groups() const
{
	std::vector<uint32_t> named(groups_.end());
	for (const Table &table : by_table_) {
		for (const uint32_t id : table.rows) {
			if (sl_leaf_is_group(row(id).leaf))
				named.at(sl_leaf_group(row(id).leaf))++;
		}
	}
	uint32_t live = 0;
	for (uint32_t id = 1; id < groups_.end(); id++) {
		live += named[id] != 0;
		if (named[id] != groups_.references(id))
			return "group " + std::to_string(id) + " is named by " +
			       std::to_string(named[id]) + " routes and counts " +
			       std::to_string(groups_.references(id));
	}
	return live == groups_.live_rows() && groups_.sound()
	               ? ""
	               : "the index of groups is not that of the groups in use";
}

} // namespace sealane
