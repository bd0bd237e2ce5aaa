// SPDX-License-Identifier: Apache-2.0
// What depends on the worker: the grace period of everything that is given back, SAs that become
// usable when it says so, keys it has counted for, its counters.
#include <algorithm>
#include <cstring>

#include "fake_worker.h"

using namespace sealane;
using namespace sealane::test;

namespace
{

/// Tables with a worker that lives; `reopen()` is a new supervisor.
struct Pair {
	Pair()
	{
		unlink(Directory::tables().c_str());
		unlink(Directory::state().c_str());
		reopen();
		worker.emplace(Directory::state(), tables->header().segment.epoch, 2);
		worker->state()->header.committed_sa_out = 64;
		worker->state()->header.committed_sa_in = 64;
	}
	void reopen()
	{
		tables.reset();
		tables.emplace(Directory::tables(), Directory::state());
	}
	void online(uint32_t lcore) { worker->epoch(lcore) = tables->header().reclaim_epoch; }
	void offline(uint32_t lcore) { worker->epoch(lcore) = 0; }

	std::optional<Tables> tables;
	std::optional<FakeWorker> worker;
};

uint8_t key_byte(uint8_t n, size_t i) { return static_cast<uint8_t>(n * 16 + i + 1); }

uint32_t add_sa(Tables &tables, Direction direction, uint32_t spi, uint8_t n)
{
	sl_sa_row row{};
	row.spi = spi;
	row.algorithm = SL_ALG_AES_GCM_128;
	row.family = 4;
	row.source[0] = 10;
	row.destination[0] = 11;
	row.encap = SL_ENCAP_GRE;
	row.application = SL_APP_VPN;
	row.sp_table = direction == Direction::in ? 1 : 0;
	uint8_t key[20];
	for (size_t i = 0; i < sizeof key; i++)
		key[i] = key_byte(n, i);
	return tables.sas.add(direction, row, "sa" + std::to_string(n), key, sizeof key, 1000u + n);
}

bool key_is_there(const sl_sa_row &row, uint8_t n)
{
	for (size_t i = 0; i < 16; i++) {
		if (row.key[i] != key_byte(n, i))
			return false;
	}
	return true;
}

/// A reader that stands still keeps what it may see, and only what was retired before it moved on.
void grace_period()
{
	Pair p;
	p.online(0);
	const uint32_t first = p.tables->nexthops.slot("first");
	p.tables->nexthops.remove(first);
	CHECK(p.tables->reclaim(), "reclaimed under a reader");
	CHECK(p.tables->nexthops.slot("second") != first, "slot used again under a reader");
	p.online(0); // it begins another round
	CHECK(!p.tables->reclaim(), "kept after the reader moved on");
	CHECK(p.tables->nexthops.slot("third") == first, "slot not used again");
	// The other thread's and the control thread's epochs count as well.
	p.offline(0);
	for (uint64_t *epoch : {&p.worker->epoch(1), &p.worker->state()->header.control_epoch}) {
		*epoch = p.tables->header().reclaim_epoch;
		p.tables->nexthops.remove(p.tables->nexthops.slot("third"));
		p.tables->nexthops.slot("third");
		CHECK(p.tables->reclaim(), "a participant does not count");
		*epoch = 0;
		CHECK(!p.tables->reclaim(), "an offline participant counts");
	}
}

/// A stopped worker holds everything for ever; a dead one nothing, whatever its epochs say.
void confirmed_death()
{
	Pair p;
	p.online(0);
	p.tables->nexthops.remove(p.tables->nexthops.slot("first"));
	for (int i = 0; i < 100; i++)
		CHECK(p.tables->reclaim(), "reclaimed by time");
	p.worker->die();
	CHECK(!p.tables->reclaim(), "a dead worker holds objects");
}

/// A worker that lives but whose epochs cannot be read may read anything.
void unreadable_worker()
{
	Pair p;
	p.worker->state()->header.segment.epoch++;
	p.reopen(); // maps nothing of another instance
	p.tables->nexthops.remove(p.tables->nexthops.slot("first"));
	CHECK(p.tables->reclaim(), "reclaimed under an unknown reader");
	p.worker->state()->header.segment.epoch--;
	CHECK(!p.tables->reclaim(), "kept under offline readers");
}

/// The file's name may go; the worker that holds it still reads.
void removed_state_file()
{
	Pair p;
	p.online(0);
	CHECK(p.tables->state().worker_alive(), "the worker was never seen");
	unlink(Directory::state().c_str());
	p.tables->nexthops.remove(p.tables->nexthops.slot("first"));
	CHECK(p.tables->reclaim(), "reclaimed under a reader whose file was removed");
	p.worker->die();
	CHECK(!p.tables->reclaim(), "kept after its death");
}

/// What a dead supervisor had freed may be in a reader's hands.
void grace_after_attach()
{
	Pair p;
	p.online(0);
	const uint32_t first = p.tables->nexthops.slot("first");
	p.tables->nexthops.slot("second");
	p.tables->nexthops.remove(first);
	p.reopen();
	CHECK(p.tables->nexthops.slot("third") != first, "slot used again after attach");
	p.online(0);
	p.tables->reclaim();
	p.online(0);
	CHECK(!p.tables->reclaim(), "kept after the reader moved on");
	CHECK(p.tables->nexthops.slot("fourth") == first, "slot lost at attach");
}

void inbound_sa()
{
	Pair p;
	const uint32_t id = add_sa(*p.tables, Direction::in, 0x12345678, 1);
	const sl_tables *t = p.tables->segment();
	const uint32_t slot = 0x12345678 & (SL_SPI_SLOTS - 1);
	CHECK(code_of([&] { p.tables->sas.activate(id); }) == "NOT_FOUND", "before the worker");
	sl_sa_in_state &state = p.worker->state()->sa_in[id];
	state.generation = t->sa_in[id].generation;
	CHECK(code_of([&] { p.tables->sas.activate(id); }) == "NOT_FOUND", "before the key");
	CHECK(!p.tables->sa_counters(Direction::in, id).ready, "ready without key");
	state.ready_generation = t->sa_in[id].generation - 1;
	CHECK(code_of([&] { p.tables->sas.activate(id); }) == "NOT_FOUND", "other generation");
	CHECK(t->spi[slot] == 0, "SPI linked too early");
	state.ready_generation = t->sa_in[id].generation;
	state.packets = 7;
	p.tables->sas.activate(id);
	CHECK(t->spi[slot] == id, "SPI not linked");
	CHECK(p.tables->sa_counters(Direction::in, id).ready, "not ready");
	CHECK(p.tables->sa_counters(Direction::in, id).packets == 7, "packets");
	CHECK(code_of([&] { add_sa(*p.tables, Direction::in, 0x12345678, 2); }) == "SPI_TAKEN",
	      "same SPI");
	CHECK(code_of([&] { add_sa(*p.tables, Direction::in, 0xfff45678, 2); }) == "SPI_TAKEN",
	      "same slot");
	// Removal: no new packet at once, the key when the last reader has moved on.
	p.online(0);
	p.tables->sas.remove(Direction::in, id);
	CHECK(t->spi[slot] == 0, "SPI still linked");
	p.tables->reclaim();
	CHECK(key_is_there(t->sa_in[id], 1), "key wiped under a reader");
	p.online(0);
	p.tables->reclaim();
	static const sl_sa_row nothing{};
	CHECK(std::memcmp(&t->sa_in[id], &nothing, sizeof nothing) == 0, "row not wiped");
	CHECK(code_of([&] { add_sa(*p.tables, Direction::in, 0x1000, 1); }) == "KEY_REUSED",
	      "key of a removed SA");
}

/// A key that a state row counts for is refused even when its SA row is long gone.
void counted_keys()
{
	Pair p;
	p.worker->state()->sa_out[9].key_check = 1003;
	p.reopen();
	CHECK(code_of([&] { add_sa(*p.tables, Direction::out, 0x2000, 3); }) == "KEY_REUSED",
	      "key counted for in state");
	CHECK(code_of([&] { add_sa(*p.tables, Direction::in, 0x2000, 3); }) == "KEY_REUSED",
	      "in the other direction");
	const uint32_t id = add_sa(*p.tables, Direction::out, 0x2000, 4);
	CHECK(code_of([&] { add_sa(*p.tables, Direction::in, 0x3000, 4); }) == "KEY_REUSED",
	      "live in the other direction");
	const uint64_t generation = p.tables->sas.row(Direction::out, id).generation;
	p.reopen();
	CHECK(p.tables->sas.live(Direction::out, id), "SA lost at attach");
	CHECK(code_of([&] { add_sa(*p.tables, Direction::out, 0x3000, 4); }) == "KEY_REUSED",
	      "live from before the attach");
	const uint32_t next = add_sa(*p.tables, Direction::out, 0x3000, 5);
	CHECK(p.tables->sas.row(Direction::out, next).generation > generation, "generation reused");
}

VersionSpec tunnel(uint32_t interface, uint32_t sa, uint32_t spi)
{
	VersionSpec spec{};
	spec.kind = SL_NH_TUNNEL;
	spec.interface = interface;
	spec.mtu = 1400;
	spec.protection = SL_PROT_ENCRYPT;
	spec.encap = SL_ENCAP_GRE;
	spec.sa = sa;
	spec.tunnel.ethernet = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};
	spec.tunnel.family = 4;
	spec.tunnel.source[0] = 10;
	spec.tunnel.destination[0] = 11;
	spec.tunnel.ttl = 64;
	spec.tunnel.spi = spi;
	return spec;
}

/// Without the segment that counted, sequence numbers would begin again under the same key: the
/// SAs go, and the next hops that used them are unusable (policy-model 22).
void lost_state()
{
	Pair p;
	sl_interface_row interface {
	};
	interface.name[0] = 'i';
	const uint32_t port = p.tables->interfaces.put(interface);
	const uint32_t id = add_sa(*p.tables, Direction::out, 0x2000, 1);
	const uint32_t slot = p.tables->nexthops.slot("tunnel");
	p.tables->nexthops.set(slot, tunnel(port, id, 0x2000));
	CHECK(code_of([&] { p.tables->sas.remove(Direction::out, id); }) == "IN_USE", "SA in use");
	p.worker->die();
	p.reopen();
	CHECK(p.tables->sas.live(Direction::out, id) && p.tables->nexthops.version(slot) != 0,
	      "a worker's death loses SAs");
	unlink(Directory::state().c_str());
	p.reopen();
	CHECK(!p.tables->sas.live(Direction::out, id), "SA outlived its counts");
	CHECK(p.tables->nexthops.version(slot) == 0, "tunnel outlived its SA");
	CHECK(code_of([&] { add_sa(*p.tables, Direction::out, 0x2000, 1); }) == "KEY_REUSED",
	      "its key is usable again");
}

void counters()
{
	Pair p;
	sl_interface_row interface {
	};
	interface.name[0] = 'i';
	const uint32_t port = p.tables->interfaces.put(interface);
	sl_state *state = p.worker->state();
	state->header.control_drops[SL_DROP_punt_tap] = 5;
	for (uint32_t lcore = 0; lcore < 3; lcore++) { // the third is not backed
		sl_lcore_block &block = state->lcore[lcore].block;
		block.drops[SL_DROP_punt_tap] = 100;
		block.interface[port].tx_bytes = 10u + lcore;
		block.vrf[0].local_packets = 3;
		block.label[16].bytes = 4;
		sl_queue_counters &queue = block.queue[sl_queue_index(port, 8)];
		queue.packets = 2;
		queue.depth = 5;
		queue.max_depth = lcore == 0 ? 9 : 6;
		block.policer[sl_policer_index(port, 8)].packets[SL_RED] = 7;
	}
	CHECK(p.tables->drops()[SL_DROP_punt_tap] == 205, "drops");
	CHECK(p.tables->interface_counters(port).tx_bytes == 21, "interface");
	CHECK(p.tables->vrf_counters(0).local_packets == 6, "VRF");
	CHECK(p.tables->policer_counters(port, 8).packets[SL_RED] == 14, "policer");
	CHECK(p.tables->queue_counters(port, 8).packets == 4, "queue");
	CHECK(p.tables->queue_counters(port, 8).depth == 10, "depth");
	CHECK(p.tables->queue_counters(port, 8).max_depth == 9, "highest depth");
	CHECK(p.tables->queue_counters(port, 7).packets == 0, "the queue before");
	CHECK(p.tables->policer_counters(port, 7).packets[SL_RED] == 0, "the policer before");
	CHECK(p.tables->label_counters(16).bytes == 0, "label counters that are not backed");
	state->header.committed_labels = 17;
	CHECK(p.tables->label_counters(16).bytes == 8, "label");
	CHECK(code_of([&] { p.tables->interface_counters(port + 1); }) == "NOT_FOUND", "interface");
	const uint32_t wire = p.tables->ports.id("wire");
	state->header.port[wire].rx_missed = 4;
	state->lcore[0].block.tx_full[wire] = 1;
	state->lcore[1].block.tx_full[wire] = 2;
	CHECK(p.tables->port_counters(wire).driver.rx_missed == 0, "another port's");
	CHECK(p.tables->port_counters(wire).tx_full == 0, "another port's");
	state->header.port[wire].name = sl_name_hash("wire", 4);
	CHECK(p.tables->port_counters(wire).driver.rx_missed == 4, "port");
	CHECK(p.tables->port_counters(wire).tx_full == 3, "port, by thread");
	CHECK(code_of([&] { p.tables->port_counters(wire + 1); }) == "NOT_FOUND", "port");
}

/// The trie that another one has taken the place of stays whole for whoever is still in it.
void replaced_trie()
{
	Pair p;
	DirectLimits limits;
	limits.bits18 = 32;
	limits.change_work = limits.upkeep_work = 1 << 24;
	p.tables->routes.set_limits(limits);
	p.tables->nexthops.slot("a");
	const FibWriter &fib = p.tables->routes.fib();
	p.online(0);
	uint64_t nodes = 0;
	for (uint32_t i = 0; i < 100; i++) {
		// Before the first part of the next trie is built: all that readers can be in.
		if (i == 31)
			nodes = fib.nodes();
		Change c{0, 4, 32, {uint64_t{i} << 56 | uint64_t{i} << 32, 0}, 1, 16, SL_OWNER_BGP};
		apply(*p.tables, {c});
	}
	CHECK(sl_fib_kind_of(sl_fib_root(p.tables->segment(), 0, 4)) == SL_FIB_DIRECT18, "kind");
	for (int i = 0; i < 5; i++)
		CHECK(p.tables->reclaim(), "nothing waits for the reader");
	const uint64_t kept = fib.nodes();
	p.offline(0);
	CHECK(settled(*p.tables), "kept after the reader went");
	CHECK(nodes > 100 && kept >= fib.nodes() + nodes, "%llu nodes of %llu were let go early",
	      static_cast<unsigned long long>(fib.nodes() + nodes - kept),
	      static_cast<unsigned long long>(nodes));
}

} // namespace

int main()
{
	const Directory directory;
	grace_period();
	confirmed_death();
	unreadable_worker();
	removed_state_file();
	grace_after_attach();
	inbound_sa();
	counted_keys();
	lost_state();
	counters();
	replaced_trie();
	std::printf("ok\n");
	return 0;
}
