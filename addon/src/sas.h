// SPDX-License-Identifier: Apache-2.0
// Security associations, both directions.
#ifndef SEALANE_ADDON_SAS_H
#define SEALANE_ADDON_SAS_H

#include <deque>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "rows.h"
#include "sa_shares.h"

namespace sealane
{

enum class Direction { out, in };

/// Key checks seen, the oldest forgotten when there are very many.
class KeyMemory
{
public:
	bool knows(uint64_t check) const { return known_.contains(check); }
	void add(uint64_t check);

private:
	std::unordered_set<uint64_t> known_;
	std::deque<uint64_t> order_;
};

class Sas
{
public:
	explicit Sas(Context context);

	/// Returns the ids of outbound SAs that are lost because the segment that counted their
	/// sequence numbers is gone (policy-model 22): their versions must not be used on.
	std::vector<uint32_t> attach();
	void thaw();

	/// Writes a row of a new generation. Of `wanted` the fields that SaRow of api.ts has and the
	/// addresses' family are taken; `key` is key and 4 salt bytes, `check` its key check.
	/// Throws BAD_ARGUMENT, KEY_REUSED, SPI_TAKEN.
	uint32_t add(Direction direction, const sl_sa_row &wanted, const std::string &name,
	             const uint8_t *key, size_t key_bytes, uint64_t check);
	/// Links an inbound SA to its SPI. NOT_FOUND until the worker is ready for its generation.
	void activate(uint32_t id);
	/// By thread, SAs that are sent by in the place of this one: see SaShares. NOT_FOUND, BAD_ARGUMENT.
	void share(uint32_t primary, const std::vector<uint32_t> &shares);
	std::vector<uint32_t> shares(uint32_t primary) const { return shares_.of(primary); }
	/// IN_USE while a next hop uses it; shares of it are cleared. The key is wiped when readers are past it.
	void remove(Direction direction, uint32_t id);
	void released(Direction direction, uint32_t id);

	void require(Direction direction, uint32_t id) const;
	bool live(Direction direction, uint32_t id) const;
	uint32_t end(Direction direction) const { return side(direction).ids.end(); }
	const sl_sa_row &row(Direction direction, uint32_t id) const;
	std::string name(Direction direction, uint32_t id) const;
	uint32_t live_rows(Direction direction) const { return side(direction).ids.live(); }

private:
	struct Side {
		sl_sa_row *rows;
		sl_name_row *names;
		sl_arena arena;
		sl_arena name_arena;
		RowIds ids;
	};

	Side &side(Direction d) { return d == Direction::out ? out_ : in_; }
	const Side &side(Direction d) const { return d == Direction::out ? out_ : in_; }
	void check(Direction direction, const sl_sa_row &wanted) const;
	static void check_application(Direction direction, const sl_sa_row &wanted);
	void remember_counted_keys();
	void attach_side(Direction direction, bool counted, std::vector<uint32_t> &lost);
	void retire(Direction direction, uint32_t id);

	Context context_;
	Side out_;
	Side in_;
	SaShares shares_;
	KeyMemory keys_;
	std::unordered_map<uint32_t, uint32_t> by_spi_slot_; // inbound, activated or not
};

} // namespace sealane

#endif
