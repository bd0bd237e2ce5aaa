// SPDX-License-Identifier: Apache-2.0
// New nodes, and the one store that links them in the place of old ones.
#include "fib_place.h"
#include "fib_writer.h"

namespace sealane
{

/// What one or two prefixes make of a slot of the level above that nothing else lies below.
FibWriter::Built FibWriter::subtree(std::span<const Entry> entries, unsigned level,
                                    uint64_t inherited, bool may_be_tail)
{
	const unsigned done = level * SL_FIB_STRIDE;
	if (may_be_tail && entries.size() == 1 && entries[0].prefix.length - done <= 64) {
		const unsigned count = entries[0].prefix.length - done;
		return {{{bits_from(entries[0].prefix.key, level), ~0ull << (64 - count),
		          entries[0].leaf, inherited}},
		        {},
		        true};
	}
	Node node{0, 0, 0, 0, 0, {}};
	for (const Entry &entry : entries) {
		const FibPlace place = place_of(entry.prefix);
		if (place.level == level)
			internal_set(node.internal, place.r, place.slot, true);
		else
			node.vector |= 1ull << slot_at(entry.prefix.key, level);
	}
	const auto value = [&](unsigned slot) {
		const unsigned r = internal_source(node.internal, slot);
		for (const Entry &entry : entries) {
			const FibPlace place = place_of(entry.prefix);
			if (place.level == level && place.r == r &&
			    (fib_range(r, place.slot) >> slot & 1) != 0)
				return entry.leaf;
		}
		return inherited;
	};
	node.leafvec = leafvec_of(node.internal, node.vector);
	node.first_leaf = node.leafvec == 0 ? 0 : leaves_.allocate(ones(node.leafvec));
	uint32_t leaf = node.first_leaf;
	for (uint64_t rest = node.leafvec; rest != 0; rest &= rest - 1)
		tables_->fib_leaf[leaf++] = value(first_one(rest));
	node.first_child = node.vector == 0 ? 0 : nodes_.allocate(ones(node.vector));
	uint32_t row = node.first_child;
	for (uint64_t rest = node.vector; rest != 0; rest &= rest - 1) {
		const unsigned slot = first_one(rest);
		Entry below[2];
		size_t count = 0;
		for (const Entry &entry : entries) {
			if (place_of(entry.prefix).level != level &&
			    slot_at(entry.prefix.key, level) == slot)
				below[count++] = entry;
		}
		const Built child = subtree({below, count}, level + 1, value(slot),
		                            entries[0].prefix.family == 6);
		node.tails |= static_cast<uint64_t>(child.tail) << slot;
		write(row++, child);
	}
	return built(node);
}

void FibWriter::publish_root(const Trie &trie, uint32_t row, bool tail)
{
	if (trie.slot != nullptr)
		publish(*trie.slot, SL_FIB_NODE | (tail ? SL_FIB_TAIL : 0) | row);
	else
		__atomic_store_n(trie.root, row, __ATOMIC_RELEASE);
}

/// Puts a node in the place of the one at path.row[level]: its row is copied with its siblings,
/// since a row's first two words cannot change together, and one store links the copy. At the root
/// also where there was none, or a tail.
void FibWriter::link(const Trie &trie, Path &path, const Prefix &prefix, unsigned level,
                     const Built &what)
{
	if (level == trie.base) {
		const bool linked =
			trie.slot != nullptr ? (*trie.slot & SL_FIB_NODE) != 0 : *trie.root != 0;
		const auto old =
			trie.slot != nullptr ? static_cast<uint32_t>(*trie.slot) : *trie.root;
		const uint32_t row = nodes_.allocate(1);
		write(row, what);
		path.row[level] = row;
		publish_root(trie, row, what.tail);
		if (linked)
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
	write(first + place, what);
	path.row[level] = first + place;
	publish(tables_->fib_node[path.row[level - 1]].word[SL_FIB_BASES],
	        static_cast<uint64_t>(first) << 32 | parent.first_leaf);
	retire_children(parent);
}

/// Gives the node at path.row[level] a child at the prefix's slot, in the place of a leaf or a tail.
void FibWriter::adopt(const Trie &trie, Path &path, const Prefix &prefix, unsigned level,
                      const Built &child)
{
	const Node old = read(path.row[level]);
	const unsigned slot = slot_at(prefix.key, level);
	const bool had = (old.vector >> slot & 1) != 0;
	Node node = old;
	node.vector |= 1ull << slot;
	node.tails = (old.tails & ~(1ull << slot)) | static_cast<uint64_t>(child.tail) << slot;
	if (!had) {
		node.leafvec = leafvec_of(node.internal, node.vector);
		node.first_leaf = new_leaves(old, node.leafvec, 0, 0);
	}
	node.first_child = nodes_.allocate(ones(node.vector));
	const unsigned place = fib_rank(node.vector, slot);
	for (unsigned i = 0; i < ones(node.vector); i++) {
		if (i == place)
			continue;
		const uint32_t from = old.first_child + i - (!had && i > place ? 1 : 0);
		tables_->fib_node[node.first_child + i] = tables_->fib_node[from];
		internal_[node.first_child + i] = internal_[from];
	}
	write(node.first_child + place, child);
	link(trie, path, prefix, level, built(node));
	if (!had)
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
	node.tails &= node.vector;
	node.leafvec = leafvec_of(node.internal, node.vector);
	node.first_leaf = new_leaves(old, node.leafvec, 1ull << slot, value);
	node.first_child = node.vector == 0 ? 0 : nodes_.allocate(ones(node.vector));
	for (unsigned i = 0; i < ones(node.vector); i++) {
		const uint32_t from = old.first_child + i + (i >= place ? 1 : 0);
		tables_->fib_node[node.first_child + i] = tables_->fib_node[from];
		internal_[node.first_child + i] = internal_[from];
	}
	link(trie, path, prefix, level, built(node));
	if ((old.tails >> slot & 1) == 0)
		retire_below(read(old.first_child + place));
	retire_leaves(old);
	retire_children(old);
}

} // namespace sealane
