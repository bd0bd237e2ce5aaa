// SPDX-License-Identifier: Apache-2.0
// The one writer of the tries that fib.h reads.
#ifndef SEALANE_ADDON_FIB_WRITER_H
#define SEALANE_ADDON_FIB_WRITER_H

#include <cstdint>
#include <span>
#include <vector>

#include "direct_pool.h"
#include "fib_math.h"
#include "prefix_index.h"
#include "reclaim.h"
#include "segment.h"
#include "unit_pool.h"

namespace sealane
{

/// Of a trie that is still being built: the prefix rows that are in it are those whose place in their
/// table's list is below `done`.
struct Part {
	const std::vector<uint32_t> *place; // by row
	uint32_t done;

	bool has(uint32_t row) const { return (*place)[row] < done; }
};

/// A trie: the word that holds its root, and whose prefixes it is made of. What lies below a slot of a
/// direct table is a trie as well: `slot` is its root, `base` its first level, `depth` the length of
/// the prefix that the slot's own leaf would come of. `part`: it has only some of the rows yet.
struct Trie {
	uint32_t *root;
	uint32_t vrf;
	uint8_t family;
	uint64_t *slot = nullptr;
	unsigned base = 0;
	unsigned depth = 0;
	const Part *part = nullptr;
};

/// A trie that is linked no more, or never was (`unseen`: no reader ever saw it), and how far its rows
/// have been retired.
struct OldTrie {
	uint32_t root;
	bool unseen = false;
	uint32_t next = 0; // slot of the root
};

/*
 * How a change becomes visible: everything new is built beside the trie, then linked by one atomic
 * store (a parent's word 2, the root, or a slot); what it replaces is retired. Where only values
 * change, leaves are stored in place. An address is affected by exactly one of these stores, so each
 * lookup sees the old answer or the new one.
 */
class FibWriter
{
public:
	FibWriter(Segment &segment, Reclaimer &reclaimer, const PrefixIndex &index);

	/// Makes sure that the next change cannot run out of space. Throws SEGMENT_SPACE, TABLE_FULL.
	void reserve_for_insert();
	void reserve_for_remove();

	/// Puts the root word of a trie of this kind, linked nowhere, into `root`, to be filled before
	/// anything but a default route goes into it. False: not now. Throws as above.
	bool begin_root(sl_fib_kind kind, uint32_t &root);
	/// Fills the next slots of its table with the leaf of the default route, at most `work` of them,
	/// which it lowers. Throws SEGMENT_SPACE.
	void fill(const Trie &trie, int64_t &work);
	bool filled(const Trie &trie) const;
	/// What an insert of this prefix costs, in the unit of `work`: a slot written.
	int64_t insert_work(const Trie &trie, const Prefix &prefix) const;
	/// Adds a prefix or changes its leaf.
	void insert(const Trie &trie, const Prefix &prefix, uint64_t leaf);
	/// Takes a prefix out; it is no longer in the index. Its addresses fall to the longest
	/// prefix that covers it.
	void remove(const Trie &trie, const Prefix &prefix);
	/// Fetches what a change of this prefix will look at first.
	void prefetch(const Trie &trie, const Prefix &prefix) const;

	// Attach, in this order: mark() all tries, quarantine(), note() all prefixes, verify().
	/// Notes the space of a trie as used. False: not a well-formed trie.
	bool mark(const Trie &trie);
	void quarantine();
	void thaw();
	/// Enters a live prefix into the writer's own tables. False: the trie lacks its node.
	bool note(const Trie &trie, const Prefix &prefix);
	/// The trie is exactly the one that the prefixes of the index make.
	bool verify(const Trie &trie) const;
	/// Retires the next rows of a trie that is not linked, for as long as `work` lasts. True when
	/// there are no more. The root of one found at attach is as mark() accepted it.
	bool retire_some(OldTrie &old, int64_t &work);
	/// All of them.
	void retire_trie(uint32_t root, bool unseen = false);

	void release_nodes(uint32_t first, unsigned count) { nodes_.release(first, count); }
	void release_leaves(uint32_t first, unsigned count) { leaves_.release(first, count); }
	void release_direct(uint32_t root);
	uint64_t nodes() const { return nodes_.used_units(); }
	uint64_t leaves() const { return leaves_.used_units(); }
	const DirectPool &direct(unsigned bits) const { return bits == 18 ? direct18_ : direct24_; }
	bool sound() const { return nodes_.sound() && leaves_.sound(); }

private:
	/// A node before it has a row.
	struct Node {
		uint64_t vector;
		uint64_t leafvec;
		uint64_t tails;
		uint32_t first_leaf;
		uint32_t first_child;
		Internal internal;
	};
	/// A node or tail before it has a row.
	struct Built {
		sl_fib_node row;
		Internal internal;
		bool tail;
	};
	/// A prefix and its leaf.
	struct Entry {
		Prefix prefix;
		uint64_t leaf;
	};
	/// The rows from the root to where a prefix ends.
	struct Path {
		uint32_t row[SL_FIB6_LEVELS];
	};
	/// Where the walk for a prefix came to: the level of its node or of a tail, or one whose slot
	/// for it has no child.
	struct Place {
		enum Kind { node, tail, leaf } kind;
		unsigned level;
		uint32_t row;
	};

	Node read(uint32_t row) const;
	static Built built(const Node &node);
	void write(uint32_t row, const Built &what);
	uint64_t leaf_at(const Node &node, unsigned slot) const;
	uint32_t new_leaves(const Node &old, uint64_t leafvec, uint64_t changed, uint64_t value);
	Built subtree(std::span<const Entry> entries, unsigned level, uint64_t inherited,
	              bool may_be_tail);
	Entry tail_entry(const Prefix &on_the_way, unsigned level, uint32_t row) const;
	Place descend(const Trie &trie, Path &path, const Prefix &prefix) const;
	void publish_root(const Trie &trie, uint32_t row, bool tail);
	void link(const Trie &trie, Path &path, const Prefix &prefix, unsigned level,
	          const Built &what);
	void adopt(const Trie &trie, Path &path, const Prefix &prefix, unsigned level,
	           const Built &child);
	void prune(const Trie &trie, Path &path, const Prefix &prefix, unsigned level,
	           uint64_t value);
	void restructure(const Trie &trie, Path &path, const Prefix &prefix,
	                 const Internal &internal, uint64_t changed, uint64_t value);
	void set_values(uint32_t row, uint64_t slots, uint64_t value);
	void set_inherited(uint32_t row, bool tail, uint64_t value);
	uint64_t fallback(const Trie &trie, const Path &path, const Prefix &prefix, unsigned level,
	                  unsigned up_to) const;
	void insert_below(const Trie &trie, const Prefix &prefix, uint64_t leaf);
	void remove_below(const Trie &trie, const Prefix &prefix);
	/// What an insert below a slot costs, in the unit of `work`, and an array that is retired.
	static constexpr int64_t kBelowWork = 64;
	static constexpr int64_t kLetGoWork = 16;

	uint64_t leaf_of(const Trie &trie, const Prefix &prefix) const;
	void let_go(Retired kind, uint32_t id, uint32_t count);
	void retire_leaves(const Node &node);
	void retire_children(const Node &node);
	void retire_below(const Node &node);
	void retire_root(uint32_t row, bool tail);
	bool mark_below(const Node &node, unsigned level, unsigned bits);
	bool mark_tail(uint32_t row, unsigned level, unsigned bits) const;
	bool note_below(uint32_t row, bool tail, unsigned level, const Prefix &prefix);
	bool verify_below(uint32_t row, const Prefix &at, uint64_t inherited) const;
	bool verify_tail(uint32_t row, const Prefix &at, uint64_t inherited) const;

	// Direct tables (fib_direct.cc).
	DirectPool &pool(uint32_t root)
	{
		return sl_fib_kind_of(root) == SL_FIB_DIRECT18 ? direct18_ : direct24_;
	}
	const DirectPool &pool(uint32_t root) const
	{
		return sl_fib_kind_of(root) == SL_FIB_DIRECT18 ? direct18_ : direct24_;
	}
	Trie below_slot(const Trie &trie, uint32_t slot);
	void set_slot(uint64_t &slot, uint64_t leaf);
	void direct_insert(const Trie &trie, const Prefix &prefix, uint64_t leaf);
	void direct_remove(const Trie &trie, const Prefix &prefix);
	uint32_t last_slot(const Trie &trie, const Prefix &prefix) const;
	bool retire_slots(OldTrie &old, int64_t &work);
	bool retire_direct(OldTrie &old, int64_t &work);
	bool direct_mark(const Trie &trie);
	bool direct_note(const Trie &trie, const Prefix &prefix);
	bool direct_verify(const Trie &trie) const;

	sl_tables *tables_;
	Reclaimer &reclaimer_;
	const PrefixIndex &index_;
	UnitPool nodes_;
	UnitPool leaves_;
	DirectPool direct18_;
	DirectPool direct24_;
	SparseTable<Internal> internal_; // by node row
	bool unseen_ = false;            // what is retired was never linked
	int64_t let_go_ = 0;             // arrays retired so far
};

} // namespace sealane

#endif
