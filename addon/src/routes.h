// SPDX-License-Identifier: Apache-2.0
// Routes: the prefix rows, which are the truth, and the tries derived from them.
#ifndef SEALANE_ADDON_ROUTES_H
#define SEALANE_ADDON_ROUTES_H

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fib_writer.h"
#include "groups.h"
#include "rows.h"

namespace sealane
{

/// A batch as RouteBatch of api.ts has it: columns of `count` elements.
struct RouteColumns {
	uint32_t vrf;
	uint8_t family;
	uint32_t count;
	const uint8_t *remove;
	const uint8_t *addresses; // 4 or 16 bytes each
	const uint8_t *lengths;
	const uint32_t *nexthops;
	const uint32_t *labels;
	const uint16_t *accepts;
	const uint8_t *owners; // enum sl_owner

	// Further ways of routes that have several; null when none has.
	const uint8_t *more = nullptr;           // how many beside the one above, 0..15
	uint32_t more_total = 0;                 // elements of the columns below
	const uint32_t *more_nexthops = nullptr; // of all routes, one after the other
	const uint32_t *more_labels = nullptr;
};

/// From how many routes on a trie has a direct table, and of what kind; and how much of the next trie is
/// built, or of the last one taken down, at a time: in slots written, each some 2 ns.
struct DirectLimits {
	uint32_t bits18 = 8192;
	uint32_t bits24 = 131072;
	uint32_t bits24_ipv6 = 524288; // few of whose 2^24 slots are ever used
	int64_t change_work = 512;     // at each change of a route
	int64_t upkeep_work = 1 << 18; // at each upkeep()

	sl_fib_kind kind(size_t routes, unsigned family) const
	{
		return routes >= (family == 4 ? bits24 : bits24_ipv6) ? SL_FIB_DIRECT24
		       : routes >= bits18                             ? SL_FIB_DIRECT18
		                                                      : SL_FIB_TRIE;
	}
};

/*
 * The order of stores, so that a writer may die between any two of them: a row becomes live, or its
 * leaf changes, in one store; then the trie follows. At attach each trie is compared with the rows
 * and built anew where a change had not arrived.
 */
class Routes
{
public:
	Routes(Context context, Groups &groups);

	/// Reads the rows and tries of the segment. Space that readers may still see stays unused
	/// until thaw().
	void attach();
	void thaw();
	/// Goes on with what is built beside tries in use, or taken down behind them, in all tables. True:
	/// there is more to do.
	bool upkeep();

	/// Checks everything first, then applies in order. Throws BAD_ARGUMENT, NOT_FOUND before the
	/// first change; SEGMENT_SPACE, TABLE_FULL after a whole number of them, said in the message.
	/// A route of owner BGP gives way: it neither replaces nor removes a route of another owner.
	/// A route with several ways gets the first alone when there is no room for its group.
	void apply(const RouteColumns &batch);
	/// Removes at most `limit` routes of this owner: all, or those that nobody has confirmed
	/// since attach(). Returns how many; fewer than `limit` when none is left.
	uint32_t remove_of(uint32_t vrf, unsigned family, uint32_t owner, bool stale_only,
	                   uint32_t limit);
	uint32_t count(uint32_t vrf, unsigned family) const;
	/// The rows of one table, in no particular order.
	const std::vector<uint32_t> &rows(uint32_t vrf, unsigned family) const;
	const sl_prefix_row &row(uint32_t id) const { return tables_->prefix[id]; }
	/// Longest-prefix match by fib.h; the row it stands for, 0 when no route covers the address.
	uint32_t lookup(uint32_t vrf, unsigned family, const sl_fib_key &key) const;

	FibWriter &fib() { return fib_; }
	const FibWriter &fib() const { return fib_; }
	uint32_t live_rows() const { return ids_.live(); }
	/// Tries that attach() had to build anew.
	uint32_t rebuilt() const { return rebuilt_; }
	/// Everything derived agrees with the rows and with itself; an empty string, or what does not.
	std::string check();
	/// For tests, which have few routes.
	void set_limits(const DirectLimits &limits) { limits_ = limits; }
	/// Tries that are built beside those in use, and of them those that hold a part of their rows.
	size_t building() const { return building_.size(); }
	size_t half_built() const;

private:
	std::string check_groups() const;
	/// The trie that is to be a table's next one.
	struct Next {
		sl_fib_kind kind;
		bool begun; // `root` is one
		uint32_t root;
		Part part; // first rows of the table's list
	};
	struct Table {
		std::vector<uint32_t> rows;
		std::unique_ptr<Next> next;
	};

	// How a trie becomes one of another kind (routes_next.cc).
	void fit_kind(const Trie &linked, bool grown);
	void unlink_empty(const Trie &linked);
	void begin_next(const Trie &linked, sl_fib_kind kind);
	void advance(const Trie &linked, int64_t work);
	bool take_down(int64_t &work);
	void build_next(const Trie &linked, int64_t &work);
	bool fill_next(const Trie &linked, int64_t &work);
	void drop_next(const Trie &linked);
	bool drop_all_next();
	void insert_into_next(const Trie &linked, uint32_t row);
	void remove_from_next(const Trie &linked, const Prefix &prefix);
	bool in_next(const Trie &linked, uint32_t row);
	Table &table(const Trie &linked)
	{
		return by_table_[table_index(linked.vrf, linked.family)];
	}

	uint32_t build(const Trie &linked, sl_fib_kind kind);

	void validate(const RouteColumns &batch) const;
	void validate_way(uint32_t nexthop, uint32_t label, uint32_t route) const;
	void validate_more(const RouteColumns &batch, uint32_t i, uint32_t from) const;
	void apply_one(const Trie &trie, const RouteColumns &batch, uint32_t i, uint32_t more_from);
	uint32_t group_of(const RouteColumns &batch, uint32_t i, uint32_t more_from);
	void insert(const Trie &trie, const Prefix &prefix, uint64_t leaf, uint32_t owner);
	void replace(const Trie &trie, const Prefix &prefix, uint32_t row, uint64_t leaf,
	             uint32_t owner);
	void remove(const Trie &trie, const Prefix &prefix, uint32_t owner);
	/// Whether a change by this owner leaves the row alone.
	bool gives_way(uint32_t owner, uint32_t row) const;
	uint32_t new_row(const Prefix &prefix, uint64_t leaf, uint32_t owner);
	void free_row(uint32_t row);
	void enlist(uint32_t row);
	void delist(Table &table, uint32_t row);
	uint32_t reserved_row(const Prefix &prefix, uint64_t leaf, uint32_t owner);
	void use(uint64_t leaf);
	/// After the trie has let go of it.
	void disuse(uint64_t leaf);
	Trie trie(uint32_t vrf, unsigned family);
	static size_t table_index(uint32_t vrf, unsigned family)
	{
		return vrf * 2ull + (family == 6);
	}
	void adopt_rows();
	bool adopt_row(uint32_t id);
	void rebuild(const std::map<size_t, bool> &damaged);

	Context context_;
	Groups &groups_;
	sl_tables *tables_;
	PrefixIndex index_;
	FibWriter fib_;
	RowIds ids_;
	std::vector<Table> by_table_;
	std::vector<uint32_t> position_; // of a row in its table's list
	std::vector<Trie> building_;     // tables that have a `next`
	std::deque<OldTrie> old_tries_;  // to be taken down
	DirectLimits limits_;
	uint32_t rebuilt_ = 0;
};

} // namespace sealane

#endif
