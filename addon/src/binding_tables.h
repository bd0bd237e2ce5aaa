// SPDX-License-Identifier: Apache-2.0
// `Tables` of api.ts as a JavaScript object. Its methods are in binding_tables.cc (rows by name) and
// binding_forwarding.cc (SAs, routes, the segment, counters).
#ifndef SEALANE_ADDON_BINDING_TABLES_H
#define SEALANE_ADDON_BINDING_TABLES_H

#include <napi.h>

#include <sys/syscall.h>
#include <unistd.h>

#include <functional>
#include <memory>

#include "tables.h"
#include "tables_error.h"

namespace sealane::js
{

using Napi::CallbackInfo;
using Napi::Object;
using Result = Napi::Value;

[[noreturn]] void throw_addon_error(Napi::Env env, const TablesError &error);
/// A row id given as argument.
uint32_t id_of(const CallbackInfo &info, size_t argument = 0);
Object object_of(const CallbackInfo &info, size_t argument = 0);

class TablesObject : public Napi::ObjectWrap<TablesObject>
{
public:
	static Napi::Function define(Napi::Env env);

	explicit TablesObject(const CallbackInfo &info);

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

	template <Method method>
	static Napi::ClassPropertyDescriptor<TablesObject> bound(const char *name)
	{
		return InstanceMethod<&TablesObject::call<method>>(name, napi_default_method);
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
	Result label_row(const CallbackInfo &info);
	Result refusal(const CallbackInfo &info);
	Result nexthop(const CallbackInfo &info);
	Result set_nexthop(const CallbackInfo &info);
	Result remove_nexthop(const CallbackInfo &info);
	Result nexthops(const CallbackInfo &info);
	Result nexthop_row(const CallbackInfo &info);
	Result add_sa(const CallbackInfo &info);
	Result activate_sa(const CallbackInfo &info);
	Result remove_sa(const CallbackInfo &info);
	Result sas(const CallbackInfo &info);
	Result share_sa(const CallbackInfo &info);
	Result sa_shares(const CallbackInfo &info);
	Result sa_state(const CallbackInfo &info);
	Result put_host_policy(const CallbackInfo &info);
	Result set_host_policy_sas(const CallbackInfo &info);
	Result remove_host_policy(const CallbackInfo &info);
	Result host_policies(const CallbackInfo &info);
	Result apply_routes(const CallbackInfo &info);
	Result routes(const CallbackInfo &info);
	Result remove_routes(const CallbackInfo &info);
	Result route_count(const CallbackInfo &info);
	Result lookup(const CallbackInfo &info);
	Result reclaim(const CallbackInfo &info);
	Result set_config_digest(const CallbackInfo &info);
	Result config_digest(const CallbackInfo &info);
	Result set_path_mtu_floor(const CallbackInfo &info);
	Result set_traffic_classes(const CallbackInfo &info);
	Result traffic_classes(const CallbackInfo &info);
	Result set_classes(const CallbackInfo &info);
	Result classes(const CallbackInfo &info);
	Result set_policers(const CallbackInfo &info);
	Result policer_counters(const CallbackInfo &info);
	Result set_queues(const CallbackInfo &info);
	Result queue_counters(const CallbackInfo &info);
	Result worker(const CallbackInfo &info);
	Result drops(const CallbackInfo &info);
	Result interface_counters(const CallbackInfo &info);
	Result port_counters(const CallbackInfo &info);
	Result vrf_counters(const CallbackInfo &info);
	Result label_counters(const CallbackInfo &info);
	Result memory(const CallbackInfo &info);
	Result multipath(const CallbackInfo &info);
	Result check(const CallbackInfo &info);
	Result close(const CallbackInfo &info);

	std::unique_ptr<Tables> tables_;
	long thread_ = 0;
};

} // namespace sealane::js

#endif
