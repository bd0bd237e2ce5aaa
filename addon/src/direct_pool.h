// SPDX-License-Identifier: Apache-2.0
// Allocator of the direct tables of fib.h: few and large, so each has an entry of its own here.
#ifndef SEALANE_ADDON_DIRECT_POOL_H
#define SEALANE_ADDON_DIRECT_POOL_H

#include <sys/mman.h>

#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <vector>

#include "segment.h"

namespace sealane
{

/// A table of `rows` T, zero, backed by the kernel as it is touched.
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

class DirectPool
{
public:
	/// Of slot s: the length of the prefix that it has its leaf of, 0 for a default route or none.
	using Depth = SparseTable<uint8_t>;

	DirectPool(Segment &segment, sl_arena which, unsigned bits)
		: segment_(segment), which_(which), bits_(bits)
	{
	}

	/// A table that is still to be filled; nullopt while another one is being backed with memory.
	/// Throws SEGMENT_SPACE, TABLE_FULL; nothing has changed then.
	std::optional<uint32_t> begin();
	/// Gives the next slots `leaf`, at most `work` of them, which it lowers. Throws SEGMENT_SPACE.
	void fill(uint32_t id, uint64_t leaf, int64_t &work);
	/// Slots that have been filled: of a table in use, all.
	uint32_t filled(uint32_t id) const { return tables_[id].filled; }
	/// It is linked no more, but may still be read until release().
	void retire(uint32_t id) { tables_[id].depth.reset(); }
	void release(uint32_t id);

	/// Attach: notes a table found at a root. False when it is out of range or found before.
	bool mark(uint32_t id);
	/// Attach, after all marks: tables that are not marked stay unused until thaw().
	void quarantine();
	void thaw();

	unsigned bits() const { return bits_; }
	uint32_t slots() const { return 1u << bits_; }
	uint64_t *slot(uint32_t id) const;
	Depth &depth(uint32_t id) { return *tables_[id].depth; }
	const Depth &depth(uint32_t id) const { return *tables_[id].depth; }
	/// Tables in use or waiting for readers.
	uint32_t live() const;

private:
	enum class State : uint8_t { free, used, held };
	struct Table {
		State state = State::free;
		uint32_t filled = 0;
		std::unique_ptr<Depth> depth{}; // of a table that is linked, or is to be
	};

	void adopt_committed() { tables_.resize(segment_.committed(which_)); }

	Segment &segment_;
	sl_arena which_;
	unsigned bits_;
	std::vector<Table> tables_; // all that are backed, and the one that is being
	bool backing_ = false;      // the last of them is not committed yet
};

} // namespace sealane

#endif
