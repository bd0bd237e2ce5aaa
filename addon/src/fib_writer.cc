// SPDX-License-Identifier: Apache-2.0
#include "fib_writer.h"

namespace sealane
{

namespace
{

// Blocks of 64 units that one change may take from each pool. An insert takes at most two arrays of
// any length and 21 short ones; it leaves what a removal needs, so that a full pool can be emptied.
constexpr uint32_t kInsertBlocks = 8;
constexpr uint32_t kRemoveBlocks = 4;

/// The six address bits of a level.
unsigned slot_at(const sl_fib_key &key, unsigned level)
{
	const unsigned bit = level * SL_FIB_STRIDE;
	unsigned __int128 bits = static_cast<unsigned __int128>(key.high) << 64 | key.low;
	bits <<= bit;
	return static_cast<unsigned>(bits >> (128 - SL_FIB_STRIDE));
}

FibPlace place_of(const Prefix &prefix)
{
	const unsigned level = fib_level(prefix.length);
	return {level, prefix.length - level * SL_FIB_STRIDE, slot_at(prefix.key, level)};
}

/// The prefix of r bits of a level that covers `key`.
Prefix covering(const Prefix &prefix, unsigned level, unsigned r)
{
	const unsigned length = level * SL_FIB_STRIDE + r;
	return {prefix.vrf, prefix.family, static_cast<uint8_t>(length),
	        truncated(prefix.key, length)};
}

void publish(uint64_t &word, uint64_t value) { __atomic_store_n(&word, value, __ATOMIC_RELEASE); }

unsigned ones(uint64_t word) { return static_cast<unsigned>(std::popcount(word)); }

unsigned first_one(uint64_t word) { return static_cast<unsigned>(std::countr_zero(word)); }

} // namespace

FibWriter::FibWriter(Segment &segment, Reclaimer &reclaimer, const PrefixIndex &index)
	: tables_(segment.tables()), reclaimer_(reclaimer), index_(index),
	  nodes_(segment, SL_ARENA_FIB_NODE), leaves_(segment, SL_ARENA_FIB_LEAF),
	  internal_(SL_MAX_FIB_NODES)
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
}

void FibWriter::thaw()
{
	nodes_.thaw();
	leaves_.thaw();
}

FibWriter::Node FibWriter::read(uint32_t row) const
{
	const uint64_t *word = tables_->fib_node[row].word;
	return {word[SL_FIB_VECTOR], word[SL_FIB_LEAFVEC],
	        static_cast<uint32_t>(word[SL_FIB_BASES]),
	        static_cast<uint32_t>(word[SL_FIB_BASES] >> 32), internal_[row]};
}

/// Only into rows that are not linked yet.
void FibWriter::write(uint32_t row, const Node &node)
{
	uint64_t *word = tables_->fib_node[row].word;
	word[SL_FIB_VECTOR] = node.vector;
	word[SL_FIB_LEAFVEC] = node.leafvec;
	word[SL_FIB_BASES] = static_cast<uint64_t>(node.first_child) << 32 | node.first_leaf;
	word[3] = 0;
	internal_[row] = node.internal;
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

/// A path of new nodes from level `from` to where the prefix ends; nothing else lies on it.
FibWriter::Node FibWriter::chain(const Prefix &prefix, unsigned from, uint64_t inherited,
                                 uint64_t leaf)
{
	const FibPlace place = place_of(prefix);
	// Stands for "every slot inherits".
	const uint32_t base = leaves_.allocate(1);
	tables_->fib_leaf[base] = inherited;
	const Node all_inherited{0, 1, base, 0, {}};
	Node node{0, 0, 0, 0, {}};
	internal_set(node.internal, place.r, place.slot, true);
	node.leafvec = leafvec_of(node.internal, 0);
	node.first_leaf =
		new_leaves(all_inherited, node.leafvec, fib_range(place.r, place.slot), leaf);
	for (unsigned level = place.level; level > from; level--) {
		const uint32_t row = nodes_.allocate(1);
		write(row, node);
		const uint64_t vector = 1ull << slot_at(prefix.key, level - 1);
		node = {vector, leafvec_of({}, vector), 0, row, {}};
		node.first_leaf = new_leaves(all_inherited, node.leafvec, 0, 0);
	}
	leaves_.release(base, 1); // was never linked
	return node;
}

/// Puts a node in the place of the one at path.row[level]: its row is copied with its siblings,
/// since a row's first two words cannot change together, and one store links the copy.
void FibWriter::link(const Trie &trie, Path &path, const Prefix &prefix, unsigned level,
                     const Node &node)
{
	if (level == 0) {
		const uint32_t old = *trie.root;
		const uint32_t row = nodes_.allocate(1);
		write(row, node);
		path.row[0] = row;
		__atomic_store_n(trie.root, row, __ATOMIC_RELEASE);
		if (old != 0)
			reclaimer_.retire(Retired::fib_nodes, old, 1);
		return;
	}
	const Node parent = read(path.row[level - 1]);
	const unsigned count = ones(parent.vector);
	const unsigned place = fib_rank(parent.vector, slot_at(prefix.key, level - 1));
	const uint32_t first = nodes_.allocate(count);
	for (unsigned i = 0; i < count; i++) {
		tables_->fib_node[first + i] = tables_->fib_node[parent.first_child + i];
		internal_[first + i] = internal_[parent.first_child + i];
	}
	write(first + place, node);
	path.row[level] = first + place;
	publish(tables_->fib_node[path.row[level - 1]].word[SL_FIB_BASES],
	        static_cast<uint64_t>(first) << 32 | parent.first_leaf);
	retire_children(parent);
}

/// Gives the node at path.row[level] a child at the prefix's slot.
void FibWriter::graft(const Trie &trie, Path &path, const Prefix &prefix, unsigned level,
                      const Node &child)
{
	const Node old = read(path.row[level]);
	const unsigned slot = slot_at(prefix.key, level);
	Node node = old;
	node.vector |= 1ull << slot;
	node.leafvec = leafvec_of(node.internal, node.vector);
	node.first_leaf = new_leaves(old, node.leafvec, 0, 0);
	node.first_child = nodes_.allocate(ones(node.vector));
	const unsigned place = fib_rank(node.vector, slot);
	for (unsigned i = 0; i < ones(old.vector); i++) {
		const uint32_t to = node.first_child + i + (i >= place ? 1 : 0);
		tables_->fib_node[to] = tables_->fib_node[old.first_child + i];
		internal_[to] = internal_[old.first_child + i];
	}
	write(node.first_child + place, child);
	link(trie, path, prefix, level, node);
	retire_leaves(old);
	retire_children(old);
}

/// Takes away the child at the prefix's slot of path.row[level]; the slot becomes a leaf, `value`.
void FibWriter::prune(const Trie &trie, Path &path, const Prefix &prefix, unsigned level,
                      uint64_t value)
{
	const Node old = read(path.row[level]);
	const unsigned slot = slot_at(prefix.key, level);
	const unsigned place = fib_rank(old.vector, slot);
	Node node = old;
	node.vector &= ~(1ull << slot);
	node.leafvec = leafvec_of(node.internal, node.vector);
	node.first_leaf = new_leaves(old, node.leafvec, 1ull << slot, value);
	node.first_child = node.vector == 0 ? 0 : nodes_.allocate(ones(node.vector));
	for (unsigned i = 0; i < ones(node.vector); i++) {
		const uint32_t from = old.first_child + i + (i >= place ? 1 : 0);
		tables_->fib_node[node.first_child + i] = tables_->fib_node[from];
		internal_[node.first_child + i] = internal_[from];
	}
	link(trie, path, prefix, level, node);
	const Node child = read(old.first_child + place);
	retire_below(child);
	retire_leaves(old);
	retire_children(old);
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
	link(trie, path, prefix, level, node);
	retire_leaves(old);
	for (uint64_t rest = node.vector & changed; rest != 0; rest &= rest - 1) {
		const uint32_t child = node.first_child + fib_rank(node.vector, first_one(rest));
		set_values(child, inherited_slots(internal_[child]), value);
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
		const uint32_t child = node.first_child + fib_rank(node.vector, first_one(rest));
		set_values(child, inherited_slots(internal_[child]), value);
	}
}

/// Leaf of the longest prefix shorter than this one that covers it.
uint64_t FibWriter::fallback(const Path &path, const Prefix &prefix) const
{
	const FibPlace place = place_of(prefix);
	unsigned up_to = place.r - 1;
	for (unsigned level = place.level + 1; level-- > 0; up_to = 6) {
		const unsigned slot = slot_at(prefix.key, level);
		const unsigned r = internal_source(internal_[path.row[level]], slot, up_to);
		if (r != 0)
			return index_.leaf(covering(prefix, level, r));
	}
	return index_.leaf(covering(prefix, 0, 0));
}

void FibWriter::insert(const Trie &trie, const Prefix &prefix, uint64_t leaf)
{
	const uint32_t root = *trie.root;
	Path path{};
	if (prefix.length == 0) {
		if (root != 0) {
			set_values(root, inherited_slots(internal_[root]), leaf);
			return;
		}
		const uint32_t first = leaves_.allocate(1);
		tables_->fib_leaf[first] = leaf;
		link(trie, path, prefix, 0, {0, 1, first, 0, {}});
		return;
	}
	if (root == 0) {
		link(trie, path, prefix, 0, chain(prefix, 0, SL_LEAF_NONE, leaf));
		return;
	}
	const FibPlace place = place_of(prefix);
	path.row[0] = root;
	for (unsigned level = 0; level < place.level; level++) {
		const Node node = read(path.row[level]);
		const unsigned slot = slot_at(prefix.key, level);
		if ((node.vector >> slot & 1) == 0) {
			graft(trie, path, prefix, level,
			      chain(prefix, level + 1, leaf_at(node, slot), leaf));
			return;
		}
		path.row[level + 1] = node.first_child + fib_rank(node.vector, slot);
	}
	const uint32_t row = path.row[place.level];
	Internal internal = internal_[row];
	const uint64_t slots = slots_of(internal, place.r, place.slot);
	if (internal_has(internal, place.r, place.slot)) {
		set_values(row, slots, leaf);
		return;
	}
	internal_set(internal, place.r, place.slot, true);
	restructure(trie, path, prefix, internal, slots, leaf);
}

void FibWriter::remove(const Trie &trie, const Prefix &prefix)
{
	const uint32_t root = *trie.root;
	if (prefix.length == 0) {
		const Node node = read(root);
		if (!node.internal.empty() || node.vector != 0) {
			set_values(root, inherited_slots(node.internal), SL_LEAF_NONE);
			return;
		}
		__atomic_store_n(trie.root, 0u, __ATOMIC_RELEASE);
		retire_trie(root);
		return;
	}
	const FibPlace place = place_of(prefix);
	Path path{};
	path.row[0] = root;
	for (unsigned level = 0; level < place.level; level++) {
		const Node node = read(path.row[level]);
		path.row[level + 1] =
			node.first_child + fib_rank(node.vector, slot_at(prefix.key, level));
	}
	const uint64_t value = fallback(path, prefix);
	Internal internal = internal_[path.row[place.level]];
	internal_set(internal, place.r, place.slot, false);
	if (!internal.empty() || read(path.row[place.level]).vector != 0) {
		restructure(trie, path, prefix, internal, slots_of(internal, place.r, place.slot),
		            value);
		return;
	}
	// The node is needed no more, nor are those above it that only led there.
	unsigned level = place.level;
	while (level > 0 && internal_[path.row[level - 1]].empty() &&
	       ones(read(path.row[level - 1]).vector) == 1)
		level--;
	if (level > 0) {
		prune(trie, path, prefix, level - 1, value);
		return;
	}
	// Nothing is left but perhaps the default route.
	if (value == SL_LEAF_NONE) {
		__atomic_store_n(trie.root, 0u, __ATOMIC_RELEASE);
	} else {
		const uint32_t first = leaves_.allocate(1);
		const uint32_t row = nodes_.allocate(1);
		tables_->fib_leaf[first] = value;
		write(row, {0, 1, first, 0, {}});
		__atomic_store_n(trie.root, row, __ATOMIC_RELEASE);
	}
	retire_trie(root);
}

void FibWriter::retire_leaves(const Node &node)
{
	if (node.leafvec != 0)
		reclaimer_.retire(Retired::fib_leaves, node.first_leaf, ones(node.leafvec));
}

void FibWriter::retire_children(const Node &node)
{
	if (node.vector != 0)
		reclaimer_.retire(Retired::fib_nodes, node.first_child, ones(node.vector));
}

/// Retires a node's leaves, children and all that hangs below.
void FibWriter::retire_below(const Node &node)
{
	for (unsigned i = 0; i < ones(node.vector); i++)
		retire_below(read(node.first_child + i));
	retire_leaves(node);
	retire_children(node);
}

void FibWriter::retire_trie(uint32_t root)
{
	if (root == 0)
		return;
	retire_below(read(root));
	reclaimer_.retire(Retired::fib_nodes, root, 1);
}

} // namespace sealane
