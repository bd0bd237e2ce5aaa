// SPDX-License-Identifier: Apache-2.0
// Readers look addresses up while the writer changes routes. Each answer must be one that was right
// at some instant between the lookup's start and its end. Readers take part in reclaim as the
// worker's threads do, so space that is used again too early shows as a wrong answer: of the tries, and
// of the groups that routes with several ways lead to.
//
//   fib_concurrent [seed [changes [limits]]]
#include <algorithm>
#include <atomic>
#include <thread>

#include "fake_worker.h"

using namespace sealane;
using namespace sealane::test;

namespace
{

constexpr uint32_t kNexthops = 40;
constexpr uint32_t kProbes = 256; // addresses looked up, per family
constexpr uint32_t kReaders = 2;
constexpr uint32_t kPool = 400; // prefixes that come and go, per family

/// What one address should find: `leaf` from change `since` (1 up) on.
struct Answer {
	uint32_t since;
	uint64_t leaf;
};

struct Probe {
	sl_fib_key key;
	std::vector<Answer> answers;
};

struct History {
	std::vector<Change> changes;
	std::vector<Probe> probes[2];   // IPv4, IPv6
	std::atomic<uint32_t> begun{0}; // changes that the writer has begun
	std::atomic<uint32_t> done{0};  // changes that are finished
	std::atomic<bool> stop{false};
	std::atomic<uint64_t> lookups{0};
	std::atomic<uint64_t> groups{0};     // of them, found a group
	std::atomic<uint64_t> overlapped{0}; // lookups during which a change was under way
};

bool covers(const Change &c, const sl_fib_key &key)
{
	const sl_fib_key cut = truncated(key, c.length);
	return cut.high == c.key.high && cut.low == c.key.low;
}

/// Draws the changes and computes, with the plain model, what each probe finds after each of them.
void draw(History &h, Random &random, uint32_t changes)
{
	std::vector<Change> pool[2];
	for (unsigned f = 0; f < 2; f++) {
		bool has_default = false; // changing it is slow: once is enough
		while (pool[f].size() < kPool) {
			const Change c = random_change(random, 1, f == 0 ? 4 : 6, kNexthops);
			if (c.length != 0 || !has_default)
				pool[f].push_back(c);
			has_default = has_default || c.length == 0;
		}
		while (h.probes[f].size() < kProbes)
			h.probes[f].push_back({edge_of(random, pool[f][below(random, kPool)]),
			                       {{0, SL_LEAF_NONE}}});
	}
	Model model;
	for (uint32_t i = 1; i <= changes; i++) {
		const unsigned f = below(random, 2);
		Change c = pool[f][below(random, kPool)];
		// Nearly all of the pool, then nearly nothing: tries become others and come back.
		const uint32_t inserts = i / 3000 % 2 == 0 ? 17 : 1;
		c.nexthop = below(random, 20) < inserts ? 1 + below(random, kNexthops) : 0;
		// So that every insert's answer is another; groups are also shared and come back.
		if (c.more.empty() || below(random, 2) == 0)
			c.label = i & 0xfffff;
		h.changes.push_back(c);
		model.apply(c);
		for (Probe &probe : h.probes[f]) {
			if (!covers(c, probe.key))
				continue;
			const uint64_t leaf = model.lookup(1, c.family, probe.key);
			if (leaf != probe.answers.back().leaf)
				probe.answers.push_back({i, leaf});
		}
	}
}

/// Whether `leaf` was right at some time from after change `from` up to after change `to`.
bool right(const Probe &probe, uint64_t leaf, uint32_t from, uint32_t to)
{
	const auto after = std::upper_bound(
		probe.answers.begin(), probe.answers.end(), from,
		[](uint32_t at, const Answer &answer) { return at < answer.since; });
	for (auto answer = after - 1; answer != probe.answers.end() && answer->since <= to;
	     ++answer) {
		if (answer->leaf == leaf)
			return true;
	}
	return false;
}

void burst(const sl_tables *t, History &h, Random &random, unsigned f)
{
	uint32_t which[32];
	uint32_t roots[32];
	uint32_t four[32];
	uint8_t six[32][16];
	uint64_t leaves[32];
	const unsigned family = f == 0 ? 4 : 6;
	for (unsigned i = 0; i < 32; i++) {
		which[i] = below(random, kProbes);
		const sl_fib_key &key = h.probes[f][which[i]].key;
		four[i] = static_cast<uint32_t>(key.high >> 32);
		key_to_bytes(family, key, six[i]);
	}
	const uint32_t from = h.done.load(std::memory_order_acquire);
	for (unsigned i = 0; i < 32; i++)
		roots[i] = sl_fib_root(t, 1, family);
	if (f == 0)
		sl_fib4_lookup_bulk(t, roots, 1, four, leaves, 32);
	else
		sl_fib6_lookup_bulk(t, roots, 1, six, leaves, 32);
	for (unsigned i = 0; i < 32; i++) {
		h.groups += static_cast<uint64_t>(sl_leaf_is_group(leaves[i]));
		leaves[i] = resolve(t, leaves[i]);
	}
	std::atomic_thread_fence(std::memory_order_seq_cst);
	const uint32_t to = h.begun.load(std::memory_order_relaxed);
	for (unsigned i = 0; i < 32; i++)
		CHECK(right(h.probes[f][which[i]], leaves[i], from, to),
		      "IPv%u: leaf %#llx was never right within changes %u..%u", family,
		      static_cast<unsigned long long>(leaves[i]), from, to);
	h.lookups += 32;
	h.overlapped += from != to ? 32 : 0;
}

void read(const sl_tables *t, FakeWorker &worker, History &h, uint32_t lcore, uint64_t seed)
{
	Random random(seed);
	uint64_t &epoch = worker.epoch(lcore);
	while (!h.stop) {
		// Online: announce the epoch, then read. As the worker's threads do.
		__atomic_store_n(&epoch,
		                 __atomic_load_n(&t->header.reclaim_epoch, __ATOMIC_ACQUIRE),
		                 __ATOMIC_SEQ_CST);
		std::atomic_thread_fence(std::memory_order_seq_cst);
		for (unsigned i = 0; i < 4; i++)
			burst(t, h, random, i % 2);
		if (below(random, 64) == 0) {
			__atomic_store_n(&epoch, 0, __ATOMIC_RELEASE); // offline
			std::this_thread::yield();
		}
	}
	__atomic_store_n(&epoch, 0, __ATOMIC_RELEASE);
}

} // namespace

int main(int argc, char **argv)
{
	const uint64_t seed = seed_of(argc, argv);
	Random random(seed);
	const uint32_t changes = argc > 2 ? static_cast<uint32_t>(std::atoi(argv[2])) : 150000;
	Directory directory;
	Tables tables(directory.tables(), directory.state());
	Limits limits(argc > 3 ? argv[3] : nullptr);
	uint64_t half_built = 0;
	unsigned kinds = 0; // bit k: a trie was of kind k
	FakeWorker worker(directory.state(), tables.header().segment.epoch, kReaders);
	sl_vrf_row row{};
	row.name[0] = 'a';
	CHECK(tables.vrfs.put(row) == 1, "VRF id");
	for (uint32_t i = 1; i <= kNexthops; i++)
		tables.nexthops.slot("nh" + std::to_string(i));
	History h;
	draw(h, random, changes);
	// One reader has the tables as the worker has them, another one at the writer's addresses: for
	// the thread sanitizer, as in share().
	worker.share(tables.state().get());
	const ReadOnlyTables mapped(directory.tables());
	const sl_tables *const views[kReaders] = {mapped.get(), tables.segment()};
	std::vector<std::thread> readers;
	for (uint32_t i = 0; i < kReaders; i++)
		readers.emplace_back([&, i] { read(views[i], worker, h, i, seed + 1 + i); });
	for (uint32_t i = 1; i <= changes; i++) {
		h.begun.store(i, std::memory_order_release);
		std::atomic_thread_fence(std::memory_order_seq_cst);
		limits.vary(tables, random);
		half_built += tables.routes.half_built() != 0;
		apply(tables, {h.changes[i - 1]});
		h.done.store(i, std::memory_order_release);
		kinds |= 1u << sl_fib_kind_of(sl_fib_root(tables.segment(), 1, 4)) |
		         1u << sl_fib_kind_of(sl_fib_root(tables.segment(), 1, 6));
		if (i % 64 == 0)
			tables.reclaim();
	}
	h.stop = true;
	for (std::thread &reader : readers)
		reader.join();
	limits.finish(tables);
	CHECK(settled(tables), "offline readers hold %zu objects", tables.waiting());
	CHECK(!limits.given() || (kinds == limits.kinds(kPool) && half_built > 10),
	      "kinds of tries met: %#x; %llu changes met one half built", kinds,
	      static_cast<unsigned long long>(half_built));
	const std::string fault = tables.check();
	CHECK(fault.empty(), "%s", fault.c_str());
	// Without overlap this would have tested nothing.
	CHECK(h.overlapped > 1000 && h.groups > 1000,
	      "only %llu lookups met a change, %llu a group",
	      static_cast<unsigned long long>(h.overlapped),
	      static_cast<unsigned long long>(h.groups));
	std::printf("ok: %u changes, %llu lookups, %llu of them during a change\n", changes,
	            static_cast<unsigned long long>(h.lookups),
	            static_cast<unsigned long long>(h.overlapped));
	return 0;
}
