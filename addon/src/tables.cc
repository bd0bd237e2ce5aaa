// SPDX-License-Identifier: Apache-2.0
#include "tables.h"

#include <algorithm>
#include <cstring>

#include "tables_error.h"

namespace sealane
{

Tables::Tables(const std::string &tables, const std::string &state)
	: segment_(tables), state_(state, segment_.tables()->header.segment.epoch),
	  reclaimer_(
		  &segment_.tables()->header.reclaim_epoch, state_,
		  [this](Retired kind, uint32_t id, uint32_t count) { release(kind, id, count); }),
	  context_{segment_, segment_.tables(), state_, reclaimer_, uses_}, vrfs(context_),
	  interfaces(context_), ports(context_), accepts(context_), labels(context_),
	  nexthops(context_), sas(context_), host_policies(context_), groups(context_),
	  routes(context_, groups)
{
	if (!segment_.created())
		attach();
}

void Tables::attach()
{
	// Readers of a worker that ran on may be anywhere. What is free now, or was retired by the
	// writer before, is used again only when each of them has begun another round.
	reclaimer_.retire(Retired::attach_barrier, 0, 0);
	vrfs.attach();
	interfaces.attach();
	nexthops.attach();
	const std::vector<uint32_t> lost = sas.attach();
	for (const uint32_t sa : lost)
		nexthops.forget_sa(sa);
	host_policies.attach(lost);
	labels.attach();
	groups.attach();
	routes.attach();
	accepts.attach();
	groups.settle();
	// The barrier may have been passed while ids were still being found.
	if (!reclaimer_.advance())
		thaw();
}

void Tables::thaw()
{
	vrfs.thaw();
	interfaces.thaw();
	accepts.thaw();
	nexthops.thaw();
	sas.thaw();
	host_policies.thaw();
	routes.thaw();
}

void Tables::release(Retired kind, uint32_t id, uint32_t count)
{
	switch (kind) {
	case Retired::fib_nodes:
		return routes.fib().release_nodes(id, count);
	case Retired::fib_leaves:
		return routes.fib().release_leaves(id, count);
	case Retired::fib_direct:
		return routes.fib().release_direct(id);
	case Retired::version:
		return nexthops.released_version(id);
	case Retired::nexthop:
		return nexthops.released_slot(id);
	case Retired::sa_out:
		return sas.released(Direction::out, id);
	case Retired::sa_in:
		return sas.released(Direction::in, id);
	case Retired::vrf:
		return vrfs.released(id);
	case Retired::interface:
		return interfaces.released(id);
	case Retired::group:
		return groups.released(id);
	case Retired::host_policy:
		return host_policies.released(id);
	case Retired::attach_barrier:
		return thaw();
	}
}

void Tables::remove_vrf(uint32_t id)
{
	vrfs.require(id);
	vrfs.remove(id, routes.count(id, 4) + routes.count(id, 6));
}

uint32_t Tables::put_interface(const sl_interface_row &wanted)
{
	const uint32_t before = interfaces.latest(read_name(wanted.name));
	const uint32_t id = interfaces.put(wanted);
	if (before != 0 && before != id)
		accepts.follow(before, id);
	return id;
}

void Tables::remove_interface(uint32_t id)
{
	interfaces.remove(id);
	accepts.follow(id, 0);
}

void Tables::set_config_digest(const std::array<uint8_t, 32> &digest)
{
	sl_tables_header &header = segment_.tables()->header;
	std::memcpy(header.config_digest, digest.data(), digest.size());
	store_word(header.config_generation, header.config_generation + 1);
}

void Tables::set_path_mtu_floor(uint32_t bytes)
{
	store_word(segment_.tables()->header.path_mtu_floor, bytes);
}

void Tables::set_traffic_classes(const std::array<uint8_t, 64> &tc_of_dscp)
{
	for (const uint8_t tc : tc_of_dscp) {
		if (tc > 7)
			bad_argument("TC " + std::to_string(tc) + " is not within 0..7");
	}
	sl_traffic_class_map &map = segment_.tables()->header.traffic_class;
	for (uint32_t tc = 0; tc < 8; tc++) {
		// the class selector, else the lowest DSCP of this class; of a class without any the former
		uint32_t dscp = tc << 3;
		if (tc_of_dscp[dscp] != tc) {
			const auto *const first =
				std::find(tc_of_dscp.begin(), tc_of_dscp.end(), tc);
			if (first != tc_of_dscp.end())
				dscp = static_cast<uint32_t>(first - tc_of_dscp.begin());
		}
		__atomic_store_n(&map.dscp_of_tc[tc], static_cast<uint8_t>(dscp), __ATOMIC_RELAXED);
	}
	for (size_t dscp = 0; dscp < tc_of_dscp.size(); dscp++)
		__atomic_store_n(&map.tc_of_dscp[dscp], tc_of_dscp[dscp], __ATOMIC_RELAXED);
}

std::vector<TableMemory> Tables::memory() const
{
	const auto backed = [this](sl_arena which) {
		return static_cast<uint64_t>(segment_.committed(which)) * arena(which).row;
	};
	return {
		{"vrf", vrfs.live_rows(), sizeof(sl_tables::vrf)},
		{"interface", interfaces.live_rows(), sizeof(sl_tables::interface)},
		{"label", labels.live_rows(), sizeof(sl_tables::label)},
		{"accept", accepts.live_rows(), backed(SL_ARENA_ACCEPT)},
		{"nexthop", nexthops.live_rows(),
	         backed(SL_ARENA_NEXTHOP) + backed(SL_ARENA_NEXTHOP_NAME)},
		{"version", nexthops.live_versions(), backed(SL_ARENA_VERSION)},
		{"sa_out", sas.live_rows(Direction::out),
	         backed(SL_ARENA_SA_OUT) + backed(SL_ARENA_SA_OUT_NAME) +
	                 backed(SL_ARENA_SA_SHARE)},
		{"sa_in", sas.live_rows(Direction::in),
	         backed(SL_ARENA_SA_IN) + backed(SL_ARENA_SA_IN_NAME) + sizeof(sl_tables::spi)},
		{"host_policy", host_policies.live_rows(),
	         sizeof(sl_tables::host_policy) + sizeof(sl_tables::host_policy_head)},
		{"policer", live_policers(), sizeof(sl_tables::policer)},
		{"prefix", routes.live_rows(), backed(SL_ARENA_PREFIX)},
		{"fib_node", routes.fib().nodes(), backed(SL_ARENA_FIB_NODE)},
		{"fib_leaf", routes.fib().leaves(), backed(SL_ARENA_FIB_LEAF)},
		{"fib_direct18", routes.fib().direct(18).live(), backed(SL_ARENA_FIB_DIRECT18)},
		{"fib_direct24", routes.fib().direct(24).live(), backed(SL_ARENA_FIB_DIRECT24)},
		{"group", groups.live_rows(), backed(SL_ARENA_GROUP)},
	};
}

} // namespace sealane
