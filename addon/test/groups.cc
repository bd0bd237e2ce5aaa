// SPDX-License-Identifier: Apache-2.0
// Next-hop groups: shared by content, in use as long as a route names them, given back when no reader
// can see them, found again by a new writer; and what happens when there is no room for another one.
//
//   groups
#include <cstring>
#include <optional>

#include "fake_worker.h"

using namespace sealane;
using namespace sealane::test;

namespace
{

constexpr uint32_t kNexthops = 20;

/// Tables with a VRF, next hops and a worker of one thread; `reopen()` is a new supervisor.
struct Pair {
	Pair()
	{
		unlink(Directory::tables().c_str());
		unlink(Directory::state().c_str());
		reopen();
		worker.emplace(Directory::state(), tables->header().segment.epoch, 1);
		sl_vrf_row vrf{};
		vrf.name[0] = 'a';
		CHECK(tables->vrfs.put(vrf) == 1, "VRF id");
		for (uint32_t i = 1; i <= kNexthops; i++)
			CHECK(tables->nexthops.slot("nh" + std::to_string(i)) == i, "next-hop id");
	}
	void reopen()
	{
		tables.reset();
		tables.emplace(Directory::tables(), Directory::state());
	}
	void online() { worker->epoch(0) = tables->header().reclaim_epoch; }
	void offline() { worker->epoch(0) = 0; }
	uint64_t leaf(uint32_t n) const
	{
		const sl_tables *t = tables->segment();
		return sl_fib4_lookup(t, sl_fib_root(t, 1, 4), 0x0a000000u | n << 8);
	}
	/// Group of 10.0.n.0/24; 0: none.
	uint32_t group(uint32_t n) const
	{
		return sl_leaf_is_group(leaf(n)) ? sl_leaf_group(leaf(n)) : 0;
	}
	void check() const
	{
		const std::string fault = const_cast<Tables &>(*tables).check();
		CHECK(fault.empty(), "%s", fault.c_str());
	}

	std::optional<Tables> tables;
	std::optional<FakeWorker> worker;
};

/// 10.0.n.0/24 by these ways; by none: removed.
void route(Pair &p, uint32_t n, std::vector<Way> ways, uint8_t owner = SL_OWNER_BGP)
{
	Change c{};
	c.vrf = 1;
	c.family = 4;
	c.length = 24;
	c.key = sl_fib4_key(0x0a000000u | n << 8);
	c.owner = owner;
	if (!ways.empty()) {
		c.nexthop = ways[0].nexthop;
		c.label = ways[0].label;
		c.more.assign(ways.begin() + 1, ways.end());
	}
	apply(*p.tables, {c});
}

void shared_by_content()
{
	Pair p;
	route(p, 1, {{1, 100}, {2, 200}});
	route(p, 2, {{2, 200}, {1, 100}, {2, 200}});
	CHECK(p.group(1) != 0 && p.group(1) == p.group(2), "the same ways in two groups");
	CHECK(p.tables->groups.references(p.group(1)) == 2, "references");
	route(p, 3, {{1, 100}, {2, 201}});
	CHECK(p.group(3) != p.group(1), "another label in the same group");
	route(p, 4, {{5, 7}, {5, 7}});
	CHECK(p.leaf(4) == sl_leaf(5, 7, 0), "one way twice is one way");
	route(p, 5, {{5, 7}, {5, 8}});
	CHECK(p.group(5) != 0, "one next hop with two labels is two ways");
	CHECK(p.tables->groups.live_rows() == 3, "%u groups", p.tables->groups.live_rows());
	p.check();
	for (const uint32_t n : {1, 2, 3, 4, 5})
		route(p, n, {});
	CHECK(p.tables->groups.live_rows() == 0, "groups without routes");
	p.check();
}

void keep_their_next_hops()
{
	Pair p;
	route(p, 1, {{1, 100}, {2, 200}});
	CHECK(code_of([&] { p.tables->nexthops.remove(2); }) == "IN_USE", "member removed");
	p.reopen();
	CHECK(code_of([&] { p.tables->nexthops.remove(2); }) == "IN_USE",
	      "member removed after a restart");
	route(p, 1, {{1, 100}});
	p.tables->nexthops.remove(2);
	CHECK(code_of([&] { p.tables->nexthops.remove(1); }) == "IN_USE", "next hop removed");
	CHECK(code_of([&] {
		      route(p, 1, {{1, 100}, {2, 200}});
	      }) == "NOT_FOUND",
	      "a removed next hop as member");
	p.check();
}

void refused()
{
	Pair p;
	const std::vector<Way> many(17, {1, 100});
	CHECK(code_of([&] { route(p, 1, many); }) == "BAD_ARGUMENT", "17 ways");
	CHECK(code_of([&] { route(p, 1, {{1, 1}, {2, 1u << 20}}); }) == "BAD_ARGUMENT", "label");
	CHECK(code_of([&] {
		      route(p, 1, {{1, 1}, {kNexthops + 1, 1}});
	      }) == "NOT_FOUND",
	      "next hop");
	Change core{};
	core.family = 4;
	core.length = 8;
	core.nexthop = 1;
	core.owner = SL_OWNER_STATIC;
	core.more = {{2, 0}};
	CHECK(code_of([&] { apply(*p.tables, {core}); }) == "BAD_ARGUMENT", "the core's table");
	CHECK(p.tables->groups.live_rows() == 0 && p.tables->routes.live_rows() == 0,
	      "something was written");
	// A route that gives way leaves no group behind.
	route(p, 1, {{1, 100}}, SL_OWNER_STATIC);
	route(p, 1, {{1, 100}, {2, 200}});
	CHECK(p.group(1) == 0 && p.tables->groups.live_rows() == 0, "BGP did not give way");
	p.check();
}

/// A reader that stands still sees the members of the group it found, whatever is written meanwhile.
void grace_period()
{
	Pair p;
	route(p, 1, {{1, 100}, {2, 200}});
	const uint32_t first = p.group(1);
	const sl_group_row before = p.tables->groups.row(first);
	p.online();
	route(p, 1, {{1, 100}, {3, 300}});
	for (uint32_t n = 2; n < 50; n++)
		route(p, n, {{1, 100}, {4, n}});
	CHECK(p.tables->reclaim(), "reclaimed under a reader");
	CHECK(std::memcmp(&before, &p.tables->groups.row(first), sizeof before) == 0,
	      "changed under a reader");
	p.reopen(); // its successor knows neither reader nor list
	route(p, 50, {{1, 100}, {5, 500}});
	CHECK(std::memcmp(&before, &p.tables->groups.row(first), sizeof before) == 0,
	      "changed under a reader by a new writer");
	p.online();
	p.tables->reclaim();
	CHECK(p.tables->groups.row(first).member[0] == SL_LEAF_NONE, "kept for nobody");
	p.offline();
	p.check();
}

void found_again()
{
	Pair p;
	for (uint32_t n = 0; n < 100; n++)
		route(p, n, {{1, 100}, {2 + n % 7, 200}});
	const uint32_t group = p.group(3);
	p.reopen();
	CHECK(p.tables->groups.live_rows() == 7, "%u groups", p.tables->groups.live_rows());
	CHECK(p.tables->groups.references(group) == 14, "references of a found group");
	CHECK(p.tables->routes.rebuilt() == 0, "tries rebuilt");
	route(p, 3, {{5, 200}, {1, 100}});
	CHECK(p.group(3) == group, "confirmed, and yet another group");
	p.check();
	CHECK(p.tables->routes.remove_of(1, 4, SL_OWNER_BGP, true, 1000) == 99, "stale routes");
	CHECK(p.tables->groups.live_rows() == 1, "groups of stale routes");
	p.check();
}

/// Rows that no writer leaves: the route goes, nothing is followed out of bounds, the rest stays.
void broken_rows()
{
	Pair p;
	for (uint32_t n = 1; n <= 5; n++)
		route(p, n, {{1, 100}, {2, 200 + n}});
	auto *t = const_cast<sl_tables *>(p.tables->segment());
	const uint32_t good = p.group(5);
	t->group[p.group(1)].member[1] = SL_LEAF_NONE;
	t->group[p.group(2)].member[1] = sl_leaf(SL_MAX_NEXTHOPS - 1, 1, 0);
	std::swap(t->group[p.group(3)].member[0], t->group[p.group(3)].member[1]);
	for (uint32_t id = 1; id < 20; id++) {
		if (t->prefix[id].state == SL_ROW_LIVE && t->prefix[id].address[2] == 4)
			t->prefix[id].leaf = sl_group_leaf(0xffffff, 0);
	}
	p.reopen();
	for (uint32_t n = 1; n <= 4; n++)
		CHECK(p.leaf(n) == SL_LEAF_NONE, "route %u is still there", n);
	CHECK(p.group(5) == good && p.tables->groups.live_rows() == 1, "the good one is gone");
	CHECK(p.tables->routes.count(1, 4) == 1, "%u routes", p.tables->routes.count(1, 4));
	p.check();
	p.tables->reclaim();
	route(p, 1, {{1, 100}, {2, 201}});
	CHECK(p.group(1) != 0, "no group any more");
	p.check();
}

/// The table is full: the best way alone, counted; room again: a group.
void no_room()
{
	Pair p;
	Change c{};
	c.vrf = 1;
	c.family = 4;
	c.length = 32;
	c.nexthop = 1;
	c.label = 1;
	c.owner = SL_OWNER_BGP;
	const auto nth = [&](uint32_t n) {
		c.key = sl_fib4_key(0x0b000000u + n);
		c.more = {{2 + n / (1u << 17), n % (1u << 17)}};
		apply(*p.tables, {c});
		return sl_fib4_lookup(p.tables->segment(), sl_fib_root(p.tables->segment(), 1, 4),
		                      0x0b000000u + n);
	};
	for (uint32_t n = 0; n < SL_MAX_GROUPS - 1; n++)
		CHECK(sl_leaf_is_group(nth(n)), "route %u has no group", n);
	CHECK(p.tables->groups.fallbacks() == 0, "fallbacks");
	CHECK(nth(SL_MAX_GROUPS - 1) == sl_leaf(1, 1, 0), "not the best way");
	CHECK(nth(SL_MAX_GROUPS) == sl_leaf(1, 1, 0), "not the best way");
	CHECK(p.tables->groups.fallbacks() == 2, "%llu fallbacks",
	      static_cast<unsigned long long>(p.tables->groups.fallbacks()));
	CHECK(sl_leaf_is_group(nth(0)), "a group that is there needs no room");
	c.key = sl_fib4_key(0x0b000007u);
	c.nexthop = 0;
	apply(*p.tables, {c});
	c.nexthop = 1;
	p.tables->reclaim();
	CHECK(sl_leaf_is_group(nth(SL_MAX_GROUPS)), "no group although there is room");
	p.check();
}

} // namespace

int main()
{
	const Directory directory;
	shared_by_content();
	keep_their_next_hops();
	refused();
	grace_period();
	found_again();
	broken_rows();
	no_room();
	std::puts("ok");
	return 0;
}
