// SPDX-License-Identifier: Apache-2.0
// What a large FIB costs: insertion, memory, lookups. Prints one JSON object; asserts nothing but
// that answers are right.
//
//   fib_bench [IPv4 prefixes [IPv6 prefixes]]      ("locality": flows of 8 packets; "hot": 1000 addresses)
#include <algorithm>

#include "harness.h"

using namespace sealane;
using namespace sealane::test;

namespace
{

constexpr uint32_t kNexthops = 64;
constexpr uint32_t kBatch = 1000;

/// Prefix lengths as in the Internet's tables, in parts of 1000.
unsigned random_length(Random &random, unsigned family)
{
	const uint32_t at = below(random, 1000);
	if (family == 4) {
		if (at < 600)
			return 24;
		if (at < 830)
			return 20 + below(random, 4);
		if (at < 980)
			return 16 + below(random, 4);
		return at < 990 ? 9 + below(random, 7) : 25 + below(random, 8);
	}
	if (at < 480)
		return 48;
	if (at < 700)
		return 40 + below(random, 8);
	if (at < 900)
		return 32 + below(random, 8);
	return at < 960 ? 29 + below(random, 3) : 49 + below(random, 16);
}

std::vector<Change> distinct_prefixes(Random &random, unsigned family, uint32_t count)
{
	std::vector<Change> all;
	std::map<std::tuple<uint64_t, uint64_t, unsigned>, bool> seen;
	std::vector<uint64_t> stems(family == 4 ? 0 : 20000); // allocations of 2000::/3
	for (uint64_t &stem : stems)
		stem = 1ull << 61 | (random() >> 3 & 0xffffffff00000000ull);
	while (all.size() < count) {
		Change c{};
		c.vrf = 1;
		c.family = static_cast<uint8_t>(family);
		c.length = static_cast<uint8_t>(random_length(random, family));
		const uint64_t high =
			family == 4 ? (1ull << 56) + random() % (223ull << 56)
				    : stems[below(random, 20000)] | (random() & 0xffffffff);
		c.key = truncated({family == 4 ? high & 0xffffffff00000000ull : high, 0}, c.length);
		c.nexthop = 1 + below(random, kNexthops);
		c.label = below(random, 1u << 20);
		c.owner = SL_OWNER_TUNNEL;
		if (seen.insert({{c.key.high, c.key.low, c.length}, true}).second)
			all.push_back(c);
	}
	return all;
}

/// All changes in batches; nanoseconds each. `nexthop` 0 removes.
double apply_all(Tables &tables, const std::vector<Change> &changes, bool remove)
{
	double total = 0;
	for (size_t from = 0; from < changes.size(); from += kBatch) {
		const auto n =
			static_cast<uint32_t>(std::min<size_t>(kBatch, changes.size() - from));
		const size_t width = changes[from].family == 4 ? 4 : 16;
		std::vector<uint8_t> removes(n, remove ? 1 : 0), addresses(n * width), lengths(n),
			owners(n);
		std::vector<uint32_t> nexthops(n), labels(n);
		std::vector<uint16_t> accepts(n);
		for (uint32_t i = 0; i < n; i++) {
			const Change &c = changes[from + i];
			uint8_t address[16];
			key_to_bytes(c.family, c.key, address);
			std::copy_n(address, width, &addresses[i * width]);
			lengths[i] = c.length;
			owners[i] = c.owner;
			nexthops[i] = c.nexthop;
			labels[i] = c.label;
		}
		const double start = cpu_seconds();
		tables.routes.apply({1, changes[from].family, n, removes.data(), addresses.data(),
		                     lengths.data(), nexthops.data(), labels.data(), accepts.data(),
		                     owners.data()});
		total += (cpu_seconds() - start);
	}
	return total / static_cast<double>(changes.size()) * 1e9;
}

enum class Traffic { random, locality, hot };

std::vector<sl_fib_key> traffic(Random &random, const std::vector<Change> &routes, Traffic kind)
{
	std::vector<sl_fib_key> keys(1u << 19);
	std::vector<sl_fib_key> hot(1000);
	const auto inside = [&] {
		const Change &c = routes[below(random, static_cast<uint32_t>(routes.size()))];
		const sl_fib_key mask = truncated({~0ull, ~0ull}, c.length);
		return sl_fib_key{c.key.high | (random_bits(random, c.family, 0) & ~mask.high),
		                  c.key.low | (random_bits(random, c.family, 1) & ~mask.low)};
	};
	for (sl_fib_key &key : hot)
		key = inside();
	for (size_t i = 0; i < keys.size(); i++) {
		if (kind == Traffic::hot)
			keys[i] = hot[below(random, 1000)];
		else if (kind == Traffic::locality && i >= 64 && below(random, 8) != 0)
			keys[i] = keys[i - 1 - below(random, 64)];
		else
			keys[i] = inside();
	}
	return keys;
}

/// Nanoseconds per lookup in bursts of 32; the median of 5 runs.
double time_lookups(const Tables &tables, unsigned family, const std::vector<sl_fib_key> &keys)
{
	const sl_tables *t = tables.segment();
	std::vector<uint32_t> four(keys.size());
	std::vector<std::array<uint8_t, 16>> six(keys.size());
	for (size_t i = 0; i < keys.size(); i++) {
		four[i] = static_cast<uint32_t>(keys[i].high >> 32);
		key_to_bytes(family, keys[i], six[i].data());
	}
	uint32_t roots[32];
	uint64_t leaves[32];
	uint64_t sum = 0;
	std::fill_n(roots, 32, sl_fib_root(t, 1, family));
	std::vector<double> runs;
	for (int run = 0; run < 5; run++) {
		const double start = cpu_seconds();
		for (size_t i = 0; i < keys.size(); i += 32) {
			if (family == 4)
				sl_fib4_lookup_bulk(t, roots, &four[i], leaves, 32);
			else
				sl_fib6_lookup_bulk(t, roots,
				                    reinterpret_cast<const uint8_t(*)[16]>(&six[i]),
				                    leaves, 32);
			sum += leaves[0] ^ leaves[31];
		}
		runs.push_back((cpu_seconds() - start) / static_cast<double>(keys.size()) * 1e9);
	}
	std::sort(runs.begin(), runs.end());
	CHECK(sum != 1, "kept alive");
	return runs[2];
}

void bench(Tables &tables, Random &random, unsigned family, uint32_t count)
{
	const auto routes = distinct_prefixes(random, family, count);
	const double insert = apply_all(tables, routes, false);
	const uint64_t nodes = tables.routes.fib().nodes() * sizeof(sl_fib_node);
	const uint64_t leaves = tables.routes.fib().leaves() * sizeof(uint64_t);
	std::printf("\"ipv%u\": {\"prefixes\": %u, \"insertNs\": %.0f, \"trieBytes\": %llu, "
	            "\"bytesPerPrefix\": %.1f, ",
	            family, count, insert, static_cast<unsigned long long>(nodes + leaves),
	            static_cast<double>(nodes + leaves) / count);
	std::printf("\"lookupNs\": {\"random\": %.2f, \"locality\": %.2f, \"hot\": %.2f}, ",
	            time_lookups(tables, family, traffic(random, routes, Traffic::random)),
	            time_lookups(tables, family, traffic(random, routes, Traffic::locality)),
	            time_lookups(tables, family, traffic(random, routes, Traffic::hot)));
	// The worst single change: the default route under everything.
	Change all{};
	all.vrf = 1;
	all.family = static_cast<uint8_t>(family);
	all.nexthop = 1;
	all.owner = SL_OWNER_STATIC;
	const double defaults = apply_all(tables, {all}, false);
	const std::string fault = tables.check();
	CHECK(fault.empty(), "%s", fault.c_str());
	const double remove = apply_all(tables, routes, true);
	std::printf("\"defaultRouteNs\": %.0f, \"removeNs\": %.0f}", defaults, remove);
	apply_all(tables, {all}, true);
}

} // namespace

int main(int argc, char **argv)
{
	Random random(1);
	Directory directory;
	Tables tables(directory.tables(), directory.state());
	sl_vrf_row row{};
	row.name[0] = 'a';
	CHECK(tables.vrfs.put(row) == 1, "VRF id");
	for (uint32_t i = 1; i <= kNexthops; i++)
		tables.nexthops.slot("nh" + std::to_string(i));
	std::printf("{");
	bench(tables, random, 4, argc > 1 ? static_cast<uint32_t>(std::atoi(argv[1])) : 900000);
	std::printf(", ");
	bench(tables, random, 6, argc > 2 ? static_cast<uint32_t>(std::atoi(argv[2])) : 200000);
	uint64_t backed = 0;
	for (const TableMemory &table : tables.memory())
		backed += table.bytes;
	std::printf(", \"segmentBytes\": %llu}\n", static_cast<unsigned long long>(backed));
	return 0;
}
