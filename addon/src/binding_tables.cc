// SPDX-License-Identifier: Apache-2.0
// `openTables` and `Tables` of api.ts: converts, checks the thread, throws AddonErrors.
#include <sys/syscall.h>
#include <unistd.h>

#include <functional>
#include <memory>

#include "binding.h"
#include "binding_js.h"
#include "binding_rows.h"
#include "sealane/layout_hash.h"
#include "tables.h"
#include "tables_error.h"

namespace
{

using Napi::CallbackInfo;
using Napi::Object;
using Result = Napi::Value;
using sealane::Direction;
using sealane::Tables;
using sealane::TablesError;
namespace js = sealane::js;

[[noreturn]] void throw_addon_error(Napi::Env env, const TablesError &error)
{
	Napi::Error result = Napi::Error::New(env, error.what());
	result.Set("code", Napi::String::New(env, error.code()));
	if (!error.remedy().empty())
		result.Set("remedy", Napi::String::New(env, error.remedy()));
	throw result;
}

uint32_t id_of(const CallbackInfo &info, size_t argument = 0)
{
	return js::unsigned_integer(info[argument], "id");
}

Object object_of(const CallbackInfo &info, size_t argument = 0)
{
	return js::object(info[argument], "argument");
}

Direction direction_of(const CallbackInfo &info)
{
	const std::string name = js::text(info[0], "direction");
	if (name != "out" && name != "in")
		sealane::bad_argument("direction must be out or in");
	return name == "out" ? Direction::out : Direction::in;
}

uint8_t family_of(const Result &value)
{
	const uint32_t family = js::unsigned_integer(value, "family");
	if (family != 4 && family != 6)
		sealane::bad_argument("family must be 4 or 6");
	return static_cast<uint8_t>(family);
}

/// A column of a batch: a typed array of T with at least `count` elements.
template <class T>
const T *column(const Object &batch, const char *name, napi_typedarray_type type, size_t count)
{
	const Result value = batch.Get(name);
	if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type)
		sealane::bad_argument(std::string(name) + " is not the typed array it must be");
	const auto array = value.As<Napi::TypedArrayOf<T>>();
	if (array.ElementLength() < count)
		sealane::bad_argument(std::string(name) + " has fewer than " +
		                      std::to_string(count) + " elements");
	return array.Data();
}

class TablesObject : public Napi::ObjectWrap<TablesObject>
{
public:
	static Napi::Function define(Napi::Env env);

	explicit TablesObject(const CallbackInfo &info) : ObjectWrap(info)
	{
		guard(info, [&] {
			const Object paths = object_of(info);
			thread_ = syscall(SYS_gettid);
			tables_ = std::make_unique<Tables>(js::get_text(paths, "tables"),
			                                   js::get_text(paths, "state"));
			Object self = info.This().As<Object>();
			const auto &segment = tables_->header().segment;
			self.Set("attached", tables_->created() ? "created" : "reattached");
			self.Set("epoch", js::bigint(info.Env(), segment.epoch));
			self.Set("layoutHash", js::bigint(info.Env(), segment.layout_hash));
			return info.Env().Undefined();
		});
	}

private:
	using Method = Result (TablesObject::*)(const CallbackInfo &);

	static Result guard(const CallbackInfo &info, const std::function<Result()> &body)
	{
		try {
			return body();
		} catch (const TablesError &error) {
			throw_addon_error(info.Env(), error);
		} catch (const std::bad_alloc &) {
			throw_addon_error(info.Env(), {"SEGMENT_SYSTEM", "out of memory"});
		}
	}

	/// Every method runs through here.
	template <Method method> Result call(const CallbackInfo &info)
	{
		return guard(info, [&] {
			if (syscall(SYS_gettid) != thread_)
				throw TablesError(
					"WRONG_THREAD",
					"the tables belong to the thread that opened them");
			if (!tables_)
				throw TablesError("CLOSED", "the tables are closed");
			return (this->*method)(info);
		});
	}

	Result put_vrf(const CallbackInfo &info);
	Result remove_vrf(const CallbackInfo &info);
	Result vrfs(const CallbackInfo &info);
	Result put_interface(const CallbackInfo &info);
	Result remove_interface(const CallbackInfo &info);
	Result interfaces(const CallbackInfo &info);
	Result port_id(const CallbackInfo &info);
	Result ports(const CallbackInfo &info);
	Result release_port(const CallbackInfo &info);
	Result accept_set(const CallbackInfo &info);
	Result accept_sets(const CallbackInfo &info);
	Result set_label(const CallbackInfo &info);
	Result clear_label(const CallbackInfo &info);
	Result labels(const CallbackInfo &info);
	Result nexthop(const CallbackInfo &info);
	Result set_nexthop(const CallbackInfo &info);
	Result remove_nexthop(const CallbackInfo &info);
	Result nexthops(const CallbackInfo &info);
	Result add_sa(const CallbackInfo &info);
	Result activate_sa(const CallbackInfo &info);
	Result remove_sa(const CallbackInfo &info);
	Result sas(const CallbackInfo &info);
	Result sa_state(const CallbackInfo &info);
	Result apply_routes(const CallbackInfo &info);
	Result routes(const CallbackInfo &info);
	Result route_count(const CallbackInfo &info);
	Result lookup(const CallbackInfo &info);
	Result reclaim(const CallbackInfo &info);
	Result set_config_digest(const CallbackInfo &info);
	Result config_digest(const CallbackInfo &info);
	Result worker(const CallbackInfo &info);
	Result drops(const CallbackInfo &info);
	Result interface_counters(const CallbackInfo &info);
	Result vrf_counters(const CallbackInfo &info);
	Result label_counters(const CallbackInfo &info);
	Result memory(const CallbackInfo &info);
	Result check(const CallbackInfo &info);
	Result close(const CallbackInfo &info);

	std::unique_ptr<Tables> tables_;
	long thread_ = 0;
};

// ---- VRFs, interfaces, ports -------------------------------------------------------------------

Result TablesObject::put_vrf(const CallbackInfo &info)
{
	return Napi::Number::New(info.Env(), tables_->vrfs.put(js::vrf_row(object_of(info))));
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
			all.Set(all.Length(), js::vrf_object(info.Env(), id, row));
	}
	return all;
}

Result TablesObject::put_interface(const CallbackInfo &info)
{
	return Napi::Number::New(info.Env(),
	                         tables_->interfaces.put(js::interface_row(object_of(info))));
}

Result TablesObject::remove_interface(const CallbackInfo &info)
{
	tables_->interfaces.remove(id_of(info));
	return info.Env().Undefined();
}

Result TablesObject::interfaces(const CallbackInfo &info)
{
	Napi::Array all = Napi::Array::New(info.Env());
	for (uint32_t id = 1; id < tables_->interfaces.end(); id++) {
		const sl_interface_row &row = tables_->interfaces.row(id);
		if (row.state == SL_ROW_LIVE)
			all.Set(all.Length(), js::interface_object(info.Env(), id, row));
	}
	return all;
}

Result TablesObject::port_id(const CallbackInfo &info)
{
	return Napi::Number::New(info.Env(), tables_->ports.id(js::text(info[0], "name")));
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
	return Napi::Number::New(info.Env(), tables_->accepts.id(js::accept_row(object_of(info))));
}

Result TablesObject::accept_sets(const CallbackInfo &info)
{
	Napi::Array all = Napi::Array::New(info.Env());
	for (uint32_t id = 1; id < tables_->accepts.end(); id++) {
		const sl_accept_row &row = tables_->accepts.row(id);
		if (row.state == SL_ROW_LIVE)
			all.Set(all.Length(), js::accept_object(info.Env(), id, row));
	}
	return all;
}

Result TablesObject::set_label(const CallbackInfo &info)
{
	const Object row = object_of(info);
	const size_t action = js::get_choice(row, "action", {"vrf", "nexthop"}) + 1;
	tables_->labels.set(js::get_uint(row, "label"), static_cast<enum sl_label_action>(action),
	                    js::get_uint(row, "target"), js::get_uint(row, "accept", UINT16_MAX));
	return info.Env().Undefined();
}

Result TablesObject::clear_label(const CallbackInfo &info)
{
	tables_->labels.clear(js::unsigned_integer(info[0], "label"));
	return info.Env().Undefined();
}

Result TablesObject::labels(const CallbackInfo &info)
{
	Napi::Array all = Napi::Array::New(info.Env());
	for (uint32_t label = 0; label < SL_MAX_LABELS; label++) {
		const uint64_t row = tables_->labels.row(label);
		if (row == 0)
			continue;
		Object one = Object::New(info.Env());
		one.Set("label", label);
		one.Set("action", sl_label_action(row) == SL_LABEL_VRF ? "vrf" : "nexthop");
		one.Set("target", sl_label_target(row));
		one.Set("accept", sl_label_accept(row));
		all.Set(all.Length(), one);
	}
	return all;
}

Result TablesObject::nexthop(const CallbackInfo &info)
{
	return Napi::Number::New(info.Env(), tables_->nexthops.slot(js::text(info[0], "name")));
}

Result TablesObject::set_nexthop(const CallbackInfo &info)
{
	std::optional<sealane::VersionSpec> version;
	if (!info[1].IsUndefined())
		version = js::version_spec(object_of(info, 1));
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
		if (!tables_->nexthops.live(id))
			continue;
		const uint32_t version = tables_->nexthops.version(id);
		Object one = Object::New(info.Env());
		one.Set("id", id);
		one.Set("name", tables_->nexthops.name(id));
		one.Set("version", version);
		if (version != 0)
			one.Set("active",
			        js::version_object(info.Env(), tables_->nexthops.spec(version)));
		all.Set(all.Length(), one);
	}
	return all;
}

// ---- Security associations ---------------------------------------------------------------------

/// Beside what api.ts has, the loader gives the key check: SHA-256 is node:crypto's work.
Result TablesObject::add_sa(const CallbackInfo &info)
{
	const Direction direction = direction_of(info);
	const Object row = object_of(info, 1);
	if (!info[2].IsTypedArray() || !info[3].IsBigInt())
		sealane::bad_argument("key must be a Uint8Array, with its key check");
	const auto key = info[2].As<Napi::Uint8Array>();
	bool lossless = false;
	const uint64_t check = info[3].As<Napi::BigInt>().Uint64Value(&lossless);
	const uint32_t id = tables_->sas.add(direction, js::sa_row(row), js::get_text(row, "name"),
	                                     key.Data(), key.ByteLength(), check);
	return Napi::Number::New(info.Env(), id);
}

Result TablesObject::activate_sa(const CallbackInfo &info)
{
	tables_->sas.activate(id_of(info));
	return info.Env().Undefined();
}

Result TablesObject::remove_sa(const CallbackInfo &info)
{
	tables_->sas.remove(direction_of(info), id_of(info, 1));
	return info.Env().Undefined();
}

Result TablesObject::sas(const CallbackInfo &info)
{
	const Direction direction = direction_of(info);
	Napi::Array all = Napi::Array::New(info.Env());
	for (uint32_t id = 1; id < tables_->sas.end(direction); id++) {
		if (tables_->sas.live(direction, id))
			all.Set(all.Length(),
			        js::sa_object(info.Env(), id, tables_->sas.name(direction, id),
			                      tables_->sas.row(direction, id)));
	}
	return all;
}

Result TablesObject::sa_state(const CallbackInfo &info)
{
	const Direction direction = direction_of(info);
	const sealane::SaCounters c = tables_->sa_counters(direction, id_of(info, 1));
	Object to = Object::New(info.Env());
	to.Set("ready", c.ready);
	to.Set("sequence", js::bigint(info.Env(), c.sequence));
	to.Set("packets", js::bigint(info.Env(), c.packets));
	to.Set("bytes", js::bigint(info.Env(), c.bytes));
	to.Set("replayed", js::bigint(info.Env(), c.replayed));
	to.Set("authFailed", js::bigint(info.Env(), c.auth_failed));
	return to;
}

// ---- Routes ------------------------------------------------------------------------------------

Result TablesObject::apply_routes(const CallbackInfo &info)
{
	const Object batch = object_of(info);
	sealane::RouteColumns c{};
	c.vrf = js::get_uint(batch, "vrf");
	c.family = family_of(batch.Get("family"));
	c.count = js::get_uint(batch, "count", SL_MAX_PREFIXES);
	const size_t address = c.family == 4 ? 4 : 16;
	c.remove = column<uint8_t>(batch, "remove", napi_uint8_array, c.count);
	c.addresses = column<uint8_t>(batch, "addresses", napi_uint8_array, c.count * address);
	c.lengths = column<uint8_t>(batch, "lengths", napi_uint8_array, c.count);
	c.nexthops = column<uint32_t>(batch, "nexthops", napi_uint32_array, c.count);
	c.labels = column<uint32_t>(batch, "labels", napi_uint32_array, c.count);
	c.accepts = column<uint16_t>(batch, "accepts", napi_uint16_array, c.count);
	c.owners = column<uint8_t>(batch, "owners", napi_uint8_array, c.count);
	tables_->routes.apply(c);
	return info.Env().Undefined();
}

Result TablesObject::routes(const CallbackInfo &info)
{
	const uint32_t vrf = id_of(info);
	tables_->vrfs.require(vrf);
	const auto &rows = tables_->routes.rows(vrf, family_of(info[1]));
	Napi::Array all = Napi::Array::New(info.Env(), rows.size());
	uint32_t at = 0;
	for (const uint32_t id : rows)
		all.Set(at++, js::route_object(info.Env(), tables_->routes.row(id)));
	return all;
}

Result TablesObject::route_count(const CallbackInfo &info)
{
	const uint32_t vrf = id_of(info);
	tables_->vrfs.require(vrf);
	return Napi::Number::New(info.Env(), tables_->routes.count(vrf, family_of(info[1])));
}

Result TablesObject::lookup(const CallbackInfo &info)
{
	const uint32_t vrf = id_of(info);
	tables_->vrfs.require(vrf);
	Object holder = Object::New(info.Env());
	holder.Set("address", info[1]);
	uint8_t address[16];
	const uint8_t family = js::copy_address(holder, "address", address);
	const uint32_t row =
		tables_->routes.lookup(vrf, family, sealane::key_from_bytes(family, address));
	if (row == 0)
		return info.Env().Undefined();
	return js::route_object(info.Env(), tables_->routes.row(row));
}

// ---- The segment, the worker, counters ---------------------------------------------------------

Result TablesObject::reclaim(const CallbackInfo &info)
{
	return Napi::Boolean::New(info.Env(), tables_->reclaim());
}

Result TablesObject::set_config_digest(const CallbackInfo &info)
{
	Object holder = Object::New(info.Env());
	holder.Set("digest", info[0]);
	std::array<uint8_t, 32> digest{};
	js::copy_bytes(holder, "digest", digest.data(), digest.size());
	tables_->set_config_digest(digest);
	return info.Env().Undefined();
}

Result TablesObject::config_digest(const CallbackInfo &info)
{
	return js::bytes(info.Env(), tables_->header().config_digest, 32);
}

Result TablesObject::worker(const CallbackInfo &info)
{
	return js::worker_object(info.Env(), tables_->state());
}

Result TablesObject::drops(const CallbackInfo &info)
{
	const auto sums = tables_->drops();
	Napi::Array all = Napi::Array::New(info.Env());
	for (size_t reason = 1; reason < sums.size(); reason++) {
		Object one = Object::New(info.Env());
		one.Set("reason", js::drop_names()[reason]);
		one.Set("text", js::drop_texts()[reason]);
		one.Set("packets", js::bigint(info.Env(), sums[reason]));
		all.Set(all.Length(), one);
	}
	return all;
}

Result TablesObject::interface_counters(const CallbackInfo &info)
{
	return js::counters_object(info.Env(), tables_->interface_counters(id_of(info)));
}

Result TablesObject::vrf_counters(const CallbackInfo &info)
{
	return js::counters_object(info.Env(), tables_->vrf_counters(id_of(info)));
}

Result TablesObject::label_counters(const CallbackInfo &info)
{
	const uint32_t label = js::unsigned_integer(info[0], "label", SL_MAX_LABELS - 1);
	return js::counters_object(info.Env(), tables_->label_counters(label));
}

Result TablesObject::memory(const CallbackInfo &info)
{
	Napi::Array all = Napi::Array::New(info.Env());
	for (const sealane::TableMemory &table : tables_->memory()) {
		Object one = Object::New(info.Env());
		one.Set("table", table.table);
		one.Set("rows", static_cast<double>(table.rows));
		one.Set("bytes", static_cast<double>(table.bytes));
		all.Set(all.Length(), one);
	}
	return all;
}

Result TablesObject::check(const CallbackInfo &info)
{
	return Napi::String::New(info.Env(), tables_->check());
}

Result TablesObject::close(const CallbackInfo &info)
{
	tables_.reset();
	return info.Env().Undefined();
}

#define SL_METHOD(name, method)                                                                    \
	InstanceMethod<&TablesObject::call<&TablesObject::method>>(name, napi_default_method)

Napi::Function TablesObject::define(Napi::Env env)
{
	return DefineClass(env, "Tables",
	                   {
				   SL_METHOD("putVrf", put_vrf),
				   SL_METHOD("removeVrf", remove_vrf),
				   SL_METHOD("vrfs", vrfs),
				   SL_METHOD("putInterface", put_interface),
				   SL_METHOD("removeInterface", remove_interface),
				   SL_METHOD("interfaces", interfaces),
				   SL_METHOD("portId", port_id),
				   SL_METHOD("ports", ports),
				   SL_METHOD("releasePort", release_port),
				   SL_METHOD("acceptSet", accept_set),
				   SL_METHOD("acceptSets", accept_sets),
				   SL_METHOD("setLabel", set_label),
				   SL_METHOD("clearLabel", clear_label),
				   SL_METHOD("labels", labels),
				   SL_METHOD("nexthop", nexthop),
				   SL_METHOD("setNexthop", set_nexthop),
				   SL_METHOD("removeNexthop", remove_nexthop),
				   SL_METHOD("nexthops", nexthops),
				   SL_METHOD("addSa", add_sa),
				   SL_METHOD("activateSa", activate_sa),
				   SL_METHOD("removeSa", remove_sa),
				   SL_METHOD("sas", sas),
				   SL_METHOD("saState", sa_state),
				   SL_METHOD("applyRoutes", apply_routes),
				   SL_METHOD("routes", routes),
				   SL_METHOD("routeCount", route_count),
				   SL_METHOD("lookup", lookup),
				   SL_METHOD("reclaim", reclaim),
				   SL_METHOD("setConfigDigest", set_config_digest),
				   SL_METHOD("configDigest", config_digest),
				   SL_METHOD("worker", worker),
				   SL_METHOD("drops", drops),
				   SL_METHOD("interfaceCounters", interface_counters),
				   SL_METHOD("vrfCounters", vrf_counters),
				   SL_METHOD("labelCounters", label_counters),
				   SL_METHOD("memory", memory),
				   SL_METHOD("check", check),
				   SL_METHOD("close", close),
			   });
}

} // namespace

void sl_bind_tables(Napi::Env env, Napi::Object exports)
{
	auto *tables = new Napi::FunctionReference(Napi::Persistent(TablesObject::define(env)));
	env.AddCleanupHook([tables] { delete tables; });
	exports.Set("layoutVersion", Napi::Number::New(env, SL_LAYOUT_VERSION));
	exports.Set("openTables", Napi::Function::New(
					  env,
					  [tables](const CallbackInfo &info) -> Result {
						  return tables->New({info[0]});
					  },
					  "openTables"));
}
