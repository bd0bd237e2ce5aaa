// SPDX-License-Identifier: Apache-2.0
#include "fib_writer.h"

#include "fib_place.h"

namespace sealane
{

namespace
{

// Blocks of 64 units that one change may take from each pool. An insert takes at most two arrays of
// any length and 21 short ones; it leaves what a removal needs, so that a full pool can be emptied.
constexpr uint32_t kInsertBlocks = 8;
constexpr uint32_t kRemoveBlocks = 4;

} // namespace

FibWriter::FibWriter(Segment &segment, Reclaimer &reclaimer, const PrefixIndex &index)
	: tables_(segment.tables()), reclaimer_(reclaimer), index_(index),
	  nodes_(segment, SL_ARENA_FIB_NODE), leaves_(segment, SL_ARENA_FIB_LEAF),
	  direct18_(segment, SL_ARENA_FIB_DIRECT18, 18),
	  direct24_(segment, SL_ARENA_FIB_DIRECT24, 24), internal_(SL_MAX_FIB_NODES)
{
}

void FibWriter::reserve_for_insert()
{
	nodes_.reserve(kInsertBlocks);
	leaves_.reserve(kInsertBlocks);
}

void FibWriter::reserve_for_remove()
{
	nodes_.reserve(kRemoveBlocks);
	leaves_.reserve(kRemoveBlocks);
}

void FibWriter::quarantine()
{
	nodes_.quarantine();
	leaves_.quarantine();
	direct18_.quarantine();
	direct24_.quarantine();
}

void FibWriter::thaw()
{
	nodes_.thaw();
	leaves_.thaw();
	direct18_.thaw();
	direct24_.thaw();
}

FibWriter::Node FibWriter::read(uint32_t row) const
{
	const uint64_t *word = tables_->fib_node[row].word;
	return {word[SL_FIB_VECTOR],
	        word[SL_FIB_LEAFVEC],
	        word[SL_FIB_TAILS],
	        static_cast<uint32_t>(word[SL_FIB_BASES]),
	        static_cast<uint32_t>(word[SL_FIB_BASES] >> 32),
	        internal_[row]};
}

FibWriter::Built FibWriter::built(const Node &node)
{
	return {{{node.vector, node.leafvec,
	          static_cast<uint64_t>(node.first_child) << 32 | node.first_leaf, node.tails}},
	        node.internal,
	        false};
}

/// Only into rows that are not linked yet.
void FibWriter::write(uint32_t row, const Built &what)
{
	tables_->fib_node[row] = what.row;
	internal_[row] = what.internal;
}

uint64_t FibWriter::leaf_at(const Node &node, unsigned slot) const
{
	return tables_->fib_leaf[node.first_leaf + fib_rank(node.leafvec, slot)];
}

/// Leaves for the runs of `leafvec`: `value` on the `changed` slots, what `old` has on the others
/// (which have no child there).
uint32_t FibWriter::new_leaves(const Node &old, uint64_t leafvec, uint64_t changed, uint64_t value)
{
	if (leafvec == 0)
		return 0;
	const uint32_t first = leaves_.allocate(ones(leafvec));
	uint32_t at = first;
	for (uint64_t rest = leafvec; rest != 0; rest &= rest - 1) {
		const unsigned slot = first_one(rest);
		tables_->fib_leaf[at++] = (changed >> slot & 1) != 0 ? value : leaf_at(old, slot);
	}
	return first;
}

/// The prefix of a tail that the walk for `on_the_way` came to.
FibWriter::Entry FibWriter::tail_entry(const Prefix &on_the_way, unsigned level, uint32_t row) const
{
	const uint64_t *word = tables_->fib_node[row].word;
	const unsigned done = level * SL_FIB_STRIDE;
	const sl_fib_key above = truncated(on_the_way.key, done);
	const unsigned __int128 rest =
		static_cast<unsigned __int128>(word[SL_FIB_TAIL_BITS]) << 64 >> done;
	Prefix prefix = on_the_way;
	prefix.length = static_cast<uint8_t>(done + ones(word[SL_FIB_TAIL_MASK]));
	prefix.key = {above.high | static_cast<uint64_t>(rest >> 64),
	              above.low | static_cast<uint64_t>(rest)};
	return {prefix, word[SL_FIB_TAIL_LEAF]};
}

/// Follows a prefix from the root, which is there; the rows of nodes on the way go to `path`.
FibWriter::Place FibWriter::descend(const Trie &trie, Path &path, const Prefix &prefix) const
{
	const unsigned end = fib_level(prefix.length);
	uint32_t row = trie.slot != nullptr ? static_cast<uint32_t>(*trie.slot) : *trie.root;
	if (trie.slot != nullptr && (*trie.slot & SL_FIB_TAIL) != 0)
		return {Place::tail, trie.base, row};
	for (unsigned level = trie.base;; level++) {
		path.row[level] = row;
		if (level == end)
			return {Place::node, level, row};
		const Node node = read(row);
		const unsigned slot = slot_at(prefix.key, level);
		if ((node.vector >> slot & 1) == 0)
			return {Place::leaf, level, row};
		row = node.first_child + fib_rank(node.vector, slot);
		if ((node.tails >> slot & 1) != 0)
			return {Place::tail, level + 1, row};
	}
}

/// Gives the node where the prefix ends other internal prefixes, and `value` to the `changed` slots.
void FibWriter::restructure(const Trie &trie, Path &path, const Prefix &prefix,
                            const Internal &internal, uint64_t changed, uint64_t value)
{
	const unsigned level = fib_level(prefix.length);
	const Node old = read(path.row[level]);
	Node node = old;
	node.internal = internal;
	node.leafvec = leafvec_of(internal, old.vector);
	node.first_leaf = new_leaves(old, node.leafvec, changed, value);
	link(trie, path, prefix, level, built(node));
	retire_leaves(old);
	for (uint64_t rest = node.vector & changed; rest != 0; rest &= rest - 1) {
		const unsigned slot = first_one(rest);
		set_inherited(node.first_child + fib_rank(node.vector, slot),
		              (node.tails >> slot & 1) != 0, value);
	}
}

/// Stores `value` into the leaves of these slots, and of what inherits from them, in place.
void FibWriter::set_values(uint32_t row, uint64_t slots, uint64_t value)
{
	const Node node = read(row);
	for (uint64_t rest = node.leafvec & slots; rest != 0; rest &= rest - 1)
		publish(tables_->fib_leaf[node.first_leaf +
		                          fib_rank(node.leafvec, first_one(rest))],
		        value);
	for (uint64_t rest = node.vector & slots; rest != 0; rest &= rest - 1) {
		const unsigned slot = first_one(rest);
		set_inherited(node.first_child + fib_rank(node.vector, slot),
		              (node.tails >> slot & 1) != 0, value);
	}
}

/// Stores what a node or tail has from above.
void FibWriter::set_inherited(uint32_t row, bool tail, uint64_t value)
{
	if (tail)
		publish(tables_->fib_node[row].word[SL_FIB_TAIL_OTHERS], value);
	else
		set_values(row, inherited_slots(internal_[row]), value);
}

/// Leaf of the longest prefix that covers this one and ends above `level`, or with at most `up_to` bits
/// of that level.
uint64_t FibWriter::fallback(const Trie &trie, const Path &path, const Prefix &prefix,
                             unsigned level, unsigned up_to) const
{
	for (level++; level-- > trie.base; up_to = 6) {
		if (up_to == 0)
			continue;
		const unsigned slot = slot_at(prefix.key, level);
		const unsigned r = internal_source(internal_[path.row[level]], slot, up_to);
		if (r != 0)
			return leaf_of(trie, covering(prefix, level, r));
	}
	return leaf_of(trie, covering(prefix, 0, trie.depth));
}

/// Leaf of a prefix that is in this trie; SL_LEAF_NONE otherwise.
uint64_t FibWriter::leaf_of(const Trie &trie, const Prefix &prefix) const
{
	const uint32_t row = index_.find(prefix);
	if (row == 0 || (trie.part != nullptr && !trie.part->has(row)))
		return SL_LEAF_NONE;
	return tables_->prefix[row].leaf;
}

void FibWriter::insert(const Trie &trie, const Prefix &prefix, uint64_t leaf)
{
	const uint32_t root = *trie.root;
	if (sl_fib_kind_of(root) != SL_FIB_TRIE)
		return direct_insert(trie, prefix, leaf);
	if (prefix.length != 0)
		return insert_below(trie, prefix, leaf);
	if (root != 0) {
		set_values(root, inherited_slots(internal_[root]), leaf);
		return;
	}
	const uint32_t first = leaves_.allocate(1);
	tables_->fib_leaf[first] = leaf;
	Path path{};
	link(trie, path, prefix, 0, built({0, 1, 0, first, 0, {}}));
}

/// Inserts a prefix that is longer than what lies above the trie's first level.
void FibWriter::insert_below(const Trie &trie, const Prefix &prefix, uint64_t leaf)
{
	const Entry fresh{prefix, leaf};
	Path path{};
	if (trie.slot != nullptr ? (*trie.slot & SL_FIB_NODE) == 0 : *trie.root == 0) {
		const uint64_t inherited = trie.slot != nullptr ? *trie.slot : SL_LEAF_NONE;
		const bool may_be_tail = trie.slot != nullptr && prefix.family == 6;
		link(trie, path, prefix, trie.base,
		     subtree({&fresh, 1}, trie.base, inherited, may_be_tail));
		return;
	}
	const Place at = descend(trie, path, prefix);
	if (at.kind == Place::leaf) {
		const uint64_t inherited = leaf_at(read(at.row), slot_at(prefix.key, at.level));
		adopt(trie, path, prefix, at.level,
		      subtree({&fresh, 1}, at.level + 1, inherited, prefix.family == 6));
		return;
	}
	if (at.kind == Place::tail) {
		uint64_t *word = tables_->fib_node[at.row].word;
		const Entry both[]{tail_entry(prefix, at.level, at.row), fresh};
		if (both[0].prefix.length == prefix.length &&
		    both[0].prefix.key.high == prefix.key.high &&
		    both[0].prefix.key.low == prefix.key.low) {
			publish(word[SL_FIB_TAIL_LEAF], leaf);
			return;
		}
		const Built node = subtree(both, at.level, word[SL_FIB_TAIL_OTHERS], false);
		if (at.level == trie.base)
			link(trie, path, prefix, at.level, node);
		else
			adopt(trie, path, prefix, at.level - 1, node);
		return;
	}
	const FibPlace place = place_of(prefix);
	Internal internal = internal_[at.row];
	const uint64_t slots = slots_of(internal, place.r, place.slot);
	if (internal_has(internal, place.r, place.slot)) {
		set_values(at.row, slots, leaf);
		return;
	}
	internal_set(internal, place.r, place.slot, true);
	restructure(trie, path, prefix, internal, slots, leaf);
}

void FibWriter::remove(const Trie &trie, const Prefix &prefix)
{
	const uint32_t root = *trie.root;
	if (sl_fib_kind_of(root) != SL_FIB_TRIE)
		return direct_remove(trie, prefix);
	if (prefix.length != 0)
		return remove_below(trie, prefix);
	const Node node = read(root);
	if (!node.internal.empty() || node.vector != 0) {
		set_values(root, inherited_slots(node.internal), SL_LEAF_NONE);
		return;
	}
	__atomic_store_n(trie.root, 0u, __ATOMIC_RELEASE);
	retire_trie(root);
}

void FibWriter::remove_below(const Trie &trie, const Prefix &prefix)
{
	Path path{};
	const Place at = descend(trie, path, prefix);
	uint64_t value = 0;
	if (at.kind == Place::tail) {
		value = fallback(trie, path, prefix, at.level, 0);
	} else {
		const FibPlace place = place_of(prefix);
		value = fallback(trie, path, prefix, place.level, place.r - 1);
		Internal internal = internal_[at.row];
		internal_set(internal, place.r, place.slot, false);
		if (!internal.empty() || read(at.row).vector != 0) {
			restructure(trie, path, prefix, internal,
			            slots_of(internal, place.r, place.slot), value);
			return;
		}
	}
	// The node or tail is needed no more, nor are those above it that only led there.
	unsigned level = at.level;
	while (level > trie.base && internal_[path.row[level - 1]].empty() &&
	       ones(read(path.row[level - 1]).vector) == 1)
		level--;
	if (level > trie.base) {
		prune(trie, path, prefix, level - 1, value);
		return;
	}
	if (trie.slot != nullptr) {
		const uint64_t old = *trie.slot;
		publish(*trie.slot, value);
		retire_root(static_cast<uint32_t>(old), (old & SL_FIB_TAIL) != 0);
		return;
	}
	// Nothing is left but perhaps the default route.
	const uint32_t root = *trie.root;
	if (value == SL_LEAF_NONE) {
		__atomic_store_n(trie.root, 0u, __ATOMIC_RELEASE);
	} else {
		const uint32_t first = leaves_.allocate(1);
		const uint32_t row = nodes_.allocate(1);
		tables_->fib_leaf[first] = value;
		write(row, built({0, 1, 0, first, 0, {}}));
		__atomic_store_n(trie.root, row, __ATOMIC_RELEASE);
	}
	retire_trie(root);
}

} // namespace sealane
