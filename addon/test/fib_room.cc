// SPDX-License-Identifier: Apache-2.0
// Memory of direct tables: what was backed for one that is never finished goes back to the file, and one
// that is linked no more is written again only when no reader can be in it.
//
//   fib_room
#include "fake_worker.h"

using namespace sealane;
using namespace sealane::test;

namespace
{

constexpr uint32_t kBits18 = 8; // from so many routes on
constexpr uint32_t kBits24 = 16;
constexpr int64_t kAll = 1 << 26;

void limits(Tables &tables, int64_t work)
{
	DirectLimits few;
	few.bits18 = kBits18;
	few.bits24 = few.bits24_ipv6 = kBits24;
	few.change_work = few.upkeep_work = work;
	tables.routes.set_limits(few);
}

/// 10.0.n.0/24 of a VRF; by next hop 0: removed.
void route(Tables &tables, uint32_t vrf, uint32_t n, uint32_t nexthop)
{
	const uint64_t high = static_cast<uint64_t>(0x0a000000u | n << 8) << 32;
	apply(tables, {Change{vrf, 4, 24, {high, 0}, nexthop, 1000, 1}});
}

uint64_t leaf_at(const Tables &tables, uint32_t root, uint32_t n)
{
	return sl_fib4_lookup(tables.segment(), root, 0x0a000001u | n << 8);
}

uint64_t bytes_of_file()
{
	struct stat status {
	};
	CHECK(stat(Directory::tables().c_str(), &status) == 0, "stat");
	return static_cast<uint64_t>(status.st_blocks) * 512;
}

/// A VRF is about to have a table of 2^24 slots, loses its routes, and nothing is left of the table.
void given_back(Tables &tables)
{
	const uint64_t before = bytes_of_file();
	limits(tables, 0); // begun, and not built
	for (uint32_t n = 0; n < kBits24; n++)
		route(tables, 1, n, 1);
	limits(tables, 2 * SL_HUGE_PAGE / sizeof(uint64_t));
	tables.reclaim();
	const uint64_t begun = bytes_of_file();
	CHECK(begun >= before + 2 * SL_HUGE_PAGE, "%llu bytes, %llu before: nothing was begun",
	      static_cast<unsigned long long>(begun), static_cast<unsigned long long>(before));
	CHECK(sl_fib_kind_of(sl_fib_root(tables.segment(), 1, 4)) == SL_FIB_TRIE, "linked");
	for (uint32_t n = 0; n < kBits24; n++)
		route(tables, 1, n, 0);
	limits(tables, kAll);
	CHECK(settled(tables), "something waits for readers that do not exist");
	const uint64_t after = bytes_of_file();
	CHECK(after + 2 * SL_HUGE_PAGE <= begun, "%llu bytes of %llu left, %llu before",
	      static_cast<unsigned long long>(after), static_cast<unsigned long long>(begun),
	      static_cast<unsigned long long>(before));
}

uint32_t grow(Tables &tables, uint32_t vrf)
{
	for (uint32_t n = 0; n < kBits18; n++)
		route(tables, vrf, n, vrf);
	for (int i = 0; i < 4; i++)
		tables.reclaim();
	const uint32_t root = sl_fib_root(tables.segment(), vrf, 4);
	CHECK(sl_fib_kind_of(root) == SL_FIB_DIRECT18, "VRF %u has no direct table", vrf);
	return root;
}

/// A reader is in a table while its VRF loses all routes and another VRF gets a table.
void kept_for_readers(Tables &tables, FakeWorker &worker)
{
	const uint32_t root = grow(tables, 1);
	worker.epoch(0) = tables.segment()->header.reclaim_epoch;
	for (uint32_t n = 0; n < kBits18; n++)
		route(tables, 1, n, 0);
	for (int i = 0; i < 100; i++)
		CHECK(tables.reclaim(), "nothing waits for the reader");
	CHECK(grow(tables, 2) != root, "a table is used again while it is read");
	for (uint32_t n = 0; n < kBits18; n++)
		CHECK(leaf_at(tables, root, n) == SL_LEAF_NONE,
		      "route %u of another VRF came under its reader", n);
	worker.epoch(0) = 0;
	CHECK(settled(tables), "something waits, and nobody reads");
	CHECK(grow(tables, 3) == root, "a table that nobody reads is not used again");
}

} // namespace

int main()
{
	const Directory directory;
	Tables tables(Directory::tables(), Directory::state());
	FakeWorker worker(Directory::state(), tables.segment()->header.segment.epoch, 1);
	for (uint32_t vrf = 1; vrf < 4; vrf++) {
		sl_vrf_row row{};
		std::snprintf(row.name, sizeof row.name, "vrf%u", vrf);
		CHECK(tables.vrfs.put(row) == vrf, "VRF id");
		CHECK(tables.nexthops.slot("nh" + std::to_string(vrf)) == vrf, "next-hop id");
	}
	given_back(tables);
	kept_for_readers(tables, worker);
	const std::string fault = tables.check();
	CHECK(fault.empty(), "%s", fault.c_str());
	std::puts("ok");
	return 0;
}
