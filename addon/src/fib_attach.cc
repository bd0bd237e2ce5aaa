// SPDX-License-Identifier: Apache-2.0
// What a writer does with the tries it finds: walk them for the space in use, and compare them with
// the prefix rows they were derived from.
#include "fib_place.h"
#include "fib_writer.h"

namespace sealane
{

namespace
{

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

/// Whether a tail of this level names a prefix of at most `bits` bits.
bool FibWriter::mark_tail(uint32_t row, unsigned level, unsigned bits) const
{
	const uint64_t *word = tables_->fib_node[row].word;
	const uint64_t mask = word[SL_FIB_TAIL_MASK];
	const unsigned count = ones(mask);
	return count != 0 && mask == ~0ull << (64 - count) &&
	       (word[SL_FIB_TAIL_BITS] & ~mask) == 0 && level * SL_FIB_STRIDE + count <= bits;
}

/// `bits`: of an address.
bool FibWriter::mark_below(const Node &node, unsigned level, unsigned bits)
{
	const unsigned children = ones(node.vector);
	const unsigned runs = ones(node.leafvec);
	// Every slot without a child needs a leaf, and the deepest level has no children.
	if ((node.vector & node.leafvec) != 0 || (node.vector != ~0ull && runs == 0) ||
	    (node.tails & ~node.vector) != 0 ||
	    ((level + 1) * SL_FIB_STRIDE >= bits && children != 0))
		return false;
	if (runs != 0 && !leaves_.mark(node.first_leaf, runs))
		return false;
	if (children != 0 && !nodes_.mark(node.first_child, children))
		return false;
	for (uint64_t rest = node.vector; rest != 0; rest &= rest - 1) {
		const unsigned slot = static_cast<unsigned>(std::countr_zero(rest));
		const uint32_t row = node.first_child + fib_rank(node.vector, slot);
		const bool tail = (node.tails >> slot & 1) != 0;
		if (!(tail ? mark_tail(row, level + 1, bits)
		           : mark_below(read(row), level + 1, bits)))
			return false;
	}
	return true;
}

bool FibWriter::mark(const Trie &trie)
{
	const uint32_t root = *trie.root;
	if (root == 0)
		return true;
	if (sl_fib_kind_of(root) != SL_FIB_TRIE)
		return direct_mark(trie);
	return nodes_.mark(root, 1) && mark_below(read(root), 0, address_bits(trie.family));
}

bool FibWriter::note(const Trie &trie, const Prefix &prefix)
{
	if (*trie.root == 0)
		return false;
	if (sl_fib_kind_of(*trie.root) != SL_FIB_TRIE)
		return direct_note(trie, prefix);
	return prefix.length == 0 || note_below(*trie.root, false, 0, prefix);
}

/// From a node or tail of `level` on.
bool FibWriter::note_below(uint32_t row, bool tail, unsigned level, const Prefix &prefix)
{
	sl_fib_key key = prefix.key;
	for (unsigned done = 0; done < level; done++)
		sl_fib_advance(&key, SL_FIB_STRIDE);
	for (; !tail && level < fib_level(prefix.length); level++) {
		const unsigned step =
			sl_fib_step_tails(tables_, static_cast<unsigned>(key.high >> 58), &row);
		if (step == 0)
			return false;
		tail = step == 2;
		sl_fib_advance(&key, SL_FIB_STRIDE);
	}
	if (tail) {
		const uint64_t *word = tables_->fib_node[row].word;
		return word[SL_FIB_TAIL_BITS] == key.high &&
		       level * SL_FIB_STRIDE + ones(word[SL_FIB_TAIL_MASK]) == prefix.length;
	}
	const unsigned r = prefix.length - fib_level(prefix.length) * SL_FIB_STRIDE;
	internal_set(internal_[row], r, static_cast<unsigned>(key.high >> 58), true);
	return true;
}

/// `at`: the prefix of the place at which the tail stands.
bool FibWriter::verify_tail(uint32_t row, const Prefix &at, uint64_t inherited) const
{
	const uint64_t *word = tables_->fib_node[row].word;
	const unsigned __int128 rest =
		static_cast<unsigned __int128>(word[SL_FIB_TAIL_BITS]) << 64 >> at.length;
	Prefix prefix = at;
	prefix.length = static_cast<uint8_t>(at.length + ones(word[SL_FIB_TAIL_MASK]));
	prefix.key.high |= static_cast<uint64_t>(rest >> 64);
	prefix.key.low |= static_cast<uint64_t>(rest);
	return word[SL_FIB_TAIL_OTHERS] == inherited && word[SL_FIB_TAIL_LEAF] != SL_LEAF_NONE &&
	       word[SL_FIB_TAIL_LEAF] == index_.leaf(prefix);
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
		} else {
			const uint32_t child = node.first_child + fib_rank(node.vector, slot);
			const Prefix there = below(at, slot, SL_FIB_STRIDE);
			if (!((node.tails >> slot & 1) != 0 ? verify_tail(child, there, value)
			                                    : verify_below(child, there, value)))
				return false;
		}
	}
	return true;
}

bool FibWriter::verify(const Trie &trie) const
{
	if (sl_fib_kind_of(*trie.root) != SL_FIB_TRIE)
		return direct_verify(trie);
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
