// SPDX-License-Identifier: Apache-2.0
// What sustained changes of routes do to lookups: a reader looks random addresses up without a pause while
// the writer withdraws and announces routes at a steady rate. Prints one JSON object.
//
//   fib_updates [routes [changes per second [seconds]]]
//
// A slice is 65,536 lookups in bursts of 32, timed by the reader's own CPU time: what else runs on its CPU
// does not count, what the writer does to the caches does.
#include <atomic>
#include <chrono>
#include <thread>

#include "fake_worker.h"
#include "fib_load.h"

using namespace sealane;
using namespace sealane::test;

namespace
{

constexpr uint32_t kSlice = 65536;
constexpr uint32_t kPerTick = 100; // changes in one batch

struct Reader {
	std::vector<uint32_t> addresses;
	std::atomic<bool> stop{false};
	std::atomic<unsigned> phase{0}; // 0: nothing changes, 1: changes
	std::vector<double> slices[2];  // ns per lookup
	std::atomic<uint64_t> answered{0};
};

/// As the worker's threads do it: an epoch announced for every few bursts.
void look_up(const std::string &path, FakeWorker &worker, Reader &r)
{
	const ReadOnlyTables t(path);
	uint64_t leaves[32];
	size_t at = 0;
	while (!r.stop) {
		const unsigned phase = r.phase;
		const double start = cpu_seconds();
		uint64_t answered = 0;
		for (uint32_t done = 0; done < kSlice; done += 32) {
			__atomic_store_n(
				&worker.epoch(0),
				__atomic_load_n(&t->header.reclaim_epoch, __ATOMIC_ACQUIRE),
				__ATOMIC_RELEASE);
			const uint32_t root = sl_fib_root(t.get(), 1, 4);
			sl_fib4_lookup_bulk(t.get(), &root, 0, &r.addresses[at], leaves, 32);
			for (const uint64_t leaf : leaves)
				answered += leaf != SL_LEAF_NONE;
			at = (at + 32) % r.addresses.size();
		}
		r.answered += answered;
		if (phase == r.phase)
			r.slices[phase].push_back((cpu_seconds() - start) / kSlice * 1e9);
	}
	__atomic_store_n(&worker.epoch(0), 0, __ATOMIC_RELEASE);
}

/// Withdraws a run of routes and announces it again, `rate` changes a second; how many in fact.
double change(Tables &tables, const std::vector<Change> &routes, uint32_t rate, double seconds,
              double &cpu)
{
	using Clock = std::chrono::steady_clock;
	const auto begin = Clock::now();
	const auto tick = std::chrono::duration<double>(static_cast<double>(kPerTick) / rate);
	const double cpu_before = cpu_seconds();
	uint64_t ticks = 0;
	for (size_t at = 0;; at = (at + kPerTick) % (routes.size() - kPerTick)) {
		const auto run = routes.begin() + static_cast<std::ptrdiff_t>(at);
		const std::vector<Change> some(run, run + kPerTick);
		for (const bool remove : {true, false}) {
			apply_all(tables, some, remove);
			ticks++;
			std::this_thread::sleep_until(begin +
			                              std::chrono::duration_cast<Clock::duration>(
							      tick * static_cast<double>(ticks)));
		}
		tables.reclaim();
		const std::chrono::duration<double> passed = Clock::now() - begin;
		if (passed.count() >= seconds) {
			cpu = (cpu_seconds() - cpu_before) / passed.count();
			return static_cast<double>(ticks * kPerTick) / passed.count();
		}
	}
}

double quantile(std::vector<double> &values, double part)
{
	CHECK(!values.empty(), "the reader was never scheduled");
	std::sort(values.begin(), values.end());
	return values[static_cast<size_t>(static_cast<double>(values.size() - 1) * part)];
}

} // namespace

int main(int argc, char **argv)
{
	const auto argument = [&](int i, int otherwise) {
		return static_cast<uint32_t>(argc > i ? std::atoi(argv[i]) : otherwise);
	};
	Random random(7);
	Directory directory;
	Tables tables(directory.tables(), directory.state());
	FakeWorker worker(directory.state(), tables.header().segment.epoch, 1);
	sl_vrf_row row{};
	row.name[0] = 'a';
	CHECK(tables.vrfs.put(row) == 1, "VRF id");
	for (uint32_t i = 1; i <= kNexthops; i++)
		tables.nexthops.slot("nh" + std::to_string(i));
	const auto routes = distinct_prefixes(random, 4, argument(1, 900000));
	const double insert = apply_all(tables, routes, false);
	Reader r;
	for (const sl_fib_key &key : traffic(random, routes, Traffic::random))
		r.addresses.push_back(static_cast<uint32_t>(key.high >> 32));
	const double seconds = argument(3, 5);
	std::thread reader([&] { look_up(directory.tables(), worker, r); });
	std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
	r.phase = 1;
	double cpu = 0;
	const double rate = change(tables, routes, argument(2, 100000), seconds, cpu);
	r.stop = true;
	reader.join();
	const std::string fault = tables.check();
	CHECK(fault.empty(), "%s", fault.c_str());
	CHECK(r.answered > 0, "nothing was found");
	std::printf("{\"routes\": %zu, \"insertNs\": %.0f, \"changesPerSecond\": %.0f, "
	            "\"writerCpu\": %.3f",
	            routes.size(), insert, rate, cpu);
	for (const unsigned phase : {0u, 1u})
		std::printf(", \"%s\": {\"slices\": %zu, \"median\": %.2f, \"p99\": %.2f}",
		            phase == 0 ? "quiet" : "changing", r.slices[phase].size(),
		            quantile(r.slices[phase], 0.5), quantile(r.slices[phase], 0.99));
	std::printf("}\n");
	return 0;
}
