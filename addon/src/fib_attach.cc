// SPDX-License-Identifier: Apache-2.0
// What a writer does with the tries it finds: walk them for the space in use, and compare them with
// the prefix rows they were derived from.
#include "fib_writer.h"

namespace sealane
{

namespace
{

unsigned ones(uint64_t word) { return static_cast<unsigned>(std::popcount(word)); }

/// `at` is the node's own prefix; appends r bits of a slot to it.
Prefix below(const Prefix &at, unsigned slot, unsigned r)
{
	const unsigned __int128 bits =
		static_cast<unsigned __int128>(slot) << (128 - SL_FIB_STRIDE) >> at.length;
	Prefix prefix = at;
	prefix.length = static_cast<uint8_t>(at.length + r);
	prefix.key.high |= static_cast<uint64_t>(bits >> 64);
	prefix.key.low |= static_cast<uint64_t>(bits);
	prefix.key = truncated(prefix.key, prefix.length);
	return prefix;
}

} // namespace

bool FibWriter::mark_below(const Node &node, unsigned levels)
{
	const unsigned children = ones(node.vector);
	const unsigned runs = ones(node.leafvec);
	// Every slot without a child needs a leaf, and the deepest level has no children.
	if ((node.vector & node.leafvec) != 0 || (node.vector != ~0ull && runs == 0) ||
	    (levels == 1 && children != 0))
		return false;
	if (runs != 0 && !leaves_.mark(node.first_leaf, runs))
		return false;
	if (children != 0 && !nodes_.mark(node.first_child, children))
		return false;
	for (unsigned i = 0; i < children; i++) {
		if (!mark_below(read(node.first_child + i), levels - 1))
			return false;
	}
	return true;
}

bool FibWriter::mark(const Trie &trie)
{
	const uint32_t root = *trie.root;
	if (root == 0)
		return true;
	return nodes_.mark(root, 1) &&
	       mark_below(read(root), trie.family == 4 ? SL_FIB4_LEVELS : SL_FIB6_LEVELS);
}

bool FibWriter::note(const Trie &trie, const Prefix &prefix)
{
	if (*trie.root == 0)
		return false;
	if (prefix.length == 0)
		return true;
	uint32_t row = *trie.root;
	sl_fib_key key = prefix.key;
	for (unsigned level = 0; level < fib_level(prefix.length); level++) {
		if (sl_fib_step(tables_, static_cast<unsigned>(key.high >> 58), &row) == 0)
			return false;
		sl_fib_advance(&key);
	}
	const unsigned r = prefix.length - fib_level(prefix.length) * SL_FIB_STRIDE;
	internal_set(internal_[row], r, static_cast<unsigned>(key.high >> 58), true);
	return true;
}

bool FibWriter::verify_below(uint32_t row, const Prefix &at, uint64_t inherited) const
{
	const Node node = read(row);
	if (node.leafvec != leafvec_of(node.internal, node.vector))
		return false;
	if (at.length != 0 && node.internal.empty() && node.vector == 0)
		return false; // should have been pruned
	for (uint64_t rest = node.leafvec | node.vector; rest != 0; rest &= rest - 1) {
		const unsigned slot = static_cast<unsigned>(std::countr_zero(rest));
		const unsigned r = internal_source(node.internal, slot);
		const uint64_t value = r == 0 ? inherited : index_.leaf(below(at, slot, r));
		if ((node.vector >> slot & 1) == 0) {
			if (leaf_at(node, slot) != value)
				return false;
		} else if (!verify_below(node.first_child + fib_rank(node.vector, slot),
		                         below(at, slot, SL_FIB_STRIDE), value)) {
			return false;
		}
	}
	return true;
}

bool FibWriter::verify(const Trie &trie) const
{
	const Prefix root{trie.vrf, trie.family, 0, {0, 0}};
	const uint64_t inherited = index_.leaf(root);
	if (*trie.root == 0)
		return inherited == SL_LEAF_NONE;
	const Node node = read(*trie.root);
	if (node.internal.empty() && node.vector == 0 && inherited == SL_LEAF_NONE)
		return false;
	return verify_below(*trie.root, root, inherited);
}

} // namespace sealane
