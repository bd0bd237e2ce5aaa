// SPDX-License-Identifier: Apache-2.0
// What becomes of rows that are linked no more. A whole trie goes in parts: one of 2^24 slots would hold
// the writer up for longer than its event loop may stand still.
#include "fib_place.h"
#include "fib_writer.h"

namespace sealane
{

void FibWriter::let_go(Retired kind, uint32_t id, uint32_t count)
{
	let_go_++;
	if (!unseen_)
		reclaimer_.retire(kind, id, count);
	else if (kind == Retired::fib_nodes)
		release_nodes(id, count);
	else
		release_leaves(id, count);
}

void FibWriter::retire_leaves(const Node &node)
{
	if (node.leafvec != 0)
		let_go(Retired::fib_leaves, node.first_leaf, ones(node.leafvec));
}

void FibWriter::retire_children(const Node &node)
{
	if (node.vector != 0)
		let_go(Retired::fib_nodes, node.first_child, ones(node.vector));
}

/// Retires a node's leaves, children and all that hangs below.
void FibWriter::retire_below(const Node &node)
{
	for (uint64_t rest = node.vector & ~node.tails; rest != 0; rest &= rest - 1)
		retire_below(read(node.first_child + fib_rank(node.vector, first_one(rest))));
	retire_leaves(node);
	retire_children(node);
}

void FibWriter::retire_root(uint32_t row, bool tail)
{
	if (!tail)
		retire_below(read(row));
	let_go(Retired::fib_nodes, row, 1);
}

/// A trie without a table: one child of the root after the other.
bool FibWriter::retire_slots(OldTrie &old, int64_t &work)
{
	if (old.root == 0)
		return true;
	const Node node = read(old.root);
	for (; old.next < SL_FIB_SLOTS; old.next++) {
		if (((node.vector & ~node.tails) >> old.next & 1) == 0)
			continue;
		if (work <= 0)
			return false;
		const int64_t before = let_go_;
		retire_below(read(node.first_child + fib_rank(node.vector, old.next)));
		work -= kLetGoWork * (let_go_ - before);
	}
	retire_leaves(node);
	retire_children(node);
	let_go(Retired::fib_nodes, old.root, 1);
	return true;
}

bool FibWriter::retire_direct(OldTrie &old, int64_t &work)
{
	DirectPool &p = pool(old.root);
	const uint32_t id = sl_fib_row(old.root);
	const uint64_t *slot = p.slot(id);
	for (; old.next < p.filled(id); old.next++, work--) {
		if (work <= 0)
			return false;
		const uint64_t word = slot[old.next];
		if ((word & SL_FIB_NODE) == 0)
			continue;
		const int64_t before = let_go_;
		retire_root(static_cast<uint32_t>(word), (word & SL_FIB_TAIL) != 0);
		work -= kLetGoWork * (let_go_ - before);
	}
	p.retire(id);
	if (old.unseen)
		p.release(id);
	else
		reclaimer_.retire(Retired::fib_direct, old.root, 1);
	return true;
}

bool FibWriter::retire_some(OldTrie &old, int64_t &work)
{
	unseen_ = old.unseen;
	const bool done = sl_fib_kind_of(old.root) == SL_FIB_TRIE ? retire_slots(old, work)
	                                                          : retire_direct(old, work);
	unseen_ = false;
	return done;
}

void FibWriter::retire_trie(uint32_t root, bool unseen)
{
	OldTrie old{root, unseen};
	int64_t work = INT64_MAX;
	retire_some(old, work);
}

} // namespace sealane
