// SPDX-License-Identifier: Apache-2.0
// SAs, routes, the segment, the worker's counters: the rest of `Tables`.
#include <algorithm>

#include "binding_js.h"
#include "binding_rows.h"
#include "binding_tables.h"

namespace sealane::js
{

namespace
{

Direction direction_of(const CallbackInfo &info)
{
	const std::string name = text(info[0], "direction");
	if (name != "out" && name != "in")
		bad_argument("direction must be out or in");
	return name == "out" ? Direction::out : Direction::in;
}

uint8_t family_of(const Result &value)
{
	const uint32_t family = unsigned_integer(value, "family");
	if (family != 4 && family != 6)
		bad_argument("family must be 4 or 6");
	return static_cast<uint8_t>(family);
}

/// A column of a batch: a typed array of T with at least `count` elements.
template <class T>
const T *column(const Object &batch, const char *name, napi_typedarray_type type, size_t count)
{
	const Result value = batch.Get(name);
	if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type)
		bad_argument(std::string(name) + " is not the typed array it must be");
	const auto array = value.As<Napi::TypedArrayOf<T>>();
	if (array.ElementLength() < count)
		bad_argument(std::string(name) + " has fewer than " + std::to_string(count) +
		             " elements");
	return array.Data();
}

/// `more` of a batch: further ways of its routes.
void add_more_ways(RouteColumns &c, const Result &value)
{
	if (value.IsUndefined())
		return;
	const Object more = object(value, "more");
	const Result nexthops = more.Get("nexthops");
	if (!nexthops.IsTypedArray())
		bad_argument("more.nexthops is not the typed array it must be");
	c.more_total = static_cast<uint32_t>(
		std::min<size_t>(nexthops.As<Napi::TypedArray>().ElementLength(), UINT32_MAX));
	c.more = column<uint8_t>(more, "counts", napi_uint8_array, c.count);
	c.more_nexthops = column<uint32_t>(more, "nexthops", napi_uint32_array, c.more_total);
	c.more_labels = column<uint32_t>(more, "labels", napi_uint32_array, c.more_total);
}

} // namespace

// ---- Security associations ---------------------------------------------------------------------

/// Beside what api.ts has, the loader gives the key check: SHA-256 is node:crypto's work.
Result TablesObject::add_sa(const CallbackInfo &info)
{
	const Direction direction = direction_of(info);
	const Object row = object_of(info, 1);
	if (!info[2].IsTypedArray() || !info[3].IsBigInt())
		bad_argument("key must be a Uint8Array, with its key check");
	const auto key = info[2].As<Napi::Uint8Array>();
	bool lossless = false;
	const uint64_t check = info[3].As<Napi::BigInt>().Uint64Value(&lossless);
	const uint32_t id = tables_->sas.add(direction, sa_row(row), get_text(row, "name"),
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

Result TablesObject::share_sa(const CallbackInfo &info)
{
	if (!info[1].IsArray())
		bad_argument("shares is not an array");
	const auto from = info[1].As<Napi::Array>();
	std::vector<uint32_t> shares;
	for (uint32_t thread = 0; thread < from.Length() && thread <= SL_MAX_LCORES; thread++)
		shares.push_back(unsigned_integer(from.Get(thread), "share", SL_MAX_SAS - 1));
	tables_->sas.share(id_of(info), shares);
	return info.Env().Undefined();
}

Result TablesObject::sa_shares(const CallbackInfo &info)
{
	Napi::Array shares = Napi::Array::New(info.Env());
	for (const uint32_t share : tables_->sas.shares(id_of(info)))
		shares.Set(shares.Length(), share);
	return shares;
}

Result TablesObject::sas(const CallbackInfo &info)
{
	const Direction direction = direction_of(info);
	Napi::Array all = Napi::Array::New(info.Env());
	for (uint32_t id = 1; id < tables_->sas.end(direction); id++) {
		if (tables_->sas.live(direction, id))
			all.Set(all.Length(),
			        sa_object(info.Env(), id, tables_->sas.name(direction, id),
			                  tables_->sas.row(direction, id)));
	}
	return all;
}

Result TablesObject::sa_state(const CallbackInfo &info)
{
	const Direction direction = direction_of(info);
	const SaCounters c = tables_->sa_counters(direction, id_of(info, 1));
	Object to = Object::New(info.Env());
	to.Set("ready", c.ready);
	to.Set("sequence", bigint(info.Env(), c.sequence));
	to.Set("packets", bigint(info.Env(), c.packets));
	to.Set("bytes", bigint(info.Env(), c.bytes));
	to.Set("replayed", bigint(info.Env(), c.replayed));
	to.Set("authFailed", bigint(info.Env(), c.auth_failed));
	to.Set("probeRound", c.probe_round);
	to.Set("probeBytes", c.probe_bytes);
	return to;
}

// ---- Routes ------------------------------------------------------------------------------------

Result TablesObject::apply_routes(const CallbackInfo &info)
{
	const Object batch = object_of(info);
	RouteColumns c{};
	c.vrf = get_uint(batch, "vrf");
	c.family = family_of(batch.Get("family"));
	c.count = get_uint(batch, "count", SL_MAX_PREFIXES);
	const size_t address = c.family == 4 ? 4 : 16;
	c.remove = column<uint8_t>(batch, "remove", napi_uint8_array, c.count);
	c.addresses = column<uint8_t>(batch, "addresses", napi_uint8_array, c.count * address);
	c.lengths = column<uint8_t>(batch, "lengths", napi_uint8_array, c.count);
	c.nexthops = column<uint32_t>(batch, "nexthops", napi_uint32_array, c.count);
	c.labels = column<uint32_t>(batch, "labels", napi_uint32_array, c.count);
	c.accepts = column<uint16_t>(batch, "accepts", napi_uint16_array, c.count);
	c.owners = column<uint8_t>(batch, "owners", napi_uint8_array, c.count);
	add_more_ways(c, batch.Get("more"));
	tables_->routes.apply(c);
	return info.Env().Undefined();
}

Result TablesObject::routes(const CallbackInfo &info)
{
	const uint32_t vrf = id_of(info);
	tables_->vrfs.require(vrf);
	const auto &rows = tables_->routes.rows(vrf, family_of(info[1]));
	const uint32_t except = info[2].IsUndefined() ? 0 : owner_of(info[2]);
	const size_t from = info[3].IsUndefined() ? 0 : id_of(info, 3);
	const size_t most = info[4].IsUndefined() ? rows.size() : id_of(info, 4);
	Napi::Array all = Napi::Array::New(info.Env());
	uint32_t at = 0;
	for (size_t i = from; i < rows.size() && i - from < most; i++) {
		const sl_prefix_row &row = tables_->routes.row(rows[i]);
		if (row.owner != except)
			all.Set(at++, route_object(info.Env(), row, tables_->groups));
	}
	return all;
}

Result TablesObject::remove_routes(const CallbackInfo &info)
{
	const uint32_t vrf = id_of(info);
	tables_->vrfs.require(vrf);
	const uint32_t removed = tables_->routes.remove_of(
		vrf, family_of(info[1]), owner_of(info[2]), info[3].ToBoolean(), id_of(info, 4));
	return Napi::Number::New(info.Env(), removed);
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
	const uint8_t family = copy_address(holder, "address", address);
	const uint32_t row = tables_->routes.lookup(vrf, family, key_from_bytes(family, address));
	if (row == 0)
		return info.Env().Undefined();
	return route_object(info.Env(), tables_->routes.row(row), tables_->groups);
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
	copy_bytes(holder, "digest", digest.data(), digest.size());
	tables_->set_config_digest(digest);
	return info.Env().Undefined();
}

Result TablesObject::config_digest(const CallbackInfo &info)
{
	return bytes(info.Env(), tables_->header().config_digest, 32);
}

Result TablesObject::set_path_mtu_floor(const CallbackInfo &info)
{
	Object holder = Object::New(info.Env());
	holder.Set("floor", info[0]);
	tables_->set_path_mtu_floor(get_uint(holder, "floor", UINT16_MAX));
	return info.Env().Undefined();
}

Result TablesObject::set_traffic_classes(const CallbackInfo &info)
{
	Object holder = Object::New(info.Env());
	holder.Set("trafficClasses", info[0]);
	std::array<uint8_t, 64> classes{};
	copy_bytes(holder, "trafficClasses", classes.data(), classes.size());
	tables_->set_traffic_classes(classes);
	return info.Env().Undefined();
}

Result TablesObject::traffic_classes(const CallbackInfo &info)
{
	return bytes(info.Env(), tables_->header().traffic_class.tc_of_dscp, 64);
}

Result TablesObject::worker(const CallbackInfo &info)
{
	return worker_object(info.Env(), tables_->state());
}

Result TablesObject::drops(const CallbackInfo &info)
{
	const auto sums = tables_->drops();
	Napi::Array all = Napi::Array::New(info.Env());
	for (size_t reason = 1; reason < sums.size(); reason++) {
		Object one = Object::New(info.Env());
		one.Set("reason", drop_names()[reason]);
		one.Set("text", drop_texts()[reason]);
		one.Set("packets", bigint(info.Env(), sums[reason]));
		all.Set(all.Length(), one);
	}
	return all;
}

Result TablesObject::interface_counters(const CallbackInfo &info)
{
	return counters_object(info.Env(), tables_->interface_counters(id_of(info)));
}

Result TablesObject::port_counters(const CallbackInfo &info)
{
	return counters_object(info.Env(), tables_->port_counters(id_of(info)));
}

Result TablesObject::vrf_counters(const CallbackInfo &info)
{
	return counters_object(info.Env(), tables_->vrf_counters(id_of(info)));
}

Result TablesObject::label_counters(const CallbackInfo &info)
{
	const uint32_t label = unsigned_integer(info[0], "label", SL_MAX_LABELS - 1);
	return counters_object(info.Env(), tables_->label_counters(label));
}

Result TablesObject::memory(const CallbackInfo &info)
{
	Napi::Array all = Napi::Array::New(info.Env());
	for (const TableMemory &table : tables_->memory()) {
		Object one = Object::New(info.Env());
		one.Set("table", table.table);
		one.Set("rows", static_cast<double>(table.rows));
		one.Set("bytes", static_cast<double>(table.bytes));
		all.Set(all.Length(), one);
	}
	return all;
}

Result TablesObject::multipath(const CallbackInfo &info)
{
	Object to = Object::New(info.Env());
	to.Set("groups", tables_->groups.live_rows());
	to.Set("fallbacks", static_cast<double>(tables_->groups.fallbacks()));
	return to;
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

} // namespace sealane::js
