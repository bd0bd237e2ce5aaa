// SPDX-License-Identifier: Apache-2.0
// Segment `tables` as a file: creation, attachment, the single writer's lock, growth of arenas.
#ifndef SEALANE_ADDON_SEGMENT_H
#define SEALANE_ADDON_SEGMENT_H

#include <cstddef>
#include <cstdint>
#include <string>

#include "sealane/tables.h"

namespace sealane
{

/// Start of an arena within struct sl_tables and the shape of its rows.
struct Arena {
	const char *name;
	size_t offset; // bytes from the segment's start
	size_t row;    // bytes
	uint32_t capacity;
};

const Arena &arena(sl_arena which);

class Segment
{
public:
	/// Creates the file, or attaches to a finished one. Throws SEGMENT_LOCKED, SEGMENT_LAYOUT,
	/// SEGMENT_SPACE or SEGMENT_SYSTEM.
	explicit Segment(const std::string &path);
	~Segment();
	Segment(const Segment &) = delete;
	Segment &operator=(const Segment &) = delete;

	bool created() const { return created_; }
	sl_tables *tables() const { return tables_; }

	/// Rows of an arena that are backed by memory.
	uint32_t committed(sl_arena which) const;
	/// Backs at least `rows` rows of an arena, in chunks that grow with it unless `sparing`.
	/// Throws TABLE_FULL beyond the arena's capacity, SEGMENT_SPACE when the tmpfs is full;
	/// nothing has changed then.
	void commit(sl_arena which, uint32_t rows, bool sparing = false);

	// The same in parts, for rows so large that backing one takes too long for one call.
	/// Backs a huge page of a row, from its byte `from` on. Throws SEGMENT_SPACE.
	void back_huge(sl_arena which, uint32_t row, size_t from);
	/// All parts of all rows below `rows` are backed.
	void committed_up_to(sl_arena which, uint32_t rows);
	/// Gives back what is backed of rows that are not committed.
	void give_back(sl_arena which);
	/// Bytes that the tmpfs has left.
	uint64_t room() const;

private:
	void open_locked();
	void refuse_locked() const;
	void create();
	void attach();
	void map();
	bool allocate(int mode, size_t offset, size_t bytes);
	void back(size_t offset, size_t bytes);
	[[noreturn]] void fail_system(const char *what) const;

	std::string path_;
	int fd_ = -1;
	sl_tables *tables_ = nullptr;
	bool created_ = false;
};

/// {pid, start time} of this process, as a segment's writer.
sl_writer own_writer();

} // namespace sealane

#endif
