// SPDX-License-Identifier: Apache-2.0
#include "topology.h"

#include <cstring>

#include "tables_error.h"

namespace sealane
{

namespace
{

/// Stores an address that readers may be reading, four bytes at a time. A reader can see halves of
/// two addresses, in the source of one ICMP error.
template <size_t N> void store_address(uint8_t (&to)[N], const uint8_t (&from)[N])
{
	for (size_t i = 0; i < N; i += 4) {
		uint32_t word = 0;
		std::memcpy(&word, from + i, 4);
		__atomic_store_n(reinterpret_cast<uint32_t *>(to + i), word, __ATOMIC_RELEASE);
	}
}

} // namespace

void Vrfs::attach()
{
	for (uint32_t id = 1; id < SL_MAX_VRFS; id++) {
		const sl_vrf_row &r = row(id);
		if (r.state == SL_ROW_LIVE)
			by_name_[read_name(r.name)] = id;
		if (r.state != SL_ROW_FREE)
			ids_.adopt_up_to(id);
	}
	for (uint32_t id = 1; id < ids_.end(); id++) {
		if (row(id).state == SL_ROW_RETIRED)
			context_.reclaimer.retire(Retired::vrf, id, 1);
		else if (row(id).state == SL_ROW_FREE)
			ids_.hold(id);
	}
}

void Vrfs::require(uint32_t id) const
{
	if (id >= SL_MAX_VRFS || row(id).state != SL_ROW_LIVE)
		not_found("VRF " + std::to_string(id) + " does not exist");
}

void Vrfs::update(sl_vrf_row &row, const sl_vrf_row &wanted)
{
	store_word(row.flags, wanted.flags);
	store_word(row.host_interface, wanted.host_interface);
	store_address(row.icmp_source4, wanted.icmp_source4);
	store_address(row.icmp_source6, wanted.icmp_source6);
}

uint32_t Vrfs::put(const sl_vrf_row &wanted)
{
	const std::string name = read_name(wanted.name);
	if (wanted.host_interface >= SL_MAX_INTERFACES ||
	    (wanted.host_interface != 0 &&
	     context_.tables->interface[wanted.host_interface].state != SL_ROW_LIVE))
		not_found("interface " + std::to_string(wanted.host_interface) + " does not exist");
	if (name.empty()) {
		update(context_.tables->vrf[SL_VRF_CORE], wanted);
		return SL_VRF_CORE;
	}
	check_name("VRF name", name, SL_NAME_LEN);
	const auto known = by_name_.find(name);
	if (known != by_name_.end()) {
		update(context_.tables->vrf[known->second], wanted);
		return known->second;
	}
	const uint32_t id = ids_.allocate();
	sl_vrf_row &row = context_.tables->vrf[id];
	row = sl_vrf_row{};
	update(row, wanted);
	publish_name(row.name, name);
	store_word(row.state, SL_ROW_LIVE);
	by_name_[name] = id;
	return id;
}

void Vrfs::remove(uint32_t id, uint32_t routes)
{
	require(id);
	const std::string text = "VRF " + std::to_string(id);
	if (id == SL_VRF_CORE)
		in_use(text + " is the core's routing table");
	if (routes != 0)
		in_use(text + " has " + std::to_string(routes) + " routes");
	if (context_.uses.vrf.of(id) != 0)
		in_use(text + " has interfaces, labels or next hops");
	sl_vrf_row &row = context_.tables->vrf[id];
	by_name_.erase(read_name(row.name));
	store_word(row.state, SL_ROW_RETIRED);
	context_.reclaimer.retire(Retired::vrf, id, 1);
}

void Vrfs::released(uint32_t id)
{
	sl_vrf_row &row = context_.tables->vrf[id];
	store_word(row.state, SL_ROW_FREE);
	publish_name(row.name, "");
	ids_.release(id);
}

void Interfaces::attach()
{
	for (uint32_t id = 1; id < SL_MAX_INTERFACES; id++) {
		if (row(id).state != SL_ROW_FREE)
			ids_.adopt_up_to(id);
	}
	for (uint32_t id = 1; id < ids_.end(); id++) {
		const sl_interface_row &r = row(id);
		if (r.state == SL_ROW_LIVE) {
			context_.uses.vrf.add(r.vrf);
			context_.uses.port.add(r.port);
			latest_[read_name(r.name)] = id;
		} else if (r.state == SL_ROW_RETIRED) {
			context_.reclaimer.retire(Retired::interface, id, 1);
		} else {
			ids_.hold(id);
		}
	}
}

void Interfaces::require(uint32_t id) const
{
	if (id == 0 || id >= SL_MAX_INTERFACES || row(id).state != SL_ROW_LIVE)
		not_found("interface " + std::to_string(id) + " does not exist");
}

uint32_t Interfaces::find(const sl_interface_row &wanted) const
{
	for (uint32_t id = 1; id < ids_.end(); id++) {
		const sl_interface_row &r = row(id);
		if (r.state == SL_ROW_LIVE && r.vrf == wanted.vrf && r.port == wanted.port &&
		    r.vlan == wanted.vlan && r.svlan == wanted.svlan &&
		    r.stag_type == wanted.stag_type && r.mtu == wanted.mtu &&
		    r.role == wanted.role && std::memcmp(r.mac, wanted.mac, sizeof r.mac) == 0 &&
		    read_name(r.name) == read_name(wanted.name))
			return id;
	}
	return 0;
}

uint32_t Interfaces::latest(const std::string &name) const
{
	const auto known = latest_.find(name);
	return known == latest_.end() ? 0 : known->second;
}

uint32_t Interfaces::put(const sl_interface_row &wanted)
{
	const std::string name = read_name(wanted.name);
	check_name("interface name", name, SL_NAME_LEN);
	if (wanted.vrf >= SL_MAX_VRFS || context_.tables->vrf[wanted.vrf].state != SL_ROW_LIVE)
		not_found("VRF " + std::to_string(wanted.vrf) + " does not exist");
	if (wanted.port != 0 && (wanted.port >= SL_MAX_PORTS ||
	                         read_name(context_.tables->port_name[wanted.port].name).empty()))
		not_found("port " + std::to_string(wanted.port) + " does not exist");
	const uint32_t known = find(wanted);
	const uint32_t id = known != 0 ? known : ids_.allocate();
	sl_interface_row &row = context_.tables->interface[id];
	if (known == 0)
		row = sl_interface_row{};
	if (known == 0) // What may wait in queues under this number was another interface's.
		store_word(context_.tables->egress[id].generation,
		           context_.tables->egress[id].generation + 1);
	store_word(row.flags, wanted.flags);
	store_address(row.address4, wanted.address4);
	store_address(row.address6, wanted.address6);
	store_address(row.linklocal6, wanted.linklocal6);
	latest_[name] = id;
	if (known != 0)
		return id;
	row.vrf = wanted.vrf;
	row.port = wanted.port;
	row.vlan = wanted.vlan;
	row.svlan = wanted.svlan;
	row.stag_type = wanted.stag_type;
	row.mtu = wanted.mtu;
	row.role = wanted.role;
	std::memcpy(row.mac, wanted.mac, sizeof row.mac);
	publish_name(row.name, name);
	store_word(row.state, SL_ROW_LIVE);
	context_.uses.vrf.add(row.vrf);
	context_.uses.port.add(row.port);
	return id;
}

void Interfaces::remove(uint32_t id)
{
	require(id);
	if (context_.uses.interface.of(id) != 0)
		in_use("interface " + std::to_string(id) + " has next hops");
	for (sl_vrf_row &vrf : context_.tables->vrf) {
		if (vrf.host_interface == id)
			store_word(vrf.host_interface, 0);
	}
	sl_interface_row &row = context_.tables->interface[id];
	if (latest(read_name(row.name)) == id)
		latest_.erase(read_name(row.name));
	context_.uses.vrf.drop(row.vrf);
	context_.uses.port.drop(row.port);
	store_word(row.state, SL_ROW_RETIRED);
	context_.reclaimer.retire(Retired::interface, id, 1);
}

void Interfaces::released(uint32_t id)
{
	sl_interface_row &row = context_.tables->interface[id];
	store_word(row.state, SL_ROW_FREE);
	publish_name(row.name, "");
	ids_.release(id);
}

uint32_t Ports::id(const std::string &name)
{
	check_name("port name", name, SL_ROW_NAME_LEN);
	uint32_t unused = 0;
	for (uint32_t id = 1; id < SL_MAX_PORTS; id++) {
		const std::string at = this->name(id);
		if (at == name)
			return id;
		if (at.empty() && unused == 0)
			unused = id;
	}
	if (unused == 0)
		throw TablesError("TABLE_FULL", "table port_name is full");
	publish_name(context_.tables->port_name[unused].name, name);
	return unused;
}

void Ports::release(uint32_t id)
{
	if (id == 0 || id >= SL_MAX_PORTS || name(id).empty())
		not_found("port " + std::to_string(id) + " does not exist");
	if (context_.uses.port.of(id) != 0)
		in_use("port " + std::to_string(id) + " has interfaces");
	store_word(*reinterpret_cast<uint64_t *>(context_.tables->port_name[id].name), 0);
	publish_name(context_.tables->port_name[id].name, "");
}

std::string Ports::name(uint32_t id) const
{
	return read_name(context_.tables->port_name[id].name);
}

} // namespace sealane
