// SPDX-License-Identifier: Apache-2.0
#include "binding_rows.h"

#include <algorithm>
#include <cstring>

#include "binding_js.h"
#include "sealane/suites.h"
#include "tables_error.h"

namespace sealane::js
{

namespace
{

const std::vector<const char *> kRoles{"ce", "core", "host"};               // sl_role, from 1
const std::vector<const char *> kSecured{"encrypt", "authenticate"};        // sl_accept_row
const std::vector<const char *> kEncaps{"gre", "ip"};                       // sl_encap, from 1
const std::vector<const char *> kClear{"gre", "ip", "mpls", "mpls-own-sp"}; // SL_CLEAR_* bits
const std::vector<const char *> kApplications{"vpn", "bgp"}; // sl_application, from 1
const std::vector<const char *> kOwners{"static",    "connected", "local",
                                        "neighbour", "tunnel",    "bgp"};
#define SL_SUITE_NAME(algorithm, name, ...) name,
const std::vector<const char *> kAlgorithms{SL_SUITES(SL_SUITE_NAME)}; // sl_algorithm, from 1
#undef SL_SUITE_NAME

/// "" is the core's name.
void set_name(char (&to)[SL_NAME_LEN], const Napi::Object &from, bool may_be_empty)
{
	const std::string name = get_text(from, "name");
	if (!may_be_empty || !name.empty())
		check_name("name", name, SL_NAME_LEN);
	std::memset(to, 0, sizeof to);
	std::memcpy(to, name.data(), name.size());
}

/// An address of zeros means "none".
void set_optional(Napi::Object &to, const char *field, const uint8_t *from, size_t length)
{
	if (std::any_of(from, from + length, [](uint8_t byte) { return byte != 0; }))
		to.Set(field, bytes(to.Env(), from, length));
}

size_t address_length(unsigned family) { return family == 4 ? 4 : 16; }

} // namespace

sl_vrf_row vrf_row(const Napi::Object &from)
{
	sl_vrf_row row{};
	set_name(row.name, from, true);
	row.flags = (get_bool(from, "ttlUniform") ? SL_VRF_TTL_UNIFORM : 0) |
	            (get_bool(from, "tcUniform") ? SL_VRF_TC_UNIFORM : 0) |
	            (get_bool(from, "clampMss") ? SL_VRF_CLAMP_MSS : 0);
	if (!from.Get("dscp").IsUndefined())
		row.flags |= SL_VRF_DSCP_FIXED | get_uint(from, "dscp", 63) << SL_VRF_DSCP_SHIFT;
	row.host_interface = get_uint(from, "hostInterface");
	copy_optional(from, "icmpSource4", row.icmp_source4, 4);
	copy_optional(from, "icmpSource6", row.icmp_source6, 16);
	return row;
}

Napi::Object vrf_object(Napi::Env env, uint32_t id, const sl_vrf_row &row)
{
	Napi::Object to = Napi::Object::New(env);
	to.Set("id", id);
	to.Set("name", read_name(row.name));
	to.Set("ttlUniform", (row.flags & SL_VRF_TTL_UNIFORM) != 0);
	to.Set("tcUniform", (row.flags & SL_VRF_TC_UNIFORM) != 0);
	if ((row.flags & SL_VRF_DSCP_FIXED) != 0)
		to.Set("dscp", row.flags >> SL_VRF_DSCP_SHIFT & 63u);
	to.Set("clampMss", (row.flags & SL_VRF_CLAMP_MSS) != 0);
	to.Set("hostInterface", row.host_interface);
	set_optional(to, "icmpSource4", row.icmp_source4, 4);
	set_optional(to, "icmpSource6", row.icmp_source6, 16);
	return to;
}

void check_service_tag(const sl_interface_row &row)
{
	if (row.svlan == 0)
		bad_argument("serviceTag.vlan is 1..4094");
	if (row.vlan == 0)
		bad_argument("a service tag, and no VLAN behind it");
	if (row.stag_type != 0x88a8 && row.stag_type != 0x8100)
		bad_argument("serviceTag.type is 0x88a8 or 0x8100");
}

sl_interface_row interface_row(const Napi::Object &from)
{
	sl_interface_row row{};
	set_name(row.name, from, false);
	row.role = static_cast<uint8_t>(get_choice(from, "role", kRoles) + SL_ROLE_CE);
	row.vrf = get_uint(from, "vrf");
	row.port = get_uint(from, "port");
	row.vlan = static_cast<uint16_t>(get_uint(from, "vlan", 4094));
	if (!from.Get("serviceTag").IsUndefined()) {
		const Napi::Object tag = get_object(from, "serviceTag");
		row.svlan = static_cast<uint16_t>(get_uint(tag, "vlan", 4094));
		row.stag_type = static_cast<uint16_t>(get_uint(tag, "type", UINT16_MAX));
		check_service_tag(row);
	}
	row.mtu = static_cast<uint16_t>(get_uint(from, "mtu", UINT16_MAX));
	copy_bytes(from, "mac", row.mac, 6);
	copy_optional(from, "address4", row.address4, 4);
	copy_optional(from, "address6", row.address6, 16);
	copy_optional(from, "linkLocal6", row.linklocal6, 16);
	row.flags = (get_bool(from, "acceptGre") ? SL_IF_ACCEPT_GRE : 0) |
	            (get_bool(from, "acceptIp") ? SL_IF_ACCEPT_IP : 0) |
	            (get_bool(from, "mplsOwnSp") ? SL_IF_MPLS_OWN_SP : 0) |
	            (get_bool(from, "mplsOtherSp") ? SL_IF_MPLS_OTHER_SP : 0);
	return row;
}

Napi::Object interface_object(Napi::Env env, uint32_t id, const sl_interface_row &row)
{
	Napi::Object to = Napi::Object::New(env);
	to.Set("id", id);
	to.Set("name", read_name(row.name));
	to.Set("role", kRoles.at(row.role - 1u));
	to.Set("vrf", row.vrf);
	to.Set("port", row.port);
	to.Set("vlan", row.vlan);
	if (row.svlan != 0) {
		Napi::Object tag = Napi::Object::New(env);
		tag.Set("vlan", row.svlan);
		tag.Set("type", row.stag_type);
		to.Set("serviceTag", tag);
	}
	to.Set("mtu", row.mtu);
	to.Set("mac", bytes(env, row.mac, 6));
	set_optional(to, "address4", row.address4, 4);
	set_optional(to, "address6", row.address6, 16);
	set_optional(to, "linkLocal6", row.linklocal6, 16);
	to.Set("acceptGre", (row.flags & SL_IF_ACCEPT_GRE) != 0);
	to.Set("acceptIp", (row.flags & SL_IF_ACCEPT_IP) != 0);
	to.Set("mplsOwnSp", (row.flags & SL_IF_MPLS_OWN_SP) != 0);
	to.Set("mplsOtherSp", (row.flags & SL_IF_MPLS_OTHER_SP) != 0);
	return to;
}

sl_accept_row accept_row(const Napi::Object &from)
{
	sl_accept_row row{};
	const Napi::Array secured = array(from.Get("secured"), "secured");
	for (uint32_t i = 0; i < secured.Length(); i++) {
		const Napi::Object one = object(secured.Get(i), "secured");
		const size_t protection = get_choice(one, "protection", kSecured);
		const size_t encap = get_choice(one, "encapsulation", kEncaps);
		const Napi::Array sps = array(one.Get("sps"), "sps");
		for (uint32_t j = 0; j < sps.Length(); j++) {
			const uint32_t sp = unsigned_integer(sps.Get(j), "sps", SL_MAX_SPS - 1);
			if (sp == 0)
				bad_argument("sps: secured label tables are 1..63");
			row.secured[protection][encap] |= 1ull << sp;
		}
	}
	const Napi::Array clear = array(from.Get("clear"), "clear");
	for (uint32_t i = 0; i < clear.Length(); i++) {
		const std::string name = text(clear.Get(i), "clear");
		const auto known = std::find(kClear.begin(), kClear.end(), name);
		if (known == kClear.end())
			bad_argument("clear: " + name + " is not gre, ip, mpls or mpls-own-sp");
		row.clear |= 1u << (known - kClear.begin());
	}
	return row;
}

Napi::Object accept_object(Napi::Env env, uint32_t id, const sl_accept_row &row)
{
	Napi::Array secured = Napi::Array::New(env);
	for (size_t protection = 0; protection < 2; protection++) {
		for (size_t encap = 0; encap < 2; encap++) {
			const uint64_t bits = row.secured[protection][encap];
			if (bits == 0)
				continue;
			Napi::Array sps = Napi::Array::New(env);
			for (uint32_t sp = 1; sp < SL_MAX_SPS; sp++) {
				if ((bits >> sp & 1) != 0)
					sps.Set(sps.Length(), sp);
			}
			Napi::Object one = Napi::Object::New(env);
			one.Set("protection", kSecured[protection]);
			one.Set("encapsulation", kEncaps[encap]);
			one.Set("sps", sps);
			secured.Set(secured.Length(), one);
		}
	}
	Napi::Array clear = Napi::Array::New(env);
	for (size_t bit = 0; bit < kClear.size(); bit++) {
		if ((row.clear >> bit & 1) != 0)
			clear.Set(clear.Length(), kClear[bit]);
	}
	Napi::Object to = Napi::Object::New(env);
	to.Set("id", id);
	to.Set("secured", secured);
	to.Set("clear", clear);
	return to;
}

namespace
{
/// What an SA of BGP has in the place of an encapsulation.
void bgp_selector(const Napi::Object &from, sl_sa_row &row)
{
	row.application = SL_APP_BGP;
	row.source_port = static_cast<uint16_t>(get_uint(from, "sourcePort", UINT16_MAX));
	row.destination_port = static_cast<uint16_t>(get_uint(from, "destinationPort", UINT16_MAX));
}

void udp_ports(const Napi::Object &from, sl_sa_row &row)
{
	row.udp_source_port = static_cast<uint16_t>(get_uint(from, "source", UINT16_MAX));
	row.udp_destination_port = static_cast<uint16_t>(get_uint(from, "destination", UINT16_MAX));
	if (row.udp_source_port == 0 || row.udp_destination_port == 0)
		bad_argument("udp: port 0");
}

void set_udp_ports(Napi::Object &to, const sl_sa_row &row)
{
	if (row.udp_source_port == 0)
		return;
	Napi::Object udp = Napi::Object::New(to.Env());
	udp.Set("source", row.udp_source_port);
	udp.Set("destination", row.udp_destination_port);
	to.Set("udp", udp);
}
} // namespace

sl_sa_row sa_row(const Napi::Object &from)
{
	sl_sa_row row{};
	row.spi = get_uint(from, "spi");
	row.algorithm = static_cast<uint8_t>(get_choice(from, "algorithm", kAlgorithms) + 1);
	row.family = copy_address(from, "source", row.source);
	if (copy_address(from, "destination", row.destination) != row.family)
		bad_argument("source and destination are of different families");
	row.application = SL_APP_VPN;
	if (from.Get("application").IsUndefined() ||
	    get_choice(from, "application", kApplications) == 0)
		row.encap = static_cast<uint8_t>(get_choice(from, "encapsulation", kEncaps) + 1);
	else
		bgp_selector(from, row);
	row.sp_table = static_cast<uint8_t>(get_uint(from, "spTable", SL_MAX_SPS - 1));
	row.replay_window = get_uint(from, "replayWindow", 4096);
	row.packet_limit = get_bigint(from, "packetLimit");
	row.esn = !from.Get("esn").IsUndefined() && get_bool(from, "esn") ? 1 : 0;
	if (!from.Get("worker").IsUndefined())
		row.worker = static_cast<uint8_t>(get_uint(from, "worker", SL_MAX_LCORES - 1));
	if (!from.Get("resource").IsUndefined())
		row.resource = static_cast<uint8_t>(get_uint(from, "resource", SL_MAX_LCORES - 1));
	row.random_spi =
		!from.Get("randomSpi").IsUndefined() && get_bool(from, "randomSpi") ? 1 : 0;
	if (!from.Get("byteLimit").IsUndefined())
		row.byte_limit = get_bigint(from, "byteLimit");
	if (!from.Get("udp").IsUndefined())
		udp_ports(object(from.Get("udp"), "udp"), row);
	return row;
}

Napi::Object sa_object(Napi::Env env, uint32_t id, const std::string &name, const sl_sa_row &row)
{
	Napi::Object to = Napi::Object::New(env);
	to.Set("id", id);
	to.Set("generation", bigint(env, row.generation));
	to.Set("keyCheck", bigint(env, row.key_check));
	to.Set("name", name);
	to.Set("spi", row.spi);
	to.Set("algorithm", kAlgorithms.at(row.algorithm - 1u));
	to.Set("source", bytes(env, row.source, address_length(row.family)));
	to.Set("destination", bytes(env, row.destination, address_length(row.family)));
	to.Set("application", kApplications.at(row.application - 1u));
	if (row.application == SL_APP_VPN) {
		to.Set("encapsulation", kEncaps.at(row.encap - 1u));
	} else {
		to.Set("sourcePort", row.source_port);
		to.Set("destinationPort", row.destination_port);
	}
	to.Set("spTable", row.sp_table);
	to.Set("replayWindow", row.replay_window);
	to.Set("packetLimit", bigint(env, row.packet_limit));
	to.Set("esn", row.esn != 0);
	to.Set("worker", row.worker);
	to.Set("resource", row.resource);
	to.Set("randomSpi", row.random_spi != 0);
	to.Set("byteLimit", bigint(env, row.byte_limit));
	set_udp_ports(to, row);
	return to;
}

uint32_t owner_of(const Napi::Value &name)
{
	const std::string wanted = name.IsString() ? name.As<Napi::String>().Utf8Value() : "";
	for (size_t i = 0; i < kOwners.size(); i++)
		if (wanted == kOwners[i])
			return static_cast<uint32_t>(SL_OWNER_STATIC + i);
	bad_argument("route owner \"" + wanted + "\"");
}

namespace
{

/// {nexthop, label} of a leaf that names a next hop.
void set_way(Napi::Object &to, uint64_t leaf)
{
	to.Set("nexthop", sl_leaf_nexthop(leaf));
	to.Set("label", sl_leaf_label(leaf));
}

/// All ways of a group; the first stands for the route where one is asked for.
void set_ways(Napi::Object &to, const sl_group_row &group)
{
	Napi::Array ways = Napi::Array::New(to.Env());
	for (uint32_t i = 0; i < SL_GROUP_MEMBERS && group.member[i] != SL_LEAF_NONE; i++) {
		Napi::Object way = Napi::Object::New(to.Env());
		set_way(way, group.member[i]);
		ways.Set(i, way);
	}
	set_way(to, group.member[0]);
	to.Set("ways", ways);
}

} // namespace

Napi::Object route_object(Napi::Env env, const sl_prefix_row &row, const Groups &groups)
{
	Napi::Object to = Napi::Object::New(env);
	to.Set("vrf", row.vrf);
	to.Set("family", static_cast<uint32_t>(row.family));
	to.Set("address", bytes(env, row.address, address_length(row.family)));
	to.Set("length", static_cast<uint32_t>(row.length));
	if (sl_leaf_is_group(row.leaf))
		set_ways(to, groups.row(sl_leaf_group(row.leaf)));
	else
		set_way(to, row.leaf);
	to.Set("accept", sl_leaf_accept(row.leaf));
	to.Set("owner", kOwners.at(row.owner - 1u));
	to.Set("stale", row.stale != 0);
	return to;
}

const std::vector<const char *> &drop_names()
{
#define SL_DROP_NAME(name, text) #name,
	static const std::vector<const char *> names{SL_DROP_REASONS(SL_DROP_NAME)};
#undef SL_DROP_NAME
	return names;
}

const std::vector<const char *> &drop_texts()
{
#define SL_DROP_TEXT(name, text) text,
	static const std::vector<const char *> texts{SL_DROP_REASONS(SL_DROP_TEXT)};
#undef SL_DROP_TEXT
	return texts;
}

} // namespace sealane::js
