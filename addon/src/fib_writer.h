// SPDX-License-Identifier: Apache-2.0
// The one writer of the tries that fib.h reads.
#ifndef SEALANE_ADDON_FIB_WRITER_H
#define SEALANE_ADDON_FIB_WRITER_H

#include <sys/mman.h>

#include <cstdint>
#include <new>
#include <vector>

#include "fib_math.h"
#include "prefix_index.h"
#include "reclaim.h"
#include "segment.h"
#include "unit_pool.h"

namespace sealane
{

/// A table with room for one T per unit of a FIB pool, backed by the kernel as it is touched.
template <class T> class SparseTable
{
public:
	explicit SparseTable(size_t rows) : bytes_(rows * sizeof(T))
	{
		void *where = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
		                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (where == MAP_FAILED)
			throw std::bad_alloc();
		rows_ = static_cast<T *>(where);
	}
	~SparseTable() { munmap(rows_, bytes_); }
	SparseTable(const SparseTable &) = delete;
	SparseTable &operator=(const SparseTable &) = delete;
	T &operator[](uint32_t row) { return rows_[row]; }
	const T &operator[](uint32_t row) const { return rows_[row]; }

private:
	T *rows_;
	size_t bytes_;
};

/// A trie: the word that holds its root, and whose prefixes it is made of.
struct Trie {
	uint32_t *root;
	uint32_t vrf;
	uint8_t family;
};

/*
 * How a change becomes visible: everything new is built beside the trie, then linked by one atomic
 * store (a parent's word 2, or the root); what it replaces is retired. Where only values change,
 * leaves are stored in place. An address is affected by exactly one of these stores, so each lookup
 * sees the old answer or the new one.
 */
class FibWriter
{
public:
	FibWriter(Segment &segment, Reclaimer &reclaimer, const PrefixIndex &index);

	/// Makes sure that the next change cannot run out of space. Throws SEGMENT_SPACE, TABLE_FULL.
	void reserve_for_insert();
	void reserve_for_remove();

	/// Adds a prefix or changes its leaf.
	void insert(const Trie &trie, const Prefix &prefix, uint64_t leaf);
	/// Takes a prefix out; it is no longer in the index. Its addresses fall to the longest
	/// prefix that covers it.
	void remove(const Trie &trie, const Prefix &prefix);

	// Attach, in this order: mark() all tries, quarantine(), note() all prefixes, verify().
	/// Notes the space of a trie as used. False: not a well-formed trie.
	bool mark(const Trie &trie);
	void quarantine();
	void thaw();
	/// Enters a live prefix into the writer's own tables. False: the trie lacks its node.
	bool note(const Trie &trie, const Prefix &prefix);
	/// The trie is exactly the one that the prefixes of the index make.
	bool verify(const Trie &trie) const;
	/// Retires all rows of a trie that is no longer linked; `root` as mark() accepted it.
	void retire_trie(uint32_t root);

	void release_nodes(uint32_t first, unsigned count) { nodes_.release(first, count); }
	void release_leaves(uint32_t first, unsigned count) { leaves_.release(first, count); }
	uint64_t nodes() const { return nodes_.used_units(); }
	uint64_t leaves() const { return leaves_.used_units(); }
	bool sound() const { return nodes_.sound() && leaves_.sound(); }

private:
	/// A node before it has a row.
	struct Node {
		uint64_t vector;
		uint64_t leafvec;
		uint32_t first_leaf;
		uint32_t first_child;
		Internal internal;
	};
	/// The rows from the root to where a prefix ends.
	struct Path {
		uint32_t row[SL_FIB6_LEVELS];
	};

	Node read(uint32_t row) const;
	void write(uint32_t row, const Node &node);
	uint64_t leaf_at(const Node &node, unsigned slot) const;
	uint32_t new_leaves(const Node &old, uint64_t leafvec, uint64_t changed, uint64_t value);
	Node chain(const Prefix &prefix, unsigned from, uint64_t inherited, uint64_t leaf);
	void link(const Trie &trie, Path &path, const Prefix &prefix, unsigned level,
	          const Node &node);
	void graft(const Trie &trie, Path &path, const Prefix &prefix, unsigned level,
	           const Node &child);
	void prune(const Trie &trie, Path &path, const Prefix &prefix, unsigned level,
	           uint64_t value);
	void restructure(const Trie &trie, Path &path, const Prefix &prefix,
	                 const Internal &internal, uint64_t changed, uint64_t value);
	void set_values(uint32_t row, uint64_t slots, uint64_t value);
	uint64_t fallback(const Path &path, const Prefix &prefix) const;
	void retire_leaves(const Node &node);
	void retire_children(const Node &node);
	void retire_below(const Node &node);
	bool mark_below(const Node &node, unsigned levels);
	bool verify_below(uint32_t row, const Prefix &at, uint64_t inherited) const;

	sl_tables *tables_;
	Reclaimer &reclaimer_;
	const PrefixIndex &index_;
	UnitPool nodes_;
	UnitPool leaves_;
	SparseTable<Internal> internal_; // by node row
};

} // namespace sealane

#endif
