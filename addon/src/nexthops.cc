// SPDX-License-Identifier: Apache-2.0
#include "nexthops.h"

#include <algorithm>
#include <cstring>

#include "sealane/suites.h"
#include "tables_error.h"

namespace sealane
{

Nexthops::Nexthops(Context context)
	: context_(context), slots_("nexthop", SL_MAX_NEXTHOPS),
	  versions_("version", SL_MAX_VERSIONS)
{
}

void Nexthops::attach()
{
	sl_tables &t = *context_.tables;
	std::vector<bool> used(context_.segment.committed(SL_ARENA_VERSION));
	const uint32_t end = context_.segment.committed(SL_ARENA_NEXTHOP);
	for (uint32_t id = 1; id < end; id++) {
		if (t.nexthop[id].state != SL_ROW_FREE)
			slots_.adopt_up_to(id);
	}
	for (uint32_t id = 1; id < slots_.end(); id++) {
		const sl_nexthop_slot &slot = t.nexthop[id];
		if (slot.state == SL_ROW_LIVE) {
			by_name_[name(id)] = id;
			if (slot.active != 0 && slot.active < used.size()) {
				used[slot.active] = true;
				use(t.version[slot.active]);
				versions_.adopt_up_to(slot.active);
			}
		} else if (slot.state == SL_ROW_RETIRED) {
			context_.reclaimer.retire(Retired::nexthop, id, 1);
		} else {
			slots_.hold(id);
		}
	}
	// A version that no slot names was retired, or never published.
	for (uint32_t id = 1; id < versions_.end(); id++) {
		if (!used[id])
			versions_.hold(id);
	}
}

void Nexthops::thaw()
{
	slots_.thaw();
	versions_.thaw();
}

bool Nexthops::live(uint32_t id) const
{
	return id != 0 && id < slots_.end() && context_.tables->nexthop[id].state == SL_ROW_LIVE;
}

void Nexthops::require(uint32_t id) const
{
	if (!live(id))
		not_found("next hop " + std::to_string(id) + " does not exist");
}

std::string Nexthops::name(uint32_t id) const
{
	return read_name(context_.tables->nexthop_name[id].name);
}

uint32_t Nexthops::slot(const std::string &name)
{
	check_name("next-hop name", name, SL_ROW_NAME_LEN);
	const auto known = by_name_.find(name);
	if (known != by_name_.end())
		return known->second;
	const uint32_t id = slots_.allocate();
	try {
		context_.segment.commit(SL_ARENA_NEXTHOP, id + 1);
		context_.segment.commit(SL_ARENA_NEXTHOP_NAME, id + 1);
	} catch (...) {
		slots_.release(id);
		throw;
	}
	publish_name(context_.tables->nexthop_name[id].name, name);
	store_word(context_.tables->nexthop[id].active, 0);
	store_word(context_.tables->nexthop[id].state, SL_ROW_LIVE);
	by_name_[name] = id;
	return id;
}

void Nexthops::check(const VersionSpec &spec) const
{
	const sl_tables &t = *context_.tables;
	if (spec.kind != SL_NH_TUNNEL &&
	    (spec.vrf >= SL_MAX_VRFS || t.vrf[spec.vrf].state != SL_ROW_LIVE))
		not_found("VRF " + std::to_string(spec.vrf) + " does not exist");
	if (spec.kind == SL_NH_DROP)
		return;
	if (spec.interface == 0 || spec.interface >= SL_MAX_INTERFACES ||
	    t.interface[spec.interface].state != SL_ROW_LIVE)
		not_found("interface " + std::to_string(spec.interface) + " does not exist");
	if ((spec.kind == SL_NH_ADJACENCY || spec.kind == SL_NH_TUNNEL) && spec.mtu == 0)
		bad_argument("MTU is 0");
	if (spec.kind == SL_NH_TUNNEL)
		check_sa(spec);
}

/// What a tunnel says about protection must be what its SA does.
void Nexthops::check_sa(const VersionSpec &spec) const
{
	const bool lsp = spec.protection == SL_PROT_MPLS;
	if (spec.protection == SL_PROT_NONE || spec.protection > SL_PROT_MPLS)
		bad_argument("a tunnel's protection is encrypt, authenticate or tunnel");
	if (lsp != (spec.encap == SL_ENCAP_NONE))
		bad_argument("a tunnel needs an encapsulation, and an LSP has none");
	const bool with_sa = spec.protection != SL_PROT_TUNNEL && !lsp;
	if (with_sa != (spec.sa != 0) || with_sa != spec.tunnel.spi.has_value())
		bad_argument(
			"SA and SPI belong to protection encrypt or authenticate, and only there");
	if (!with_sa)
		return;
	if (spec.sa >= context_.segment.committed(SL_ARENA_SA_OUT) ||
	    context_.tables->sa_out[spec.sa].generation == 0 ||
	    context_.tables->sa_out[spec.sa].state != SL_ROW_LIVE)
		not_found("outbound SA " + std::to_string(spec.sa) + " does not exist");
	const sl_sa_row &sa = context_.tables->sa_out[spec.sa];
	if (sa.application != SL_APP_VPN || sa.protection != spec.protection ||
	    sa.encap != spec.encap || sa.spi != *spec.tunnel.spi ||
	    sa.family != spec.tunnel.family ||
	    std::memcmp(sa.source, spec.tunnel.source.data(), 16) != 0 ||
	    std::memcmp(sa.destination, spec.tunnel.destination.data(), 16) != 0)
		bad_argument("protection, encapsulation, SPI or addresses are not those of "
		             "outbound SA " +
		             std::to_string(spec.sa));
}

uint32_t Nexthops::new_version(const VersionSpec &spec)
{
	sl_version_row row{};
	row.kind = static_cast<uint8_t>(spec.kind);
	row.vrf = spec.kind == SL_NH_TUNNEL ? 0 : spec.vrf;
	row.interface = spec.kind == SL_NH_DROP ? 0 : spec.interface;
	if (spec.kind == SL_NH_DROP) {
		row.drop_reason = static_cast<uint16_t>(spec.drop_reason);
		row.flags = spec.icmp_unreachable ? SL_NHF_ICMP_UNREACHABLE : 0;
	} else if (spec.kind == SL_NH_ADJACENCY) {
		row.mtu = spec.mtu;
		row.family = spec.neighbour_family;
		std::memcpy(row.neighbour, spec.neighbour.data(), sizeof row.neighbour);
		build_adjacency(row, spec.ethernet, spec.neighbour_family);
	} else if (spec.kind == SL_NH_TUNNEL) {
		TunnelHeader header = spec.tunnel;
		if (spec.dscp_copy)
			header.dscp = 0; // filled in per packet
		row.mtu = spec.mtu;
		row.protection = static_cast<uint8_t>(spec.protection);
		row.encap = static_cast<uint8_t>(spec.encap);
		row.tos_copy = static_cast<uint8_t>((spec.dscp_copy ? SL_TOS_DSCP : 0) |
		                                    (spec.ecn_copy ? SL_TOS_ECN : 0));
		row.sa = spec.sa;
		if (spec.sa != 0) {
			const sl_sa_row &sa = context_.tables->sa_out[spec.sa];
			row.sa_generation = sa.generation;
			header.iv_len = sl_suite_of(sa.algorithm)->iv;
			header.udp_source = sa.udp_source_port;
			header.udp_destination = sa.udp_destination_port;
		}
		build_tunnel(row, header, spec.encap);
	}
	row.state = SL_ROW_LIVE;
	const uint32_t id = versions_.allocate();
	try {
		context_.segment.commit(SL_ARENA_VERSION, id + 1);
	} catch (...) {
		versions_.release(id);
		throw;
	}
	context_.tables->version[id] = row;
	return id;
}

void Nexthops::use(const sl_version_row &row)
{
	context_.uses.vrf.add(row.vrf);
	context_.uses.interface.add(row.interface);
	context_.uses.sa_out.add(row.sa);
}

void Nexthops::disuse(const sl_version_row &row)
{
	context_.uses.vrf.drop(row.vrf);
	context_.uses.interface.drop(row.interface);
	context_.uses.sa_out.drop(row.sa);
}

/// Makes `version` (0: none) the active one; the one before is retired.
void Nexthops::activate(uint32_t id, uint32_t version)
{
	sl_tables &t = *context_.tables;
	const uint32_t before = t.nexthop[id].active;
	if (version != 0)
		use(t.version[version]);
	store_word(t.nexthop[id].active, version);
	if (before == 0)
		return;
	disuse(t.version[before]);
	context_.reclaimer.retire(Retired::version, before, 1);
}

void Nexthops::set(uint32_t id, const std::optional<VersionSpec> &version)
{
	require(id);
	if (version)
		check(*version);
	activate(id, version ? new_version(*version) : 0);
}

void Nexthops::remove(uint32_t id)
{
	require(id);
	if (context_.uses.nexthop.of(id) != 0)
		in_use("next hop " + std::to_string(id) + " (" + name(id) + ") has " +
		       std::to_string(context_.uses.nexthop.of(id)) + " routes or labels");
	activate(id, 0);
	by_name_.erase(name(id));
	store_word(context_.tables->nexthop[id].state, SL_ROW_RETIRED);
	context_.reclaimer.retire(Retired::nexthop, id, 1);
}

void Nexthops::forget_sa(uint32_t sa)
{
	for (uint32_t id = 1; id < slots_.end(); id++) {
		const uint32_t active = version(id);
		if (live(id) && active != 0 && context_.tables->version[active].sa == sa)
			activate(id, 0);
	}
}

void Nexthops::released_slot(uint32_t id)
{
	store_word(context_.tables->nexthop[id].state, SL_ROW_FREE);
	publish_name(context_.tables->nexthop_name[id].name, "");
	slots_.release(id);
}

void Nexthops::released_version(uint32_t id)
{
	store_word(context_.tables->version[id].state, SL_ROW_FREE);
	versions_.release(id);
}

VersionSpec Nexthops::spec(uint32_t version) const
{
	const sl_version_row &row = context_.tables->version[version];
	VersionSpec spec{};
	spec.kind = static_cast<sl_nexthop_kind>(row.kind);
	spec.interface = row.interface;
	spec.vrf = row.vrf;
	spec.mtu = row.mtu;
	spec.drop_reason = static_cast<sl_drop_reason>(row.drop_reason);
	spec.icmp_unreachable = (row.flags & SL_NHF_ICMP_UNREACHABLE) != 0;
	spec.neighbour_family = row.family;
	std::copy_n(row.neighbour, 16, spec.neighbour.begin());
	spec.protection = static_cast<sl_protection>(row.protection);
	spec.encap = static_cast<sl_encap>(row.encap);
	spec.sa = row.sa;
	spec.dscp_copy = (row.tos_copy & SL_TOS_DSCP) != 0;
	spec.ecn_copy = (row.tos_copy & SL_TOS_ECN) != 0;
	if (spec.kind == SL_NH_TUNNEL)
		spec.tunnel = parse_tunnel(row);
	else
		spec.ethernet.assign(row.template_bytes, row.template_bytes + row.template_len);
	return spec;
}

} // namespace sealane
