// SPDX-License-Identifier: Apache-2.0
// Routes and addresses as those of the Internet, for the programs that measure large tables.
#ifndef SEALANE_ADDON_TEST_FIB_LOAD_H
#define SEALANE_ADDON_TEST_FIB_LOAD_H

#include <algorithm>

#include "harness.h"

namespace sealane::test
{

constexpr uint32_t kNexthops = 64;
constexpr uint32_t kBatch = 1000;

/// Prefix lengths as in the Internet's tables, in parts of 1000.
inline unsigned random_length(Random &random, unsigned family)
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

inline std::vector<Change> distinct_prefixes(Random &random, unsigned family, uint32_t count)
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
inline double apply_all(Tables &tables, const std::vector<Change> &changes, bool remove)
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

inline std::vector<sl_fib_key> traffic(Random &random, const std::vector<Change> &routes,
                                       Traffic kind)
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

} // namespace sealane::test

#endif
