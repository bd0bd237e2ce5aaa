// SPDX-License-Identifier: Apache-2.0
// Tries whose first levels are a direct table (fib.h).
//
// Of each slot the writer knows, in `depth`, how long the prefix is that its leaf comes of: a change of a
// prefix of the table's own lengths touches those slots of its range that have no longer one. Which slots
// a writer that died had already changed shows at attach: they do not tell what the rows tell.
#include <algorithm>
#include <optional>

#include "fib_writer.h"

namespace sealane
{

namespace
{

uint32_t slot_of(const sl_fib_key &key, unsigned bits)
{
	return static_cast<uint32_t>(key.high >> (64 - bits));
}

/// The slot as a prefix of `length` bits.
Prefix prefix_of_slot(const Trie &trie, uint32_t slot, unsigned bits, unsigned length)
{
	const sl_fib_key key{static_cast<uint64_t>(slot) << (64 - bits), 0};
	return {trie.vrf, trie.family, static_cast<uint8_t>(length), truncated(key, length)};
}

} // namespace

bool FibWriter::begin_root(sl_fib_kind kind, uint32_t &root)
{
	root = 0;
	if (kind == SL_FIB_TRIE)
		return true;
	const std::optional<uint32_t> id = pool(sl_fib_root_word(kind, 0)).begin();
	if (id)
		root = sl_fib_root_word(kind, *id);
	return id.has_value();
}

void FibWriter::fill(const Trie &trie, int64_t &work)
{
	const uint32_t root = *trie.root;
	if (sl_fib_kind_of(root) != SL_FIB_TRIE)
		pool(root).fill(sl_fib_row(root), leaf_of(trie, {trie.vrf, trie.family, 0, {0, 0}}),
		                work);
}

bool FibWriter::filled(const Trie &trie) const
{
	const uint32_t root = *trie.root;
	return sl_fib_kind_of(root) == SL_FIB_TRIE ||
	       pool(root).filled(sl_fib_row(root)) == pool(root).slots();
}

/// One behind the last slot that a prefix of the table's own lengths covers.
uint32_t FibWriter::last_slot(const Trie &trie, const Prefix &prefix) const
{
	const DirectPool &p = pool(*trie.root);
	const uint32_t end = slot_of(prefix.key, p.bits()) + (1u << (p.bits() - prefix.length));
	return std::min(end, p.filled(sl_fib_row(*trie.root)));
}

int64_t FibWriter::insert_work(const Trie &trie, const Prefix &prefix) const
{
	const unsigned bits = sl_fib_direct_bits(sl_fib_kind_of(*trie.root));
	return kBelowWork + (prefix.length >= bits ? 0 : int64_t{1} << (bits - prefix.length));
}

/// What lies below a slot, as a trie of its own.
Trie FibWriter::below_slot(const Trie &trie, uint32_t slot)
{
	DirectPool &p = pool(*trie.root);
	const uint32_t id = sl_fib_row(*trie.root);
	return {trie.root,     trie.vrf,          trie.family, p.slot(id) + slot,
	        p.bits() / 6u, p.depth(id)[slot], trie.part};
}

/// Gives a slot another leaf, or what lies below it another one to inherit.
void FibWriter::set_slot(uint64_t &slot, uint64_t leaf)
{
	if ((slot & SL_FIB_NODE) == 0)
		__atomic_store_n(&slot, leaf, __ATOMIC_RELEASE);
	else
		set_inherited(static_cast<uint32_t>(slot), (slot & SL_FIB_TAIL) != 0, leaf);
}

void FibWriter::direct_insert(const Trie &trie, const Prefix &prefix, uint64_t leaf)
{
	DirectPool &p = pool(*trie.root);
	const uint32_t id = sl_fib_row(*trie.root);
	const uint32_t first = slot_of(prefix.key, p.bits());
	if (prefix.length > p.bits())
		return insert_below(below_slot(trie, first), prefix, leaf);
	const uint32_t end = last_slot(trie, prefix);
	DirectPool::Depth &depth = p.depth(id);
	uint64_t *slot = p.slot(id);
	for (uint32_t s = first; s < end; s++) {
		if (depth[s] > prefix.length)
			continue;
		depth[s] = prefix.length;
		set_slot(slot[s], leaf);
	}
}

void FibWriter::direct_remove(const Trie &trie, const Prefix &prefix)
{
	DirectPool &p = pool(*trie.root);
	const uint32_t id = sl_fib_row(*trie.root);
	const uint32_t first = slot_of(prefix.key, p.bits());
	if (prefix.length > p.bits())
		return remove_below(below_slot(trie, first), prefix);
	const uint32_t end = last_slot(trie, prefix);
	uint8_t length = prefix.length;
	uint64_t leaf = SL_LEAF_NONE;
	while (length-- > 0 && leaf == SL_LEAF_NONE)
		leaf = leaf_of(trie, prefix_of_slot(trie, first, p.bits(), length));
	length++; // of the prefix found; of none, 0
	DirectPool::Depth &depth = p.depth(id);
	uint64_t *slot = p.slot(id);
	for (uint32_t s = first; s < end; s++) {
		if (depth[s] != prefix.length)
			continue;
		depth[s] = length;
		set_slot(slot[s], leaf);
	}
}

void FibWriter::prefetch(const Trie &trie, const Prefix &prefix) const
{
	if (sl_fib_kind_of(*trie.root) == SL_FIB_TRIE)
		return;
	const DirectPool &p = pool(*trie.root);
	const uint32_t id = sl_fib_row(*trie.root);
	const uint32_t slot = slot_of(prefix.key, p.bits());
	__builtin_prefetch(p.slot(id) + slot, 1);
	__builtin_prefetch(&p.depth(id)[slot], 1);
}

void FibWriter::release_direct(uint32_t root) { pool(root).release(sl_fib_row(root)); }

bool FibWriter::direct_mark(const Trie &trie)
{
	const uint32_t root = *trie.root;
	const uint32_t id = sl_fib_row(root);
	if (sl_fib_kind_of(root) > SL_FIB_DIRECT24 || !pool(root).mark(id))
		return false;
	const DirectPool &p = pool(root);
	const unsigned level = p.bits() / SL_FIB_STRIDE;
	const unsigned bits = address_bits(trie.family);
	const uint64_t *slot = p.slot(id);
	for (uint32_t s = 0; s < p.slots(); s++) {
		if ((slot[s] & SL_FIB_NODE) == 0)
			continue;
		const auto row = static_cast<uint32_t>(slot[s]);
		if (!nodes_.mark(row, 1))
			return false;
		if (!((slot[s] & SL_FIB_TAIL) != 0 ? mark_tail(row, level, bits)
		                                   : mark_below(read(row), level, bits)))
			return false;
	}
	return true;
}

bool FibWriter::direct_note(const Trie &trie, const Prefix &prefix)
{
	DirectPool &p = pool(*trie.root);
	const uint32_t id = sl_fib_row(*trie.root);
	const uint32_t first = slot_of(prefix.key, p.bits());
	if (prefix.length > p.bits()) {
		const uint64_t slot = p.slot(id)[first];
		return (slot & SL_FIB_NODE) != 0 &&
		       note_below(static_cast<uint32_t>(slot), (slot & SL_FIB_TAIL) != 0,
		                  p.bits() / SL_FIB_STRIDE, prefix);
	}
	DirectPool::Depth &depth = p.depth(id);
	for (uint32_t s = first; s - first < 1u << (p.bits() - prefix.length); s++)
		depth[s] = std::max(depth[s], prefix.length);
	return true;
}

bool FibWriter::direct_verify(const Trie &trie) const
{
	const DirectPool &p = pool(*trie.root);
	const uint32_t id = sl_fib_row(*trie.root);
	const uint64_t *slot = p.slot(id);
	const DirectPool::Depth &depth = p.depth(id);
	uint64_t leaf = SL_LEAF_NONE;
	for (uint32_t s = 0; s < p.slots(); s++) {
		// Neighbours mostly come of one prefix: the index is asked once for them.
		if (s == 0 || depth[s] != depth[s - 1] ||
		    ((s ^ (s - 1)) >> (p.bits() - depth[s])) != 0)
			leaf = index_.leaf(prefix_of_slot(trie, s, p.bits(), depth[s]));
		if ((slot[s] & SL_FIB_NODE) == 0) {
			if (slot[s] != leaf)
				return false;
			continue;
		}
		const auto row = static_cast<uint32_t>(slot[s]);
		const Prefix at = prefix_of_slot(trie, s, p.bits(), p.bits());
		if (!((slot[s] & SL_FIB_TAIL) != 0 ? verify_tail(row, at, leaf)
		                                   : verify_below(row, at, leaf)))
			return false;
	}
	return true;
}

} // namespace sealane
