// SPDX-License-Identifier: Apache-2.0
// Classes, policers and queues as api.ts has them.
#include <cstring>

#include "binding_js.h"
#include "binding_rows.h"
#include "binding_tables.h"
#include "tables_error.h"

namespace sealane::js
{

namespace
{

const std::vector<const char *> kMeters{"srtcm", "trtcm"}; // sl_meter, from 1

/// A rate in bit/s, as a bigint, into what a byte costs.
uint64_t cost_of(const Napi::Object &from, const char *field)
{
	const uint64_t rate = get_bigint(from, field);
	if (rate < SL_POLICER_MIN_RATE || rate > SL_POLICER_MAX_RATE)
		bad_argument(std::string(field) + " is not within 8 kb/s and 10 Tb/s");
	return sl_policer_cost(rate);
}

sl_policer_row policer_row(const Napi::Object &from)
{
	sl_policer_row row{};
	row.meter = static_cast<uint32_t>(get_choice(from, "meter", kMeters)) + SL_METER_SRTCM;
	row.cost[0] = cost_of(from, "rate");
	row.cost[1] = row.meter == SL_METER_TRTCM ? cost_of(from, "peakRate") : row.cost[0];
	row.depth[0] = sl_policer_time(row.cost[0], get_uint(from, "burst", SL_POLICER_MAX_BURST));
	row.depth[1] =
		sl_policer_time(row.cost[1], get_uint(from, "otherBurst", SL_POLICER_MAX_BURST));
	if (get_bool(from, "colourAware"))
		row.meter |= SL_METER_COLOUR_AWARE;
	copy_bytes(from, "actions", row.action, SL_COLOURS);
	for (const uint8_t action : row.action) {
		if (action > SL_ACTION_DROP)
			bad_argument("actions has one that is none");
	}
	return row;
}

sl_egress_row egress_row(const Napi::Object &from)
{
	sl_egress_row row{};
	if (get_bigint(from, "rate") != 0)
		row.cost = cost_of(from, "rate");
	row.depth = sl_policer_time(row.cost, get_uint(from, "burst", SL_POLICER_MAX_BURST));
	const Napi::Array queues = array(from.Get("queues"), "queues");
	if (queues.Length() != SL_INTERFACE_QUEUES)
		bad_argument("queues has not one for each slot");
	for (uint32_t slot = 0; slot < SL_INTERFACE_QUEUES; slot++) {
		const Object one = object(queues.Get(slot), "queues");
		row.limit[slot] = get_uint(one, "limit", SL_EGRESS_MAX_LIMIT);
		row.quantum[slot] = get_uint(one, "quantum", SL_EGRESS_MAX_QUANTUM);
		if (row.limit[slot] == 0 || row.quantum[slot] < SL_EGRESS_MIN_QUANTUM)
			bad_argument("queues has one that nothing gets through");
	}
	copy_bytes(from, "strict", row.strict, sizeof row.strict);
	copy_bytes(from, "queueOfClass", row.queue_of_class, sizeof row.queue_of_class);
	for (const uint8_t slot : row.strict) {
		if (slot >= SL_INTERFACE_QUEUES && slot != SL_QUEUE_NONE)
			bad_argument("strict has a slot that is none");
	}
	for (const uint8_t slot : row.queue_of_class) {
		if (slot >= SL_MAX_CLASSES)
			bad_argument("queueOfClass has a slot that is no class's");
	}
	return row;
}

Napi::Array counts(Napi::Env env, const uint64_t (&of)[3])
{
	Napi::Array to = Napi::Array::New(env);
	for (const uint64_t count : of)
		to.Set(to.Length(), bigint(env, count));
	return to;
}

} // namespace

Result TablesObject::set_classes(const CallbackInfo &info)
{
	const Object from = object(info[0], "classes");
	sl_class_table classes{};
	copy_bytes(from, "classOfDscp", classes.class_of_dscp, sizeof classes.class_of_dscp);
	const Napi::Array names = array(from.Get("names"), "names");
	if (names.Length() != SL_MAX_CLASSES)
		bad_argument("names has not one for each class");
	for (uint32_t i = 0; i < SL_MAX_CLASSES; i++) {
		const std::string name = text(names.Get(i), "names");
		if (!name.empty())
			check_name("class name", name, SL_CLASS_NAME_LEN);
		std::memcpy(classes.name[i], name.data(), name.size());
	}
	tables_->set_classes(classes);
	return info.Env().Undefined();
}

Result TablesObject::classes(const CallbackInfo &info)
{
	const sl_class_table &classes = tables_->header().classes;
	Object to = Object::New(info.Env());
	to.Set("classOfDscp", bytes(info.Env(), classes.class_of_dscp, 64));
	Napi::Array names = Napi::Array::New(info.Env());
	for (const auto &name : classes.name)
		names.Set(names.Length(), std::string(name, strnlen(name, sizeof name)));
	to.Set("names", names);
	return to;
}

Result TablesObject::set_policers(const CallbackInfo &info)
{
	const uint32_t interface = id_of(info);
	std::array<sl_policer_row, SL_INTERFACE_POLICERS> rows{};
	sl_police kind = SL_POLICE_NONE;
	const Napi::Array from = array(info[1], "policers");
	for (uint32_t i = 0; i < from.Length(); i++) {
		const Object one = object(from.Get(i), "policers");
		const uint32_t slot = get_uint(one, "slot", SL_POLICER_ALL);
		const sl_police its = slot == SL_POLICER_ALL ? SL_POLICE_ALL : SL_POLICE_CLASS;
		if (kind != SL_POLICE_NONE && (kind != its || its == SL_POLICE_ALL))
			bad_argument("a policer of everything is the only one");
		kind = its;
		rows[slot] = policer_row(one);
	}
	tables_->set_policers(interface, kind, rows);
	return info.Env().Undefined();
}

Result TablesObject::policer_counters(const CallbackInfo &info)
{
	const uint32_t slot = unsigned_integer(info[1], "slot", SL_POLICER_ALL);
	const sl_policer_counters sum = tables_->policer_counters(id_of(info), slot);
	Object to = Object::New(info.Env());
	to.Set("packets", counts(info.Env(), sum.packets));
	to.Set("bytes", counts(info.Env(), sum.bytes));
	return to;
}

Result TablesObject::set_queues(const CallbackInfo &info)
{
	const uint32_t interface = id_of(info);
	if (info[1].IsUndefined()) {
		tables_->set_queues(interface, nullptr);
		return info.Env().Undefined();
	}
	const sl_egress_row row = egress_row(object(info[1], "queues"));
	tables_->set_queues(interface, &row);
	return info.Env().Undefined();
}

Result TablesObject::queue_counters(const CallbackInfo &info)
{
	const uint32_t slot = unsigned_integer(info[1], "slot", SL_QUEUE_KERNEL);
	const sl_queue_counters sum = tables_->queue_counters(id_of(info), slot);
	Object to = Object::New(info.Env());
	to.Set("packets", bigint(info.Env(), sum.packets));
	to.Set("bytes", bigint(info.Env(), sum.bytes));
	to.Set("dropped", bigint(info.Env(), sum.dropped));
	to.Set("depth", sum.depth);
	to.Set("maxDepth", sum.max_depth);
	return to;
}

} // namespace sealane::js
