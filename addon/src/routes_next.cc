// SPDX-License-Identifier: Apache-2.0
// How a trie that has grown or shrunk becomes one of another kind: its next trie is built beside it from
// the rows, a bounded part at each change of a route and at each upkeep, while readers use the old one. A
// change of a route that is in the next trie already goes to both; the others are still to come. One
// store links the next trie, and the old one is taken down, again part by part.
//
// A writer that dies leaves rows that nothing links: to the next one they are free.
#include <algorithm>

#include "routes.h"
#include "tables_error.h"

namespace sealane
{

/// A trie of all routes of a table, linked nowhere, at once: at attach. Its root word. Throws
/// SEGMENT_SPACE, TABLE_FULL.
uint32_t Routes::build(const Trie &linked, sl_fib_kind kind)
{
	uint32_t root = 0;
	if (!fib_.begin_root(kind, root))
		throw TablesError("SEGMENT_SPACE", "another direct table is being backed");
	const Trie fresh{&root, linked.vrf, linked.family};
	try {
		int64_t work = INT64_MAX;
		fib_.fill(fresh, work);
		for (const uint32_t id : rows(linked.vrf, linked.family)) {
			const sl_prefix_row &r = tables_->prefix[id];
			fib_.reserve_for_insert();
			fib_.insert(fresh, prefix_of_row(r), r.leaf);
		}
	} catch (...) {
		fib_.retire_trie(root, true);
		throw;
	}
	return root;
}

/// Begins another trie for a table that has grown or shrunk, where that is to have one. Where there is
/// no room for it the trie stays as it is, and is asked again some thousand routes later.
void Routes::fit_kind(const Trie &linked, bool grown)
{
	const size_t size = table(linked).rows.size();
	if (size == 0)
		return unlink_empty(linked);
	if (size % (limits_.bits18 / 2) != 0)
		return;
	const auto now = static_cast<sl_fib_kind>(sl_fib_kind_of(*linked.root));
	const Next *const next = table(linked).next.get();
	const sl_fib_kind coming = next != nullptr ? next->kind : now;
	// Not back at once: a table goes when a quarter of what it takes to get one is left.
	const sl_fib_kind wanted = limits_.kind(grown ? size : 4 * size, linked.family);
	if (grown ? wanted <= coming : wanted >= coming)
		return;
	if (next != nullptr)
		drop_next(linked);
	if (wanted != now)
		begin_next(linked, wanted);
}

/// A table without routes has no trie, whatever it was about to have.
void Routes::unlink_empty(const Trie &linked)
{
	if (table(linked).next != nullptr)
		drop_next(linked);
	const uint32_t old = *linked.root;
	if (old == 0)
		return;
	store_word(*linked.root, 0u);
	old_tries_.push_back({old});
}

void Routes::begin_next(const Trie &linked, sl_fib_kind kind)
{
	Table &t = table(linked);
	t.next = std::make_unique<Next>(Next{kind, false, 0, {&position_, 0}});
	building_.push_back(linked);
	// A default route is in from the start: what every slot has when it is filled.
	const uint32_t row = index_.find({linked.vrf, linked.family, 0, {0, 0}});
	if (row == 0 || kind == SL_FIB_TRIE)
		return;
	std::swap(t.rows[0], t.rows[position_[row]]);
	position_[t.rows[position_[row]]] = position_[row];
	position_[row] = 0;
	t.next->part.done = 1;
}

/// A part of the work, after a change of this table.
void Routes::advance(const Trie &linked, int64_t work)
{
	if (old_tries_.empty() && building_.empty())
		return;
	if (take_down(work) && table(linked).next != nullptr)
		build_next(linked, work);
}

bool Routes::upkeep()
{
	int64_t work = limits_.upkeep_work;
	if (take_down(work)) {
		// Each takes itself off the list when it is done or has to be dropped.
		const std::vector<Trie> all = building_;
		for (const Trie &linked : all) {
			if (work > 0)
				build_next(linked, work);
		}
		// Another one comes first the next time.
		if (building_.size() > 1)
			std::rotate(building_.begin(), building_.begin() + 1, building_.end());
	}
	return !old_tries_.empty() || !building_.empty();
}

/// True: nothing is left to be taken down.
bool Routes::take_down(int64_t &work)
{
	while (!old_tries_.empty()) {
		if (!fib_.retire_some(old_tries_.front(), work))
			return false;
		old_tries_.pop_front();
	}
	return true;
}

void Routes::build_next(const Trie &linked, int64_t &work)
{
	Table &t = table(linked);
	try {
		if (!fill_next(linked, work))
			return;
	} catch (const TablesError &) {
		drop_next(linked);
		return;
	}
	const uint32_t old = *linked.root;
	store_word(*linked.root, t.next->root);
	t.next->begun = false; // the root is the table's now
	drop_next(linked);
	old_tries_.push_back({old});
}

/// True: all rows are in it.
bool Routes::fill_next(const Trie &linked, int64_t &work)
{
	Table &t = table(linked);
	Next &next = *t.next;
	if (!next.begun)
		next.begun = fib_.begin_root(next.kind, next.root);
	const Trie fresh{&next.root, linked.vrf, linked.family, nullptr, 0, 0, &next.part};
	if (!next.begun)
		return false;
	if (!fib_.filled(fresh)) {
		fib_.fill(fresh, work); // rows follow the next time
		return false;
	}
	while (work > 0 && next.part.done < t.rows.size()) {
		const sl_prefix_row &r = tables_->prefix[t.rows[next.part.done]];
		const Prefix prefix = prefix_of_row(r);
		fib_.reserve_for_insert();
		fib_.insert(fresh, prefix, r.leaf);
		next.part.done++;
		work -= fib_.insert_work(fresh, prefix);
	}
	return next.part.done == t.rows.size();
}

void Routes::drop_next(const Trie &linked)
{
	Table &t = table(linked);
	if (t.next->begun)
		old_tries_.push_back({t.next->root, true});
	t.next.reset();
	std::erase_if(building_, [&](const Trie &trie) { return trie.root == linked.root; });
}

/// Gives all room back that tries have which are being built. False: there was none.
bool Routes::drop_all_next()
{
	while (!building_.empty())
		drop_next(Trie{building_.back()});
	bool any = false;
	std::erase_if(old_tries_, [&](const OldTrie &old) {
		if (!old.unseen)
			return false;
		OldTrie rest = old;
		int64_t work = INT64_MAX;
		fib_.retire_some(rest, work);
		any = true;
		return true;
	});
	return any;
}

bool Routes::in_next(const Trie &linked, uint32_t row)
{
	const Next *const next = table(linked).next.get();
	return next != nullptr && next->part.has(row);
}

/// The row is in the next trie, and has another leaf.
void Routes::insert_into_next(const Trie &linked, uint32_t row)
{
	Next &next = *table(linked).next;
	const Trie fresh{&next.root, linked.vrf, linked.family, nullptr, 0, 0, &next.part};
	const sl_prefix_row &r = tables_->prefix[row];
	if (next.begun)
		fib_.insert(fresh, prefix_of_row(r), r.leaf);
}

/// A prefix that was in the next trie is in the index no more.
void Routes::remove_from_next(const Trie &linked, const Prefix &prefix)
{
	Next &next = *table(linked).next;
	const Trie fresh{&next.root, linked.vrf, linked.family, nullptr, 0, 0, &next.part};
	if (!next.begun)
		return;
	try {
		fib_.reserve_for_remove();
		fib_.remove(fresh, prefix);
	} catch (const TablesError &) {
		drop_next(linked);
	}
}

size_t Routes::half_built() const
{
	return static_cast<size_t>(
		std::count_if(building_.begin(), building_.end(), [this](const Trie &linked) {
			const Table &t = by_table_[table_index(linked.vrf, linked.family)];
			return t.next->part.done > 1 && t.next->part.done < t.rows.size();
		}));
}

} // namespace sealane
