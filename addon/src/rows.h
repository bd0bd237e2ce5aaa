// SPDX-License-Identifier: Apache-2.0
// What the tables have in common: row ids, use counts, names.
#ifndef SEALANE_ADDON_ROWS_H
#define SEALANE_ADDON_ROWS_H

#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "reclaim.h"
#include "segment.h"

namespace sealane
{

/// How many live rows refer to each row of a table. In this process only.
class UseCount
{
public:
	void add(uint32_t id)
	{
		if (id >= counts_.size())
			counts_.resize(id + 1u + id / 2u);
		counts_[id]++;
	}
	void drop(uint32_t id) { counts_[id]--; }
	uint32_t of(uint32_t id) const { return id < counts_.size() ? counts_[id] : 0; }

private:
	std::vector<uint32_t> counts_;
};

/// Who refers to what; what is not 0 cannot be removed.
struct Uses {
	UseCount vrf; // by interfaces, labels, next-hop versions (routes are counted by Routes)
	UseCount interface; // by next-hop versions, VRFs (host interface)
	UseCount port;      // by interfaces
	UseCount accept;    // by labels, routes
	UseCount nexthop;   // by labels, routes
	UseCount sa_out;    // by next-hop versions
};

/// What every table works with.
struct Context {
	Segment &segment;
	sl_tables *tables;
	StateView &state;
	Reclaimer &reclaimer;
	Uses &uses;
};

/// Ids of one table's rows, 1 up. The oldest freed id is used first.
class RowIds
{
public:
	/// `name` for messages; `capacity` rows, row 0 included.
	RowIds(const char *name, uint32_t capacity) : name_(name), capacity_(capacity) {}

	/// Throws TABLE_FULL. The caller makes sure that the row is backed, or calls release().
	uint32_t allocate();
	void release(uint32_t id) { free_.push_back(id); }
	/// Ids below this one were given out at some time.
	uint32_t end() const { return end_; }
	uint32_t live() const
	{
		return end_ - 1 - static_cast<uint32_t>(free_.size() + held_.size());
	}

	/// Attach: all ids up to `id` have been given out.
	void adopt_up_to(uint32_t id);
	/// Attach: an id that is not in use, but that readers may still know; kept until thaw().
	void hold(uint32_t id) { held_.push_back(id); }
	void thaw();

private:
	const char *name_;
	uint32_t capacity_;
	uint32_t end_ = 1;
	std::deque<uint32_t> free_;
	std::vector<uint32_t> held_;
};

inline void store_word(uint32_t &word, uint32_t value)
{
	__atomic_store_n(&word, value, __ATOMIC_RELEASE);
}
inline void store_word(uint64_t &word, uint64_t value)
{
	__atomic_store_n(&word, value, __ATOMIC_RELEASE);
}

/// At least one byte of UTF-8 without NUL, fewer than `room`, else BAD_ARGUMENT naming `what`.
void check_name(const char *what, const std::string &name, size_t room);

/// Stores a name so that a reader of the file finds it whole or not at all: the first word last.
template <size_t Room> void publish_name(char (&field)[Room], const std::string &name)
{
	std::array<uint64_t, Room / 8> words{};
	std::memcpy(words.data(), name.data(), name.size());
	auto *to = reinterpret_cast<uint64_t *>(field);
	for (size_t i = words.size(); i-- > 0;)
		store_word(to[i], words[i]);
}

template <size_t Room> std::string read_name(const char (&field)[Room])
{
	return {field, strnlen(field, Room)};
}

} // namespace sealane

#endif
