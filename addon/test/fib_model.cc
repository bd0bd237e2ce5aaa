// SPDX-License-Identifier: Apache-2.0
// Random inserts, replaces and deletes in several VRFs, against a plain model: every lookup by the
// worker's own code, single and in bulk, and every derived structure by its check.
//
//   fib_model [seed [rounds [limits]]]
#include <cstring>

#include "harness.h"

using namespace sealane;
using namespace sealane::test;

namespace
{

constexpr uint32_t kNexthops = 40;

uint64_t lookup(const sl_tables *t, uint32_t vrf, unsigned family, const sl_fib_key &key)
{
	uint8_t address[16];
	key_to_bytes(family, key, address);
	const uint32_t root = sl_fib_root(t, vrf, family);
	if (family == 6)
		return resolve(t, sl_fib6_lookup(t, root, address));
	return resolve(t, sl_fib4_lookup(t, root, static_cast<uint32_t>(key.high >> 32)));
}

/// A burst of one VRF or of several, of a length that is not a multiple of anything.
void check_bulk(const sl_tables *t, const Model &model, Random &random, unsigned family,
                const std::vector<Change> &recent)
{
	constexpr unsigned kMost = 77;
	uint32_t roots[kMost];
	uint32_t vrfs[kMost];
	uint32_t four[kMost];
	uint8_t six[kMost][16];
	sl_fib_key keys[kMost];
	uint64_t leaves[kMost];
	const unsigned n = below(random, kMost + 1);
	const unsigned each = below(random, 2); // a root for each, or one for all
	const uint32_t first = below(random, 4);
	for (unsigned i = 0; i < n; i++) {
		vrfs[i] = each != 0 ? below(random, 4) : first;
		roots[i] = sl_fib_root(t, vrfs[i], family);
		const Change &c = recent[below(random, static_cast<uint32_t>(recent.size()))];
		keys[i] = c.family == family && below(random, 2) == 0
		                  ? edge_of(random, c)
		                  : clustered_key(random, family);
		key_to_bytes(family, keys[i], six[i]);
		four[i] = static_cast<uint32_t>(keys[i].high >> 32);
	}
	if (family == 4)
		sl_fib4_lookup_bulk(t, roots, each, four, leaves, n);
	else
		sl_fib6_lookup_bulk(t, roots, each, six, leaves, n);
	for (unsigned i = 0; i < n; i++)
		CHECK(resolve(t, leaves[i]) == model.lookup(vrfs[i], family, keys[i]),
		      "bulk lookup %u of %u, IPv%u", i, n, family);
}

struct World {
	World(uint64_t seed, const char *given) : random(seed), limits(given) {}

	Random random;
	Limits limits;
	Directory directory;
	Tables tables{directory.tables(), directory.state()};
	Model model;
	std::vector<Change> live; // prefixes that were inserted at some time
	const sl_tables *t = tables.segment();
	unsigned kinds = 0;      // bit k: a trie was of kind k
	uint64_t half_built = 0; // changes that met a trie with a part of its rows
};

Change next_change(World &w, unsigned removals_of_10)
{
	if (!w.live.empty() && below(w.random, 10) < removals_of_10) {
		Change c = w.live[below(w.random, static_cast<uint32_t>(w.live.size()))];
		c.nexthop = below(w.random, 4) == 0 ? 1 + below(w.random, kNexthops) : 0;
		return c;
	}
	const unsigned family = below(w.random, 2) == 0 ? 4 : 6;
	Change c = random_change(w.random, below(w.random, 4), family, kNexthops);
	w.live.push_back(c);
	return c;
}

void step(World &w, unsigned removals_of_10)
{
	const Change c = next_change(w, removals_of_10);
	w.limits.vary(w.tables, w.random);
	w.half_built += w.tables.routes.half_built() != 0;
	apply(w.tables, {c});
	w.model.apply(c);
	for (unsigned i = 0; i < 4; i++) {
		const sl_fib_key key = edge_of(w.random, c);
		CHECK(lookup(w.t, c.vrf, c.family, key) == w.model.lookup(c.vrf, c.family, key),
		      "edge of a changed /%u, IPv%u", c.length, c.family);
	}
	w.kinds |= 1u << sl_fib_kind_of(sl_fib_root(w.t, c.vrf, c.family));
}

void check_all(World &w)
{
	const std::string fault = w.tables.check();
	CHECK(fault.empty(), "%s", fault.c_str());
	uint32_t count = 0;
	for (uint32_t vrf = 0; vrf < 4; vrf++)
		count += w.tables.routes.count(vrf, 4) + w.tables.routes.count(vrf, 6);
	CHECK(count == w.model.routes().size(), "%u routes, the model has %zu", count,
	      w.model.routes().size());
}

/// Takes everything out again: the tries must vanish, and with them every unit of their pools.
void empty(World &w)
{
	while (!w.model.routes().empty()) {
		const auto [vrf, family, length, high, low] = w.model.routes().begin()->first;
		const Change c{vrf,
		               static_cast<uint8_t>(family),
		               static_cast<uint8_t>(length),
		               {high, low},
		               0,
		               0,
		               1};
		apply(w.tables, {c});
		w.model.apply(c);
	}
	// At once: a VRF without routes may be removed.
	for (uint32_t vrf = 0; vrf < 4; vrf++) {
		CHECK(sl_fib_root(w.t, vrf, 4) == 0 && sl_fib_root(w.t, vrf, 6) == 0,
		      "VRF %u has a trie without routes", vrf);
	}
	w.limits.finish(w.tables);
	CHECK(settled(w.tables), "something waits for readers that do not exist");
	static const sl_group_row nothing{};
	for (uint32_t id = 0; id < w.tables.groups.end(); id++)
		CHECK(std::memcmp(&w.t->group[id], &nothing, sizeof nothing) == 0,
		      "group %u has members and no route", id);
	CHECK(w.tables.routes.fib().direct(18).live() == 0 &&
	              w.tables.routes.fib().direct(24).live() == 0,
	      "a direct table leaked");
	// Nor does the file hold memory for a table that was never finished.
	uint64_t bytes = 1 << 20;
	for (const TableMemory &table : w.tables.memory())
		bytes += table.bytes;
	struct stat status {
	};
	CHECK(stat(w.directory.tables().c_str(), &status) == 0 &&
	              static_cast<uint64_t>(status.st_blocks) * 512 <= bytes,
	      "%lld blocks for tables of %llu bytes", static_cast<long long>(status.st_blocks),
	      static_cast<unsigned long long>(bytes));
	CHECK(w.tables.routes.fib().nodes() == 0 && w.tables.routes.fib().leaves() == 0,
	      "%llu nodes and %llu leaves leaked",
	      static_cast<unsigned long long>(w.tables.routes.fib().nodes()),
	      static_cast<unsigned long long>(w.tables.routes.fib().leaves()));
}

} // namespace

int main(int argc, char **argv)
{
	World w(seed_of(argc, argv), argc > 3 ? argv[3] : nullptr);
	const int rounds = argc > 2 ? std::atoi(argv[2]) : 30;
	for (uint32_t vrf = 1; vrf < 4; vrf++) {
		sl_vrf_row row{};
		std::snprintf(row.name, sizeof row.name, "vrf%u", vrf);
		CHECK(w.tables.vrfs.put(row) == vrf, "VRF id");
	}
	for (uint32_t i = 1; i <= kNexthops; i++)
		CHECK(w.tables.nexthops.slot("nh" + std::to_string(i)) == i, "next-hop id");
	for (int round = 0; round < rounds; round++) {
		const unsigned removals = round % 3 == 2 ? 8 : 3; // grow, grow, shrink
		for (int i = 0; i < 400; i++)
			step(w, removals);
		for (int i = 0; i < 20; i++)
			check_bulk(w.t, w.model, w.random, i % 2 == 0 ? 4 : 6, w.live);
		check_all(w);
	}
	CHECK(!w.limits.given() || (w.kinds == 7 && w.half_built > 100),
	      "kinds of tries met: %#x; %llu changes met one half built", w.kinds,
	      static_cast<unsigned long long>(w.half_built));
	const size_t most = w.model.routes().size();
	CHECK(w.tables.groups.live_rows() > 10, "%u groups: nothing was tested",
	      w.tables.groups.live_rows());
	empty(w);
	check_all(w);
	std::printf("ok: %d rounds of 400 changes, %zu routes at the end, %llu changes met a trie "
	            "half built\n",
	            rounds, most, static_cast<unsigned long long>(w.half_built));
	return 0;
}
