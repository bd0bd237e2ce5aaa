// SPDX-License-Identifier: Apache-2.0
// What a large FIB costs: insertion, memory, lookups. Prints one JSON object; asserts nothing but
// that answers are right.
//
//   fib_bench [IPv4 prefixes [IPv6 prefixes]]      ("locality": flows of 8 packets; "hot": 1000 addresses)
#include <algorithm>

#include "fib_load.h"

using namespace sealane;
using namespace sealane::test;

namespace
{

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
				sl_fib4_lookup_bulk(t, roots, 0, &four[i], leaves, 32);
			else
				sl_fib6_lookup_bulk(t, roots, 0,
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
