// SPDX-License-Identifier: Apache-2.0
// How long one call holds the writer up while tables grow to 2^24 slots and shrink again: batches of
// routes, as BGP writes them, with an upkeep after every few of them, as the supervisor's timer does it.
// A reader looks up all the time. Prints one JSON object: the longest calls in milliseconds of CPU time.
//
//   fib_grow [routes [longest call allowed, ms]]
#include <atomic>
#include <thread>

#include "fake_worker.h"
#include "fib_load.h"

using namespace sealane;
using namespace sealane::test;

namespace
{

struct Longest {
	double batch = 0;
	double upkeep = 0;
};

template <class F> double milliseconds(F action)
{
	const double start = cpu_seconds();
	action();
	return (cpu_seconds() - start) * 1e3;
}

Longest run(Tables &tables, const std::vector<Change> &routes, bool remove)
{
	constexpr size_t kSome = 100; // changes in one call
	Longest longest;
	for (size_t from = 0; from < routes.size(); from += kSome) {
		const auto begin = routes.begin() + static_cast<std::ptrdiff_t>(from);
		const auto left = routes.end() - begin;
		const std::vector<Change> some(begin,
		                               begin + std::min<std::ptrdiff_t>(kSome, left));
		longest.batch = std::max(longest.batch,
		                         milliseconds([&] { apply_all(tables, some, remove); }));
		if (from % (50 * kSome) == 0)
			longest.upkeep =
				std::max(longest.upkeep, milliseconds([&] { tables.reclaim(); }));
	}
	bool more = true;
	for (int i = 0; more && i < 1000; i++)
		longest.upkeep =
			std::max(longest.upkeep, milliseconds([&] { more = tables.reclaim(); }));
	CHECK(!more || tables.routes.building() == 0, "a trie is still being built");
	return longest;
}

void look_up(const std::string &path, FakeWorker &worker, const std::vector<Change> &routes,
             const std::atomic<bool> &stop, std::atomic<uint64_t> &found)
{
	const ReadOnlyTables t(path);
	Random random(3);
	while (!stop) {
		__atomic_store_n(&worker.epoch(0),
		                 __atomic_load_n(&t->header.reclaim_epoch, __ATOMIC_ACQUIRE),
		                 __ATOMIC_SEQ_CST);
		const Change &c = routes[below(random, static_cast<uint32_t>(routes.size()))];
		const uint32_t root = sl_fib_root(t.get(), 1, 4);
		found += sl_fib4_lookup(t.get(), root, static_cast<uint32_t>(c.key.high >> 32)) !=
		         SL_LEAF_NONE;
	}
	__atomic_store_n(&worker.epoch(0), 0, __ATOMIC_RELEASE);
}

sl_fib_kind kind(const Tables &tables)
{
	return static_cast<sl_fib_kind>(sl_fib_kind_of(sl_fib_root(tables.segment(), 1, 4)));
}

void print(const char *name, const Longest &longest)
{
	std::printf("\"%s\": {\"batchMs\": %.1f, \"upkeepMs\": %.1f}", name, longest.batch,
	            longest.upkeep);
}

} // namespace

int main(int argc, char **argv)
{
	Random random(7);
	Directory directory;
	Tables tables(directory.tables(), directory.state());
	FakeWorker worker(directory.state(), tables.header().segment.epoch, 1);
	sl_vrf_row row{};
	row.name[0] = 'a';
	CHECK(tables.vrfs.put(row) == 1, "VRF id");
	for (uint32_t i = 1; i <= kNexthops; i++)
		tables.nexthops.slot("nh" + std::to_string(i));
	const auto routes = distinct_prefixes(
		random, 4, argc > 1 ? static_cast<uint32_t>(std::atoi(argv[1])) : 300000);
	const double allowed = argc > 2 ? std::atof(argv[2]) : 50;
	std::atomic<bool> stop{false};
	std::atomic<uint64_t> found{0};
	std::thread reader([&] { look_up(directory.tables(), worker, routes, stop, found); });
	const Longest grown = run(tables, routes, false);
	CHECK(kind(tables) == SL_FIB_DIRECT24, "kind %d", kind(tables));
	const std::string fault = tables.check();
	CHECK(fault.empty(), "%s", fault.c_str());
	const Longest shrunk = run(tables, routes, true);
	CHECK(kind(tables) == SL_FIB_TRIE, "kind %d", kind(tables));
	stop = true;
	reader.join();
	CHECK(found > 0, "nothing was found");
	CHECK(settled(tables), "something waits for readers that are offline");
	CHECK(tables.routes.fib().nodes() == 0 && tables.routes.fib().leaves() == 0 &&
	              tables.routes.fib().direct(24).live() == 0,
	      "something leaked");
	std::printf("{\"routes\": %zu, ", routes.size());
	print("growing", grown);
	std::printf(", ");
	print("shrinking", shrunk);
	std::printf("}\n");
	const double most = std::max({grown.batch, grown.upkeep, shrunk.batch, shrunk.upkeep});
	CHECK(most < allowed, "a call took %.1f ms", most);
	return 0;
}
