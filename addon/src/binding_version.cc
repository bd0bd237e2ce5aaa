// SPDX-License-Identifier: Apache-2.0
// Next-hop versions, to and from `Version` of api.ts.
#include <algorithm>

#include "binding_js.h"
#include "binding_rows.h"
#include "tables_error.h"

namespace sealane::js
{

namespace
{

// In the order of sl_nexthop_kind, sl_protection and sl_encap, each from 1.
const std::vector<const char *> kKinds{"drop", "receive", "glean", "adjacency", "tunnel"};
const std::vector<const char *> kProtections{"encrypt", "authenticate", "tunnel"};
const std::vector<const char *> kEncaps{"gre", "ip"};

std::vector<uint8_t> byte_vector(const Napi::Object &from, const char *field)
{
	const Napi::Uint8Array value = get_bytes(from, field);
	return {value.Data(), value.Data() + value.ByteLength()};
}

uint8_t address(const Napi::Object &from, const char *field, std::array<uint8_t, 16> &to)
{
	uint8_t bytes[16];
	const uint8_t family = copy_address(from, field, bytes);
	std::copy_n(bytes, 16, to.begin());
	return family;
}

/// What the headers of tunnels and LSPs have in common.
TunnelHeader lsp_header(const Napi::Object &from)
{
	TunnelHeader header{};
	header.ethernet = byte_vector(from, "ethernet");
	header.ttl = static_cast<uint8_t>(get_uint(from, "ttl", 255));
	header.dscp = static_cast<uint8_t>(get_uint(from, "dscp", 63));
	if (from.Get("labels").IsUndefined())
		return header;
	const Napi::Array labels = array(from.Get("labels"), "labels");
	if (labels.Length() > SL_MAX_CORE_LABELS)
		bad_argument("labels: at most " + std::to_string(SL_MAX_CORE_LABELS));
	for (uint32_t i = 0; i < labels.Length(); i++)
		header.labels.push_back(
			unsigned_integer(labels.Get(i), "labels", SL_MAX_LABELS - 1));
	return header;
}

TunnelHeader tunnel_header(const Napi::Object &from)
{
	TunnelHeader header = lsp_header(from);
	header.family = address(from, "source", header.source);
	if (address(from, "destination", header.destination) != header.family)
		bad_argument("source and destination are of different families");
	header.flow_label = get_uint(from, "flowLabel", 0xfffff);
	if (!from.Get("spi").IsUndefined())
		header.spi = get_uint(from, "spi");
	return header;
}

Napi::Object lsp_object(Napi::Env env, const TunnelHeader &header)
{
	Napi::Object to = Napi::Object::New(env);
	Napi::Array labels = Napi::Array::New(env);
	for (const uint32_t label : header.labels)
		labels.Set(labels.Length(), label);
	to.Set("ethernet", bytes(env, header.ethernet.data(), header.ethernet.size()));
	to.Set("labels", labels);
	to.Set("ttl", static_cast<uint32_t>(header.ttl));
	to.Set("dscp", static_cast<uint32_t>(header.dscp));
	return to;
}

Napi::Object header_object(Napi::Env env, const TunnelHeader &header)
{
	const size_t length = header.family == 4 ? 4 : 16;
	Napi::Object to = lsp_object(env, header);
	to.Set("source", bytes(env, header.source.data(), length));
	to.Set("destination", bytes(env, header.destination.data(), length));
	to.Set("flowLabel", header.flow_label);
	if (header.spi)
		to.Set("spi", *header.spi);
	return to;
}

/// Kind "lsp": a tunnel row without an outer IP header.
VersionSpec lsp_spec(const Napi::Object &from)
{
	VersionSpec spec{};
	spec.kind = SL_NH_TUNNEL;
	spec.interface = get_uint(from, "interface");
	spec.protection = SL_PROT_MPLS;
	spec.encap = SL_ENCAP_NONE;
	spec.mtu = static_cast<uint16_t>(get_uint(from, "mtu", UINT16_MAX));
	spec.dscp_copy = get_bool(from, "dscpCopy");
	spec.tunnel = lsp_header(get_object(from, "header"));
	return spec;
}

Napi::Object tunnel_object(Napi::Env env, const VersionSpec &spec)
{
	Napi::Object to = Napi::Object::New(env);
	const bool lsp = spec.protection == SL_PROT_MPLS;
	to.Set("kind", lsp ? "lsp" : "tunnel");
	to.Set("interface", spec.interface);
	to.Set("mtu", spec.mtu);
	to.Set("dscpCopy", spec.dscp_copy);
	to.Set("header", lsp ? lsp_object(env, spec.tunnel) : header_object(env, spec.tunnel));
	if (lsp)
		return to;
	to.Set("protection", kProtections.at(spec.protection - 1u));
	to.Set("encapsulation", kEncaps.at(spec.encap - 1u));
	to.Set("sa", spec.sa);
	to.Set("ecnCopy", spec.ecn_copy);
	return to;
}

} // namespace

VersionSpec version_spec(const Napi::Object &from)
{
	if (get_text(from, "kind") == "lsp")
		return lsp_spec(from);
	VersionSpec spec{};
	spec.kind = static_cast<sl_nexthop_kind>(get_choice(from, "kind", kKinds) + 1);
	if (spec.kind != SL_NH_TUNNEL)
		spec.vrf = get_uint(from, "vrf");
	if (spec.kind != SL_NH_DROP)
		spec.interface = get_uint(from, "interface");
	if (spec.kind == SL_NH_DROP) {
		spec.drop_reason =
			static_cast<sl_drop_reason>(get_choice(from, "reason", drop_names()));
		spec.icmp_unreachable = get_bool(from, "icmpUnreachable");
	} else if (spec.kind == SL_NH_ADJACENCY) {
		spec.neighbour_family = address(from, "neighbour", spec.neighbour);
		spec.mtu = static_cast<uint16_t>(get_uint(from, "mtu", UINT16_MAX));
		spec.ethernet = byte_vector(from, "header");
	} else if (spec.kind == SL_NH_TUNNEL) {
		spec.protection = static_cast<sl_protection>(
			get_choice(from, "protection", kProtections) + 1);
		spec.encap = static_cast<sl_encap>(get_choice(from, "encapsulation", kEncaps) + 1);
		spec.mtu = static_cast<uint16_t>(get_uint(from, "mtu", UINT16_MAX));
		spec.sa = get_uint(from, "sa");
		spec.dscp_copy = get_bool(from, "dscpCopy");
		spec.ecn_copy = get_bool(from, "ecnCopy");
		spec.tunnel = tunnel_header(get_object(from, "header"));
	}
	return spec;
}

Napi::Object version_object(Napi::Env env, const VersionSpec &spec)
{
	if (spec.kind == SL_NH_TUNNEL)
		return tunnel_object(env, spec);
	Napi::Object to = Napi::Object::New(env);
	to.Set("kind", kKinds.at(spec.kind - 1u));
	to.Set("vrf", spec.vrf);
	if (spec.kind != SL_NH_DROP)
		to.Set("interface", spec.interface);
	if (spec.kind == SL_NH_DROP) {
		to.Set("reason", drop_names().at(spec.drop_reason));
		to.Set("icmpUnreachable", spec.icmp_unreachable);
	} else if (spec.kind == SL_NH_ADJACENCY) {
		to.Set("neighbour",
		       bytes(env, spec.neighbour.data(), spec.neighbour_family == 4 ? 4 : 16));
		to.Set("mtu", spec.mtu);
		to.Set("header", bytes(env, spec.ethernet.data(), spec.ethernet.size()));
	}
	return to;
}

} // namespace sealane::js
