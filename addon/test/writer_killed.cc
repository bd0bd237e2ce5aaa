// SPDX-License-Identifier: Apache-2.0
// A writer killed at random instants. After each death another attaches: it must find the rows as
// they were before or after the change that was under way, tries that tell the same, sound allocators,
// no key in a free row, and no SA generation twice.
//
//   writer_killed [seed [rounds [limits]]]
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <set>
#include <sys/wait.h>

#include "fake_worker.h"

using namespace sealane;
using namespace sealane::test;

namespace
{

constexpr uint32_t kNexthops = 20;
constexpr uint32_t kSpis = 40;
constexpr uint32_t kLabels = 50;
constexpr uint32_t kPlanned = 40000; // changes planned for one life; it never gets to the end

/// One change of any table.
struct Operation {
	enum Kind { route, version, label, sa } kind;
	Change change;
	uint32_t id;    // next hop, label, or SPI
	uint32_t value; // MTU; accept set (0: clear); 1: add, 0: remove
};

/// What the rows should hold; compared with what an attached writer finds.
struct World {
	Model routes;
	std::map<uint32_t, uint32_t> mtus;   // next hop -> MTU of its version, absent: unusable
	std::map<uint32_t, uint32_t> labels; // label -> accept set
	std::set<uint32_t> spis;             // inbound SAs

	void apply(const Operation &o)
	{
		if (o.kind == Operation::route)
			routes.apply(o.change);
		else if (o.kind == Operation::version && o.value == 0)
			mtus.erase(o.id);
		else if (o.kind == Operation::version)
			mtus[o.id] = o.value;
		else if (o.kind == Operation::label && o.value == 0)
			labels.erase(o.id);
		else if (o.kind == Operation::label)
			labels[o.id] = o.value;
		else if (o.value == 0)
			spis.erase(o.id);
		else
			spis.insert(o.id);
	}
};

struct Progress {
	std::atomic<uint32_t> done;     // operations finished in this life
	std::atomic<uint32_t> building; // tries that were being built then
};

Operation draw(Random &random, const World &world, std::vector<Change> &pool)
{
	Operation o{};
	const uint32_t pick = below(random, 20);
	if (pick < 15) {
		o.kind = Operation::route;
		o.change = pool[below(random, static_cast<uint32_t>(pool.size()))];
		o.change.nexthop = below(random, 3) == 0 ? 0 : 1 + below(random, kNexthops);
		// Of groups mostly the same ones, so that they are shared, let go and taken again.
		if (o.change.more.empty() || below(random, 4) == 0)
			o.change.label = below(random, 1u << 20);
		o.change.owner = static_cast<uint8_t>(1 + below(random, 5));
	} else if (pick < 18) {
		o.kind = Operation::version;
		o.id = 1 + below(random, kNexthops);
		o.value = below(random, 4) == 0 ? 0 : 576 + below(random, 9000);
	} else if (pick < 19) {
		o.kind = Operation::label;
		o.id = 16 + below(random, kLabels);
		o.value = world.labels.contains(o.id) ? 0 : 1 + below(random, 2);
	} else {
		o.kind = Operation::sa;
		o.id = 1000 + below(random, kSpis);
		o.value = world.spis.contains(o.id) ? 0 : 1;
	}
	return o;
}

uint32_t find_sa(const Tables &tables, uint32_t spi)
{
	for (uint32_t id = 1; id < tables.sas.end(Direction::in); id++) {
		if (tables.sas.live(Direction::in, id) &&
		    tables.sas.row(Direction::in, id).spi == spi)
			return id;
	}
	return 0;
}

void add_sa(Tables &tables, Random &random, uint32_t spi)
{
	sl_sa_row row{};
	row.spi = spi;
	row.algorithm = SL_ALG_AES_GCM_128;
	row.family = 4;
	row.encap = SL_ENCAP_GRE;
	row.sp_table = 1;
	row.replay_window = 64;
	uint8_t key[20];
	for (uint8_t &byte : key)
		byte = static_cast<uint8_t>(random() | 1);
	tables.sas.add(Direction::in, row, "sa" + std::to_string(spi), key, sizeof key,
	               random() | 1);
}

void perform(Tables &tables, Random &random, const Operation &o)
{
	if (o.kind == Operation::route) {
		apply(tables, {o.change});
	} else if (o.kind == Operation::version && o.value == 0) {
		tables.nexthops.set(o.id, std::nullopt);
	} else if (o.kind == Operation::version) {
		VersionSpec spec{};
		spec.kind = SL_NH_ADJACENCY;
		spec.interface = 1;
		spec.vrf = 1;
		spec.mtu = static_cast<uint16_t>(o.value);
		spec.neighbour_family = 4;
		spec.ethernet.assign(14, 2);
		spec.ethernet[12] = 8;
		spec.ethernet[13] = 0;
		tables.nexthops.set(o.id, spec);
	} else if (o.kind == Operation::label && o.value == 0) {
		tables.labels.clear(o.id);
	} else if (o.kind == Operation::label) {
		sl_accept_row accept{};
		accept.clear = o.value;
		tables.labels.set(o.id, SL_LABEL_VRF, 1, tables.accepts.id(accept));
	} else if (o.value == 0) {
		tables.sas.remove(Direction::in, find_sa(tables, o.id));
	} else {
		add_sa(tables, random, o.id);
	}
}

/// Whether the rows are those of `world`; what differs goes to `fault`.
bool same(const Tables &tables, const World &world, std::string &fault)
{
	std::map<Model::Key, std::pair<uint64_t, uint8_t>> routes;
	for (uint32_t vrf = 0; vrf < 2; vrf++) {
		for (const unsigned family : {4u, 6u}) {
			for (const uint32_t id : tables.routes.rows(vrf, family)) {
				const sl_prefix_row &r = tables.routes.row(id);
				const Prefix p = prefix_of_row(r);
				routes[{vrf, family, r.length, p.key.high, p.key.low}] = {
					resolve(tables.segment(), r.leaf),
					static_cast<uint8_t>(r.owner)};
			}
		}
	}
	std::map<uint32_t, uint32_t> mtus;
	for (uint32_t id = 1; id <= kNexthops; id++) {
		if (tables.nexthops.version(id) != 0)
			mtus[id] = tables.nexthops.spec(tables.nexthops.version(id)).mtu;
	}
	std::map<uint32_t, uint32_t> labels;
	for (uint32_t label = 0; label < SL_MAX_LABELS; label++) {
		const uint64_t row = tables.labels.row(label);
		if (row != 0)
			labels[label] = tables.accepts.row(sl_label_accept(row)).clear;
	}
	std::set<uint32_t> spis;
	for (uint32_t id = 1; id < tables.sas.end(Direction::in); id++) {
		if (tables.sas.live(Direction::in, id))
			spis.insert(tables.sas.row(Direction::in, id).spi);
	}
	fault = routes != world.routes.routes() ? "routes"
	        : mtus != world.mtus            ? "versions"
	        : labels != world.labels        ? "labels"
	        : spis != world.spis            ? "SAs"
	                                        : "";
	return fault.empty();
}

void check_lookups(const Tables &tables, const World &world, Random &random,
                   const std::vector<Change> &pool)
{
	for (int i = 0; i < 500; i++) {
		const Change &c = pool[below(random, static_cast<uint32_t>(pool.size()))];
		const sl_fib_key key = edge_of(random, c);
		const uint64_t leaf = sl_fib_walk(
			tables.segment(), sl_fib_root(tables.segment(), c.vrf, c.family), key,
			c.family == 4 ? SL_FIB4_LEVELS : SL_FIB6_LEVELS);
		CHECK(resolve(tables.segment(), leaf) == world.routes.lookup(c.vrf, c.family, key),
		      "lookup IPv%u", c.family);
	}
}

/// Keys only in rows of live or retired SAs, each generation seen for one key alone.
void check_sas(const Tables &tables, std::map<uint64_t, uint64_t> &key_of_generation)
{
	const sl_tables *t = tables.segment();
	const uint64_t end = t->header.committed_rows[SL_ARENA_SA_IN];
	static const sl_sa_row nothing{};
	for (uint64_t id = 0; id < end; id++) {
		const sl_sa_row &row = t->sa_in[id];
		if (row.generation == 0) {
			CHECK(std::memcmp(&row, &nothing, sizeof row) == 0,
			      "free SA row with content");
			continue;
		}
		CHECK(row.generation <= t->header.next_generation, "generation from the future");
		const auto [known, fresh] =
			key_of_generation.insert({row.generation, row.key_check});
		CHECK(fresh || known->second == row.key_check, "SA generation used twice");
	}
}

/// A life: opens, works through the plan, is killed.
[[noreturn]] void live(const Directory &directory, const std::vector<Operation> &plan,
                       uint64_t seed, Limits limits, Progress *progress, int ready)
{
	Random random(seed);
	Tables tables(directory.tables(), directory.state());
	const char byte = 1;
	CHECK(write(ready, &byte, 1) == 1, "ready");
	for (const Operation &o : plan) {
		limits.vary(tables, random);
		perform(tables, random, o);
		progress->building.store(static_cast<uint32_t>(tables.routes.building()),
		                         std::memory_order_release);
		progress->done.store(progress->done.load(std::memory_order_relaxed) + 1,
		                     std::memory_order_release);
	}
	// Done before it was killed, as happens on a busy machine: it dies with everything in place.
	for (;;)
		pause();
}

struct Run {
	Run(uint64_t seed, const char *given) : random(seed), limits(given) {}

	Random random;
	Limits limits;
	Directory directory;
	World world;
	std::vector<Change> pool;
	std::map<uint64_t, uint64_t> key_of_generation;
	Progress *progress = nullptr;
	uint32_t applied = 0; // found done although not reported
	uint64_t total = 0;
	uint32_t rebuilt = 0;  // tries found half changed
	uint32_t building = 0; // deaths while a trie was built beside the one in use
	unsigned kinds = 0;    // bit k: a trie of kind k was found
};

void set_up(Run &run, Tables &tables)
{
	sl_vrf_row vrf{};
	vrf.name[0] = 'a';
	CHECK(tables.vrfs.put(vrf) == 1, "VRF id");
	sl_interface_row interface {
	};
	interface.name[0] = 'i';
	interface.vrf = 1;
	CHECK(tables.interfaces.put(interface) == 1, "interface id");
	for (uint32_t i = 1; i <= kNexthops; i++)
		CHECK(tables.nexthops.slot("nh" + std::to_string(i)) == i, "next-hop id");
	while (run.pool.size() < 600)
		run.pool.push_back(random_change(run.random, below(run.random, 2),
		                                 below(run.random, 2) == 0 ? 4 : 6, kNexthops));
}

/// Bit k: there is a trie of kind k.
unsigned kinds_of(const sl_tables *t)
{
	unsigned kinds = 0;
	for (uint32_t vrf = 0; vrf < 2; vrf++)
		kinds |= 1u << sl_fib_kind_of(sl_fib_root(t, vrf, 4)) |
		         1u << sl_fib_kind_of(sl_fib_root(t, vrf, 6));
	return kinds;
}

void kill_one(Run &run)
{
	const ReadOnlyTables left(run.directory.tables());
	std::vector<Operation> plan;
	World end = run.world;
	while (plan.size() < kPlanned) {
		plan.push_back(draw(run.random, end, run.pool));
		if (plan.back().kind != Operation::route)
			end.apply(plan.back());
	}
	run.progress->done = 0;
	run.progress->building = 0;
	const uint64_t seed = run.random();
	int ready[2];
	CHECK(pipe(ready) == 0, "pipe");
	const pid_t child = fork();
	CHECK(child >= 0, "fork");
	if (child == 0)
		live(run.directory, plan, seed, run.limits, run.progress, ready[1]);
	close(ready[1]);
	// In one life of eight the writer dies while it attaches.
	char byte = 0;
	if (below(run.random, 8) != 0)
		CHECK(read(ready[0], &byte, 1) == 1, "the writer did not start");
	// Filling 2^24 slots takes longer than a life lasts: one of four sees it.
	const bool long_life = run.limits.given() && below(run.random, 4) == 0;
	for (int i = 0; long_life && i < 3000 && (kinds_of(left.get()) & 4) == 0; i++)
		usleep(1000);
	usleep(below(run.random, 15000));
	kill(child, SIGKILL);
	int status = 0;
	waitpid(child, &status, 0);
	close(ready[0]);
	CHECK(WIFSIGNALED(status), "the writer ended by itself: status %d", status);
	const uint32_t done = run.progress->done.load(std::memory_order_acquire);
	for (uint32_t i = 0; i < done; i++)
		run.world.apply(plan[i]);
	run.total += done;
	run.building += run.progress->building != 0;
	run.kinds |= kinds_of(left.get());

	Tables tables(run.directory.tables(), run.directory.state());
	CHECK(!tables.created(), "the segment was made anew");
	std::string fault = tables.check();
	CHECK(fault.empty(), "%s", fault.c_str());
	check_sas(tables, run.key_of_generation);
	run.rebuilt += tables.routes.rebuilt();
	if (!same(tables, run.world, fault)) {
		run.world.apply(plan.at(done));
		run.applied++;
		CHECK(same(tables, run.world, fault), "%s: neither before nor after change %u",
		      fault.c_str(), done);
	}
	check_lookups(tables, run.world, run.random, run.pool);
}

} // namespace

int main(int argc, char **argv)
{
	Run run(seed_of(argc, argv), argc > 3 ? argv[3] : nullptr);
	const int rounds = argc > 2 ? std::atoi(argv[2]) : 120;
	run.progress =
		static_cast<Progress *>(mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE,
	                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	uint64_t epoch = 0;
	{
		Tables tables(run.directory.tables(), run.directory.state());
		epoch = tables.header().segment.epoch;
		set_up(run, tables);
	}
	FakeWorker worker(run.directory.state(), epoch, 1);
	const ReadOnlyTables t(run.directory.tables());
	for (int round = 0; round < rounds; round++) {
		// Sometimes a reader stands still through one life and the attach after it: then all
		// that is retired, and all that was free, stays out of use.
		worker.epoch(0) = below(run.random, 8) == 0 ? t->header.reclaim_epoch : 0;
		kill_one(run);
	}
	worker.epoch(0) = 0;
	Tables tables(run.directory.tables(), run.directory.state());
	CHECK(settled(tables), "something waits for readers that are offline");
	uint32_t used = 0;
	for (uint32_t id = 0; id < tables.groups.end(); id++)
		used += tables.segment()->group[id].member[0] != SL_LEAF_NONE;
	CHECK(used == tables.groups.live_rows() && used > 0, "%u group rows, %u groups in use",
	      used, tables.groups.live_rows());
	// Otherwise nobody died at an interesting instant.
	CHECK(run.applied > 0 && run.rebuilt > 0, "%u unreported changes, %u half-changed tries",
	      run.applied, run.rebuilt);
	CHECK(!run.limits.given() || (run.kinds == 7 && run.building > 0),
	      "kinds of tries found: %#x; %u deaths while one was built", run.kinds, run.building);
	std::printf("ok: %d lives, %llu changes, %u died unreported, %u tries rebuilt, %u died "
	            "building\n",
	            rounds, static_cast<unsigned long long>(run.total), run.applied, run.rebuilt,
	            run.building);
	return 0;
}
