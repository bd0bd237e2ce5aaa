// SPDX-License-Identifier: Apache-2.0
// `openTables`, and the rows that are known by name: VRFs, interfaces, ports, accepted sets, labels,
// next hops. Converts and checks arguments; the work is in tables.h.
#include "binding_tables.h"

#include "binding.h"
#include "binding_js.h"
#include "binding_rows.h"
#include "tables/accept.h"

namespace sealane::js
{

namespace
{

const std::vector<const char *> kLabelActions{"vrf", "nexthop", "swap",
                                              "pop"}; // sl_label_action, from 1
const std::vector<const char *> kArrivals{"encrypt", "authenticate", "tunnel", "mpls",
                                          "mpls-other-sp"};   // sl_protection, from 1
const std::vector<const char *> kEncaps{"none", "gre", "ip"}; // sl_encap

Object label_object(Napi::Env env, uint32_t label, uint64_t row)
{
	Object to = Object::New(env);
	to.Set("label", label);
	to.Set("action", kLabelActions.at(sl_label_action(row) - 1));
	to.Set("target", sl_label_target(row));
	to.Set("accept", sl_label_accept(row));
	if (sl_label_action(row) == SL_LABEL_SWAP)
		to.Set("out", sl_label_out(row));
	return to;
}

Object nexthop_object(Napi::Env env, uint32_t id, const Nexthops &nexthops)
{
	const uint32_t version = nexthops.version(id);
	Object to = Object::New(env);
	to.Set("id", id);
	to.Set("name", nexthops.name(id));
	to.Set("version", version);
	if (version != 0)
		to.Set("active", version_object(env, nexthops.spec(version)));
	return to;
}

} // namespace

[[noreturn]] void throw_addon_error(Napi::Env env, const TablesError &error)
{
	Napi::Error result = Napi::Error::New(env, error.what());
	result.Set("code", Napi::String::New(env, error.code()));
	if (!error.remedy().empty())
		result.Set("remedy", Napi::String::New(env, error.remedy()));
	throw result;
}

uint32_t id_of(const CallbackInfo &info, size_t argument)
{
	return unsigned_integer(info[argument], "id");
}

Object object_of(const CallbackInfo &info, size_t argument)
{
	return object(info[argument], "argument");
}

TablesObject::TablesObject(const CallbackInfo &info) : ObjectWrap(info)
{
	guard(info, [&] {
		const Object paths = object_of(info);
		thread_ = syscall(SYS_gettid);
		tables_ = std::make_unique<Tables>(get_text(paths, "tables"),
		                                   get_text(paths, "state"));
		Object self = info.This().As<Object>();
		const auto &segment = tables_->header().segment;
		self.Set("attached", tables_->created() ? "created" : "reattached");
		self.Set("epoch", bigint(info.Env(), segment.epoch));
		self.Set("layoutHash", bigint(info.Env(), segment.layout_hash));
		return info.Env().Undefined();
	});
}

// ---- VRFs, interfaces, ports -------------------------------------------------------------------

Result TablesObject::put_vrf(const CallbackInfo &info)
{
	return Napi::Number::New(info.Env(), tables_->vrfs.put(vrf_row(object_of(info))));
}

Result TablesObject::remove_vrf(const CallbackInfo &info)
{
	tables_->remove_vrf(id_of(info));
	return info.Env().Undefined();
}

Result TablesObject::vrfs(const CallbackInfo &info)
{
	Napi::Array all = Napi::Array::New(info.Env());
	for (uint32_t id = 0; id < tables_->vrfs.end(); id++) {
		const sl_vrf_row &row = tables_->vrfs.row(id);
		if (row.state == SL_ROW_LIVE)
			all.Set(all.Length(), vrf_object(info.Env(), id, row));
	}
	return all;
}

Result TablesObject::put_interface(const CallbackInfo &info)
{
	return Napi::Number::New(info.Env(),
	                         tables_->put_interface(interface_row(object_of(info))));
}

Result TablesObject::remove_interface(const CallbackInfo &info)
{
	tables_->remove_interface(id_of(info));
	return info.Env().Undefined();
}

Result TablesObject::interfaces(const CallbackInfo &info)
{
	Napi::Array all = Napi::Array::New(info.Env());
	for (uint32_t id = 1; id < tables_->interfaces.end(); id++) {
		const sl_interface_row &row = tables_->interfaces.row(id);
		if (row.state == SL_ROW_LIVE)
			all.Set(all.Length(), interface_object(info.Env(), id, row));
	}
	return all;
}

Result TablesObject::port_id(const CallbackInfo &info)
{
	return Napi::Number::New(info.Env(), tables_->ports.id(text(info[0], "name")));
}

Result TablesObject::ports(const CallbackInfo &info)
{
	Napi::Array all = Napi::Array::New(info.Env());
	for (uint32_t id = 1; id < SL_MAX_PORTS; id++) {
		const std::string name = tables_->ports.name(id);
		if (name.empty())
			continue;
		Object one = Object::New(info.Env());
		one.Set("id", id);
		one.Set("name", name);
		all.Set(all.Length(), one);
	}
	return all;
}

Result TablesObject::release_port(const CallbackInfo &info)
{
	tables_->ports.release(id_of(info));
	return info.Env().Undefined();
}

// ---- Accept sets, labels, next hops ------------------------------------------------------------

Result TablesObject::accept_set(const CallbackInfo &info)
{
	const Object from = object_of(info);
	sl_accept_row wanted = accept_row(from);
	if (!from.Get("mplsInterface").IsUndefined()) {
		const std::string name = get_text(from, "mplsInterface");
		wanted.mpls_interface = tables_->interfaces.latest(name);
		if (wanted.mpls_interface == 0)
			not_found("interface \"" + name + "\" does not exist");
	}
	return Napi::Number::New(info.Env(), tables_->accepts.id(wanted));
}

Result TablesObject::accept_sets(const CallbackInfo &info)
{
	Napi::Array all = Napi::Array::New(info.Env());
	for (uint32_t id = 1; id < tables_->accepts.end(); id++) {
		const sl_accept_row &row = tables_->accepts.row(id);
		if (row.state != SL_ROW_LIVE)
			continue;
		Object one = accept_object(info.Env(), id, row);
		if (row.mpls_interface != 0)
			one.Set("mplsInterface",
			        read_name(tables_->interfaces.row(row.mpls_interface).name));
		all.Set(all.Length(), one);
	}
	return all;
}

Result TablesObject::set_label(const CallbackInfo &info)
{
	const Object row = object_of(info);
	const size_t action = get_choice(row, "action", kLabelActions) + 1;
	tables_->labels.set(get_uint(row, "label"), static_cast<enum sl_label_action>(action),
	                    get_uint(row, "target"), get_uint(row, "accept", UINT16_MAX),
	                    row.Get("out").IsUndefined() ? 0 : get_uint(row, "out"));
	return info.Env().Undefined();
}

Result TablesObject::clear_label(const CallbackInfo &info)
{
	tables_->labels.clear(unsigned_integer(info[0], "label"));
	return info.Env().Undefined();
}

Result TablesObject::labels(const CallbackInfo &info)
{
	Napi::Array all = Napi::Array::New(info.Env());
	for (uint32_t label = 0; label < SL_MAX_LABELS; label++) {
		const uint64_t row = tables_->labels.row(label);
		if (row != 0)
			all.Set(all.Length(), label_object(info.Env(), label, row));
	}
	return all;
}

Result TablesObject::label_row(const CallbackInfo &info)
{
	const uint32_t label = unsigned_integer(info[0], "label", SL_MAX_LABELS - 1);
	const uint64_t row = tables_->labels.row(label);
	if (row == 0)
		return info.Env().Undefined();
	return label_object(info.Env(), label, row);
}

/// The drop reason of a packet that came so, by the worker's own function; undefined: accepted.
Result TablesObject::refusal(const CallbackInfo &info)
{
	const uint32_t id = unsigned_integer(info[0], "set", SL_MAX_ACCEPT_SETS - 1);
	const Object arrival = object_of(info, 1);
	const auto protection =
		static_cast<uint8_t>(get_choice(arrival, "protection", kArrivals) + 1);
	const auto encap = static_cast<uint8_t>(get_choice(arrival, "encapsulation", kEncaps));
	const auto table = static_cast<uint8_t>(get_uint(arrival, "spTable", SL_MAX_SPS - 1));
	const uint32_t interface = get_uint(arrival, "interface", SL_MAX_INTERFACES - 1);
	// Beyond the backed rows there is no memory.
	static const sl_accept_row none{};
	const sl_accept_row &row = id < tables_->accepts.end() ? tables_->accepts.row(id) : none;
	const sl_drop_reason reason =
		sl_accept_drop(sl_accept_check(&row, protection, encap, table, interface));
	if (reason == SL_DROP_none)
		return info.Env().Undefined();
	return Napi::String::New(info.Env(), drop_names().at(reason));
}

Result TablesObject::nexthop(const CallbackInfo &info)
{
	return Napi::Number::New(info.Env(), tables_->nexthops.slot(text(info[0], "name")));
}

Result TablesObject::set_nexthop(const CallbackInfo &info)
{
	std::optional<VersionSpec> version;
	if (!info[1].IsUndefined())
		version = version_spec(object_of(info, 1));
	tables_->nexthops.set(id_of(info), version);
	return info.Env().Undefined();
}

Result TablesObject::remove_nexthop(const CallbackInfo &info)
{
	tables_->nexthops.remove(id_of(info));
	return info.Env().Undefined();
}

Result TablesObject::nexthops(const CallbackInfo &info)
{
	Napi::Array all = Napi::Array::New(info.Env());
	for (uint32_t id = 1; id < tables_->nexthops.end(); id++) {
		if (tables_->nexthops.live(id))
			all.Set(all.Length(), nexthop_object(info.Env(), id, tables_->nexthops));
	}
	return all;
}

Result TablesObject::nexthop_row(const CallbackInfo &info)
{
	const uint32_t id = id_of(info);
	if (id == 0 || id >= tables_->nexthops.end() || !tables_->nexthops.live(id))
		return info.Env().Undefined();
	return nexthop_object(info.Env(), id, tables_->nexthops);
}

Napi::Function TablesObject::define(Napi::Env env)
{
	return DefineClass(env, "Tables",
	                   {
				   bound<&TablesObject::put_vrf>("putVrf"),
				   bound<&TablesObject::remove_vrf>("removeVrf"),
				   bound<&TablesObject::vrfs>("vrfs"),
				   bound<&TablesObject::put_interface>("putInterface"),
				   bound<&TablesObject::remove_interface>("removeInterface"),
				   bound<&TablesObject::interfaces>("interfaces"),
				   bound<&TablesObject::port_id>("portId"),
				   bound<&TablesObject::ports>("ports"),
				   bound<&TablesObject::release_port>("releasePort"),
				   bound<&TablesObject::accept_set>("acceptSet"),
				   bound<&TablesObject::accept_sets>("acceptSets"),
				   bound<&TablesObject::set_label>("setLabel"),
				   bound<&TablesObject::clear_label>("clearLabel"),
				   bound<&TablesObject::labels>("labels"),
				   bound<&TablesObject::label_row>("labelRow"),
				   bound<&TablesObject::refusal>("refusal"),
				   bound<&TablesObject::nexthop>("nexthop"),
				   bound<&TablesObject::set_nexthop>("setNexthop"),
				   bound<&TablesObject::remove_nexthop>("removeNexthop"),
				   bound<&TablesObject::nexthops>("nexthops"),
				   bound<&TablesObject::nexthop_row>("nexthopRow"),
				   bound<&TablesObject::add_sa>("addSa"),
				   bound<&TablesObject::activate_sa>("activateSa"),
				   bound<&TablesObject::remove_sa>("removeSa"),
				   bound<&TablesObject::sas>("sas"),
				   bound<&TablesObject::share_sa>("shareSa"),
				   bound<&TablesObject::sa_shares>("saShares"),
				   bound<&TablesObject::sa_state>("saState"),
				   bound<&TablesObject::put_host_policy>("putHostPolicy"),
				   bound<&TablesObject::set_host_policy_sas>("setHostPolicySas"),
				   bound<&TablesObject::remove_host_policy>("removeHostPolicy"),
				   bound<&TablesObject::host_policies>("hostPolicies"),
				   bound<&TablesObject::apply_routes>("applyRoutes"),
				   bound<&TablesObject::routes>("routes"),
				   bound<&TablesObject::remove_routes>("removeRoutes"),
				   bound<&TablesObject::route_count>("routeCount"),
				   bound<&TablesObject::lookup>("lookup"),
				   bound<&TablesObject::reclaim>("reclaim"),
				   bound<&TablesObject::set_config_digest>("setConfigDigest"),
				   bound<&TablesObject::config_digest>("configDigest"),
				   bound<&TablesObject::set_traffic_classes>("setTrafficClasses"),
				   bound<&TablesObject::traffic_classes>("trafficClasses"),
				   bound<&TablesObject::set_classes>("setClasses"),
				   bound<&TablesObject::classes>("classes"),
				   bound<&TablesObject::set_policers>("setPolicers"),
				   bound<&TablesObject::policer_counters>("policerCounters"),
				   bound<&TablesObject::set_queues>("setQueues"),
				   bound<&TablesObject::queue_counters>("queueCounters"),
				   bound<&TablesObject::set_path_mtu_floor>("setPathMtuFloor"),
				   bound<&TablesObject::worker>("worker"),
				   bound<&TablesObject::drops>("drops"),
				   bound<&TablesObject::interface_counters>("interfaceCounters"),
				   bound<&TablesObject::port_counters>("portCounters"),
				   bound<&TablesObject::vrf_counters>("vrfCounters"),
				   bound<&TablesObject::label_counters>("labelCounters"),
				   bound<&TablesObject::memory>("memory"),
				   bound<&TablesObject::multipath>("multipath"),
				   bound<&TablesObject::check>("check"),
				   bound<&TablesObject::close>("close"),
			   });
}

} // namespace sealane::js

void sl_bind_tables(Napi::Env env, Napi::Object exports)
{
	auto *tables = new Napi::FunctionReference(
		Napi::Persistent(sealane::js::TablesObject::define(env)));
	env.AddCleanupHook([tables] { delete tables; });
	exports.Set("layoutVersion", Napi::Number::New(env, SL_LAYOUT_VERSION));
	exports.Set("openTables", Napi::Function::New(
					  env,
					  [tables](const Napi::CallbackInfo &info) -> Napi::Value {
						  return tables->New({info[0]});
					  },
					  "openTables"));
}
