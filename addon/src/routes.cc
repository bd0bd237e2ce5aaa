// SPDX-License-Identifier: Apache-2.0
#include "routes.h"

#include <algorithm>
#include <cstring>

#include "tables_error.h"

namespace sealane
{

namespace
{

void store_state(sl_prefix_row &row, sl_row_state state)
{
	__atomic_store_n(&row.state, static_cast<uint8_t>(state), __ATOMIC_RELEASE);
}

Prefix prefix_of(const RouteColumns &batch, uint32_t i)
{
	const size_t bytes = batch.family == 4 ? 4 : 16;
	return {batch.vrf, batch.family, batch.lengths[i],
	        key_from_bytes(batch.family, batch.addresses + i * bytes)};
}

} // namespace

Routes::Routes(Context context, Groups &groups)
	: context_(context), groups_(groups), tables_(context.tables),
	  index_(context.tables->prefix), fib_(context.segment, context.reclaimer, index_),
	  ids_("prefix", SL_MAX_PREFIXES), by_table_(SL_MAX_VRFS * 2ull)
{
}

Trie Routes::trie(uint32_t vrf, unsigned family)
{
	return {&tables_->vrf[vrf].fib_root[family == 6], vrf, static_cast<uint8_t>(family)};
}

void Routes::thaw() { fib_.thaw(); }

void Routes::use(uint64_t leaf)
{
	if (sl_leaf_is_group(leaf))
		groups_.retain(sl_leaf_group(leaf));
	else
		context_.uses.nexthop.add(sl_leaf_nexthop(leaf));
	context_.uses.accept.add(sl_leaf_accept(leaf));
}

void Routes::disuse(uint64_t leaf)
{
	if (sl_leaf_is_group(leaf))
		groups_.release(sl_leaf_group(leaf));
	else
		context_.uses.nexthop.drop(sl_leaf_nexthop(leaf));
	context_.uses.accept.drop(sl_leaf_accept(leaf));
}

void Routes::validate_way(uint32_t nexthop, uint32_t label, uint32_t route) const
{
	// Called only for what is refused: a text per route would cost more than the route.
	const auto which = [route] { return "route " + std::to_string(route) + ": "; };
	if (label > 0xfffffu)
		bad_argument(which() + "label " + std::to_string(label));
	if (nexthop == 0 || nexthop >= context_.segment.committed(SL_ARENA_NEXTHOP) ||
	    tables_->nexthop[nexthop].state != SL_ROW_LIVE)
		not_found(which() + "next hop " + std::to_string(nexthop) + " does not exist");
}

/// The further ways of route `i`, which begin at element `from` of their columns.
void Routes::validate_more(const RouteColumns &batch, uint32_t i, uint32_t from) const
{
	const uint32_t count = batch.more[i];
	const auto which = [i] { return "route " + std::to_string(i) + ": "; };
	if (count >= SL_GROUP_MEMBERS)
		bad_argument(which() + std::to_string(count + 1) + " ways, at most " +
		             std::to_string(SL_GROUP_MEMBERS));
	if (count > batch.more_total - from)
		bad_argument(which() + "the columns of further ways are too short");
	// The packet path finds itself by these routes, and does not ask how a flow is to go.
	if (count != 0 && batch.vrf == SL_VRF_CORE)
		bad_argument(which() + "several ways in the core's table");
	for (uint32_t k = from; k < from + count; k++)
		validate_way(batch.more_nexthops[k], batch.more_labels[k], i);
}

void Routes::validate(const RouteColumns &batch) const
{
	if (batch.vrf >= SL_MAX_VRFS || tables_->vrf[batch.vrf].state != SL_ROW_LIVE)
		not_found("VRF " + std::to_string(batch.vrf) + " does not exist");
	const uint32_t accepts = context_.segment.committed(SL_ARENA_ACCEPT);
	uint32_t more = 0;
	for (uint32_t i = 0; i < batch.count; i++) {
		const auto which = [i] { return "route " + std::to_string(i) + ": "; };
		const Prefix p = prefix_of(batch, i);
		if (p.length > address_bits(p.family))
			bad_argument(which() + "prefix length " + std::to_string(p.length));
		const sl_fib_key cut = truncated(p.key, p.length);
		if (cut.high != p.key.high || cut.low != p.key.low)
			bad_argument(which() +
			             "address bits behind the prefix length are not zero");
		if (batch.more != nullptr) {
			validate_more(batch, i, more);
			more += batch.more[i];
		}
		if (batch.remove[i] != 0)
			continue;
		if (batch.owners[i] < SL_OWNER_STATIC || batch.owners[i] > SL_OWNER_BGP)
			bad_argument(which() + "owner " + std::to_string(batch.owners[i]));
		validate_way(batch.nexthops[i], batch.labels[i], i);
		const uint32_t accept = batch.accepts[i];
		if (accept != 0 &&
		    (accept >= accepts || tables_->accept[accept].state != SL_ROW_LIVE))
			not_found(which() + "accept set " + std::to_string(accept) +
			          " does not exist");
	}
}

/// The group of route `i` with a reference; 0: it has one way, or there is no room for its group.
uint32_t Routes::group_of(const RouteColumns &batch, uint32_t i, uint32_t more_from)
{
	if (batch.more == nullptr || batch.more[i] == 0)
		return 0;
	Groups::Members members{};
	auto end = members.begin();
	*end++ = sl_leaf(batch.nexthops[i], batch.labels[i], 0);
	for (uint32_t k = more_from; k < more_from + batch.more[i]; k++)
		*end++ = sl_leaf(batch.more_nexthops[k], batch.more_labels[k], 0);
	std::sort(members.begin(), end);
	std::fill(std::unique(members.begin(), end), end, SL_LEAF_NONE);
	return members[1] == SL_LEAF_NONE ? 0 : groups_.acquire(members);
}

void Routes::apply_one(const Trie &t, const RouteColumns &batch, uint32_t i, uint32_t more_from)
{
	const Prefix prefix = prefix_of(batch, i);
	const uint8_t owner = batch.owners[i];
	if (batch.remove[i] != 0)
		return remove(t, prefix, owner);
	const uint32_t accept = batch.accepts[i];
	const uint32_t group = group_of(batch, i, more_from);
	if (group == 0)
		return insert(t, prefix, sl_leaf(batch.nexthops[i], batch.labels[i], accept),
		              owner);
	// The reference that group_of() took is for as long as no row has one.
	try {
		insert(t, prefix, sl_group_leaf(group, accept), owner);
	} catch (...) {
		groups_.release(group);
		throw;
	}
	groups_.release(group);
}

void Routes::apply(const RouteColumns &batch)
{
	validate(batch);
	const Trie t = trie(batch.vrf, batch.family);
	constexpr uint32_t kAhead = 8; // index slots are fetched this many changes ahead
	uint32_t more = 0;
	for (uint32_t i = 0; i < batch.count; i++) {
		if (i + kAhead < batch.count) {
			const Prefix ahead = prefix_of(batch, i + kAhead);
			index_.prefetch(ahead);
			fib_.prefetch(t, ahead);
		}
		try {
			apply_one(t, batch, i, more);
		} catch (const TablesError &error) {
			throw TablesError(error.code(),
			                  std::string(error.what()) + " (" + std::to_string(i) +
			                          " of " + std::to_string(batch.count) +
			                          " route changes were applied)",
			                  error.remedy());
		}
		more += batch.more == nullptr ? 0u : batch.more[i];
		advance(t, limits_.change_work);
	}
}

void Routes::insert(const Trie &t, const Prefix &prefix, uint64_t leaf, uint32_t owner)
{
	const uint32_t there = index_.find(prefix);
	if (there != 0) {
		if (!gives_way(owner, there))
			replace(t, prefix, there, leaf, owner);
		return;
	}
	const uint32_t row = reserved_row(prefix, leaf, owner);
	store_state(tables_->prefix[row], SL_ROW_LIVE);
	index_.insert(prefix, row);
	enlist(row);
	use(leaf);
	fib_.insert(t, prefix, leaf);
	fit_kind(t, true);
}

void Routes::replace(const Trie &t, const Prefix &prefix, uint32_t row, uint64_t leaf,
                     uint32_t owner)
{
	sl_prefix_row &old = tables_->prefix[row];
	const uint64_t before = old.leaf;
	if (owner == old.owner) {
		__atomic_store_n(&old.stale, 0, __ATOMIC_RELAXED);
		if (before == leaf)
			return;
		__atomic_store_n(&old.leaf, leaf, __ATOMIC_RELEASE);
	} else {
		// Leaf and owner cannot change in one store. A retired row counts until another
		// one of the same prefix is live.
		const uint32_t fresh = new_row(prefix, leaf, owner);
		store_state(old, SL_ROW_RETIRED);
		store_state(tables_->prefix[fresh], SL_ROW_LIVE);
		index_.move(prefix, fresh);
		position_[fresh] = position_[row];
		table(t).rows[position_[fresh]] = fresh;
		free_row(row);
		row = fresh;
	}
	use(leaf);
	if (before != leaf) {
		fib_.insert(t, prefix, leaf);
		if (in_next(t, row))
			insert_into_next(t, row);
	}
	disuse(before);
}

bool Routes::gives_way(uint32_t owner, uint32_t row) const
{
	return owner == SL_OWNER_BGP && tables_->prefix[row].owner != SL_OWNER_BGP;
}

void Routes::remove(const Trie &t, const Prefix &prefix, uint32_t owner)
{
	const uint32_t row = index_.find(prefix);
	if (row == 0 || gives_way(owner, row))
		return;
	fib_.reserve_for_remove();
	const uint64_t leaf = tables_->prefix[row].leaf;
	const bool both = in_next(t, row);
	delist(table(t), row);
	index_.erase(prefix); // reads the row
	free_row(row);
	fib_.remove(t, prefix);
	if (both)
		remove_from_next(t, prefix);
	disuse(leaf);
	fit_kind(t, false);
}

uint32_t Routes::remove_of(uint32_t vrf, unsigned family, uint32_t owner, bool stale_only,
                           uint32_t limit)
{
	const Trie t = trie(vrf, family);
	const std::vector<uint32_t> &list = by_table_[table_index(vrf, family)].rows;
	uint32_t removed = 0;
	// From the end: removal puts the last row in the place of the removed one.
	for (size_t i = list.size(); i-- > 0 && removed < limit;) {
		const sl_prefix_row &r = tables_->prefix[list[i]];
		if (r.owner != owner || (stale_only && r.stale == 0))
			continue;
		remove(t,
		       {vrf, static_cast<uint8_t>(family), r.length,
		        key_from_bytes(static_cast<uint8_t>(family), r.address)},
		       owner);
		advance(t, limits_.change_work);
		removed++;
	}
	return removed;
}

/// The same, with room in the trie. Room that is missing is taken from tries that are being built.
uint32_t Routes::reserved_row(const Prefix &prefix, uint64_t leaf, uint32_t owner)
{
	try {
		fib_.reserve_for_insert();
		return new_row(prefix, leaf, owner);
	} catch (const TablesError &) {
		if (!drop_all_next())
			throw;
	}
	fib_.reserve_for_insert();
	return new_row(prefix, leaf, owner);
}

/// A written row that is not live yet.
uint32_t Routes::new_row(const Prefix &prefix, uint64_t leaf, uint32_t owner)
{
	const uint32_t id = ids_.allocate();
	try {
		context_.segment.commit(SL_ARENA_PREFIX, id + 1);
	} catch (...) {
		ids_.release(id);
		throw;
	}
	if (id >= position_.size())
		position_.resize(id + 1u + id / 2u);
	sl_prefix_row &row = tables_->prefix[id];
	key_to_bytes(prefix.family, prefix.key, row.address);
	row.leaf = leaf;
	row.vrf = prefix.vrf;
	row.owner = owner;
	row.family = prefix.family;
	row.length = prefix.length;
	row.stale = 0;
	return id;
}

void Routes::free_row(uint32_t row)
{
	store_state(tables_->prefix[row], SL_ROW_FREE);
	ids_.release(row); // readers look at no prefix row: no grace period
}

void Routes::enlist(uint32_t id)
{
	const sl_prefix_row &r = tables_->prefix[id];
	std::vector<uint32_t> &list = by_table_[table_index(r.vrf, r.family)].rows;
	position_[id] = static_cast<uint32_t>(list.size());
	list.push_back(id);
}

void Routes::delist(Table &table, uint32_t row)
{
	std::vector<uint32_t> &list = table.rows;
	uint32_t hole = position_[row];
	// The rows of a trie that is being built stay the first ones.
	if (table.next != nullptr && hole < table.next->part.done) {
		const uint32_t last = --table.next->part.done;
		list[hole] = list[last];
		position_[list[hole]] = hole;
		hole = last;
	}
	list[hole] = list.back();
	position_[list[hole]] = hole;
	list.pop_back();
}

uint32_t Routes::count(uint32_t vrf, unsigned family) const
{
	return static_cast<uint32_t>(rows(vrf, family).size());
}

const std::vector<uint32_t> &Routes::rows(uint32_t vrf, unsigned family) const
{
	return by_table_[table_index(vrf, family)].rows;
}

uint32_t Routes::lookup(uint32_t vrf, unsigned family, const sl_fib_key &key) const
{
	const uint64_t leaf = sl_fib_walk(tables_, sl_fib_root(tables_, vrf, family), key,
	                                  family == 4 ? SL_FIB4_LEVELS : SL_FIB6_LEVELS);
	if (leaf == SL_LEAF_NONE)
		return 0;
	for (unsigned length = address_bits(family) + 1; length-- > 0;) {
		const uint32_t row =
			index_.find({vrf, static_cast<uint8_t>(family),
		                     static_cast<uint8_t>(length), truncated(key, length)});
		if (row != 0)
			return tables_->prefix[row].leaf == leaf ? row : 0;
	}
	return 0;
}

} // namespace sealane
