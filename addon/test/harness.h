// SPDX-License-Identifier: Apache-2.0
// For the test programs of this folder: checks that stop the program, a tmpfs directory, a model.
#ifndef SEALANE_ADDON_TEST_HARNESS_H
#define SEALANE_ADDON_TEST_HARNESS_H

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tables.h"
#include "tables_error.h"

#define CHECK(condition, ...)                                                                      \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			std::fprintf(stderr, "%s:%d: failed: %s: ", __FILE__, __LINE__,            \
			             #condition);                                                  \
			std::fprintf(stderr, __VA_ARGS__);                                         \
			std::fprintf(stderr, "\n");                                                \
			std::exit(1);                                                              \
		}                                                                                  \
	} while (0)

namespace sealane::test
{

/// The code of the error that an action throws, "" when it throws none.
template <class F> std::string code_of(F action)
{
	try {
		action();
	} catch (const TablesError &error) {
		return error.code();
	}
	return {};
}

/// A directory on a tmpfs with the two segments, removed when the process that made it exits, a
/// failed check included. One to a program.
class Directory
{
public:
	explicit Directory(const std::string &below = "/dev/shm")
	{
		std::string path = below + "/sealane-addon-XXXXXX";
		CHECK(mkdtemp(path.data()) != nullptr, "mkdtemp below %s", below.c_str());
		this_path() = path;
		owner() = getpid();
		std::atexit(remove);
	}
	static std::string tables() { return this_path() + "/tables"; }
	static std::string state() { return this_path() + "/state"; }

private:
	static std::string &this_path()
	{
		static std::string path;
		return path;
	}
	static pid_t &owner()
	{
		static pid_t pid;
		return pid;
	}
	static void remove()
	{
		if (getpid() != owner())
			return;
		unlink(tables().c_str());
		unlink(state().c_str());
		rmdir(this_path().c_str());
	}
};

using Random = std::mt19937_64;

inline uint32_t below(Random &random, uint32_t n) { return static_cast<uint32_t>(random() % n); }

/// A further way of a route.
struct Way {
	uint32_t nexthop;
	uint32_t label;
};

/// One route change.
struct Change {
	uint32_t vrf;
	uint8_t family;
	uint8_t length;
	sl_fib_key key;
	uint32_t nexthop; // 0: remove
	uint32_t label;
	uint8_t owner;
	std::vector<Way> more{}; // further ways
};

/// Ways in any order, the same one perhaps twice, as one word: alike for the same set.
inline uint64_t set_of_ways(std::vector<uint64_t> leaves)
{
	std::sort(leaves.begin(), leaves.end());
	leaves.erase(std::unique(leaves.begin(), leaves.end()), leaves.end());
	if (leaves.size() == 1)
		return leaves[0];
	uint64_t word = 0x9e3779b97f4a7c15ull;
	for (const uint64_t leaf : leaves)
		word = (word ^ leaf) * 0xbf58476d1ce4e5b9ull ^ word >> 31;
	return word | SL_LEAF_GROUP;
}

/// What a change makes of its prefix.
inline uint64_t answer_of(const Change &c)
{
	std::vector<uint64_t> leaves{sl_leaf(c.nexthop, c.label, 0)};
	for (const Way &way : c.more)
		leaves.push_back(sl_leaf(way.nexthop, way.label, 0));
	return set_of_ways(std::move(leaves));
}

/// The same of a leaf found in the segment: a group by what is in it now.
inline uint64_t resolve(const sl_tables *t, uint64_t leaf)
{
	if (!sl_leaf_is_group(leaf))
		return leaf;
	std::vector<uint64_t> leaves;
	const sl_group_row &row = t->group[sl_leaf_group(leaf)];
	for (size_t i = 0; i < SL_GROUP_MEMBERS && row.member[i] != SL_LEAF_NONE; i++)
		leaves.push_back(row.member[i]);
	return leaves.empty() ? SL_LEAF_GROUP : set_of_ways(std::move(leaves));
}

inline void apply(Tables &tables, const std::vector<Change> &changes)
{
	for (const Change &c : changes) {
		uint8_t address[16];
		key_to_bytes(c.family, c.key, address);
		const uint8_t remove = c.nexthop == 0;
		const uint16_t accept = 0;
		std::vector<uint32_t> nexthops, labels;
		for (const Way &way : c.more) {
			nexthops.push_back(way.nexthop);
			labels.push_back(way.label);
		}
		const auto more = static_cast<uint8_t>(c.more.size());
		tables.routes.apply({c.vrf, c.family, 1, &remove, address, &c.length, &c.nexthop,
		                     &c.label, &accept, &c.owner, &more, more, nexthops.data(),
		                     labels.data()});
	}
}

/// From how many routes on a trie has a direct table of 18 and of 24 bits, as an argument: "18:24", so
/// that few routes meet both and come and go from one to another. Without: as it is in use.
class Limits
{
public:
	explicit Limits(const char *text) : given_(text != nullptr)
	{
		if (given_)
			CHECK(std::sscanf(text, "%u:%u", &limits_.bits18, &limits_.bits24) == 2,
			      "limits %s", text);
		limits_.bits24_ipv6 = std::min(limits_.bits24, limits_.bits24_ipv6);
	}
	bool given() const { return given_; }
	/// The kinds of tries that so many routes come by, as bits.
	unsigned kinds(uint32_t routes) const
	{
		return 1u | (routes > limits_.bits18 ? 2u : 0u) |
		       (routes > limits_.bits24 ? 4u : 0u);
	}
	/// Before each change: now nothing, now a few rows, now a whole trie is built at it, so that
	/// changes meet tries in every state.
	void vary(Tables &tables, Random &random)
	{
		if (!given_)
			return;
		const uint32_t pick = below(random, 16);
		limits_.change_work = pick < 2   ? 1 << 24
		                      : pick < 4 ? 1 << 20
		                                 : 64 * below(random, 6);
		limits_.upkeep_work = limits_.change_work;
		tables.routes.set_limits(limits_);
	}
	/// From here on a trie is built within a few calls.
	void finish(Tables &tables)
	{
		limits_.change_work = limits_.upkeep_work = 1 << 26;
		tables.routes.set_limits(limits_);
	}

private:
	bool given_;
	DirectLimits limits_;
};

/// Nothing is built any more, taken down, or waits for readers. False: something does.
inline bool settled(Tables &tables)
{
	for (int i = 0; i < 100000; i++) {
		if (!tables.reclaim())
			return true;
	}
	return false;
}

/// Longest-prefix match as slowly and plainly as it can be written.
class Model
{
public:
	using Key = std::tuple<uint32_t, unsigned, unsigned, uint64_t, uint64_t>;

	void apply(const Change &c)
	{
		const Key key{c.vrf, c.family, c.length, c.key.high, c.key.low};
		if (c.nexthop == 0)
			routes_.erase(key);
		else
			routes_[key] = {answer_of(c), c.owner};
	}
	uint64_t lookup(uint32_t vrf, unsigned family, const sl_fib_key &address) const
	{
		for (unsigned length = address_bits(family) + 1; length-- > 0;) {
			const sl_fib_key cut = truncated(address, length);
			const auto found = routes_.find({vrf, family, length, cut.high, cut.low});
			if (found != routes_.end())
				return found->second.first;
		}
		return SL_LEAF_NONE;
	}
	const std::map<Key, std::pair<uint64_t, uint8_t>> &routes() const { return routes_; }

private:
	std::map<Key, std::pair<uint64_t, uint8_t>> routes_; // answer, owner
};

inline uint64_t random_bits(Random &random, unsigned family, unsigned word)
{
	if (family == 4)
		return word == 0 ? random() & 0xffffffff00000000ull : 0;
	return random();
}

/// Addresses that share long parts: prefixes nest and touch, nodes fill and empty.
inline sl_fib_key clustered_key(Random &random, unsigned family)
{
	sl_fib_key key{random_bits(random, family, 0), random_bits(random, family, 1)};
	if (below(random, 4) != 0) {
		// One of a few stems, then differing late.
		const unsigned stem = below(random, address_bits(family));
		sl_fib_key base{0x2001'0db8'0000'0000ull * (1 + below(random, 3)), 0};
		if (family == 4)
			base = {base.high & 0xffffffff00000000ull, 0};
		const sl_fib_key cut = truncated(base, stem);
		const sl_fib_key mask = truncated({~0ull, ~0ull}, stem);
		key = {cut.high | (key.high & ~mask.high), cut.low | (key.low & ~mask.low)};
	}
	return key;
}

inline Change random_change(Random &random, uint32_t vrf, unsigned family, uint32_t nexthops)
{
	Change c{};
	c.vrf = vrf;
	c.family = static_cast<uint8_t>(family);
	const unsigned bits = address_bits(family);
	// Every length, those beside a level's boundary and the extremes more often.
	const unsigned pick = below(random, 8);
	unsigned length = below(random, bits + 1);
	if (pick == 0)
		length = below(random, 2) == 0 ? 0 : bits;
	else if (pick <= 3)
		length = std::min(bits, 6 * below(random, bits / 6 + 1) + below(random, 3));
	c.length = static_cast<uint8_t>(length);
	c.key = truncated(clustered_key(random, family), length);
	c.nexthop = 1 + below(random, nexthops);
	c.label = below(random, 1u << 20);
	c.owner = static_cast<uint8_t>(SL_OWNER_STATIC + below(random, 5));
	// One of four has several ways; few labels, so that some of them are the same ones.
	const uint32_t more = vrf == 0 || below(random, 4) != 0 ? 0 : 1 + below(random, 4);
	for (uint32_t i = 0; i < more; i++)
		c.more.push_back({1 + below(random, nexthops), below(random, 2)});
	if (more != 0)
		c.label = below(random, 2);
	return c;
}

/// The first or last address of a prefix, or one beside it: where an off-by-one shows.
inline sl_fib_key edge_of(Random &random, const Change &c)
{
	const unsigned bits = address_bits(c.family);
	unsigned __int128 address = static_cast<unsigned __int128>(c.key.high) << 64 | c.key.low;
	const unsigned __int128 unit = static_cast<unsigned __int128>(1) << (128 - bits);
	const unsigned __int128 span =
		c.length == 0 ? 0 : static_cast<unsigned __int128>(1) << (128 - c.length);
	switch (below(random, 4)) {
	case 0:
		break;
	case 1:
		address -= unit;
		break;
	case 2:
		address += span - unit;
		break;
	default:
		address += span;
		break;
	}
	return {static_cast<uint64_t>(address >> 64), static_cast<uint64_t>(address)};
}

/// CPU seconds of this thread: what others on the core do does not count.
inline double cpu_seconds()
{
	timespec now{};
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// The seed: argument 1, or a fresh one; printed, so that a failure can be repeated.
inline uint64_t seed_of(int argc, char **argv)
{
	const uint64_t seed =
		argc > 1 ? std::strtoull(argv[1], nullptr, 0) : std::random_device{}();
	std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
	std::fflush(stdout);
	return seed;
}

} // namespace sealane::test

#endif
