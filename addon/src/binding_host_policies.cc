// SPDX-License-Identifier: Apache-2.0
// Host policies of `Tables`.
#include "binding_js.h"
#include "binding_rows.h"
#include "binding_tables.h"

namespace sealane::js
{

Result TablesObject::put_host_policy(const CallbackInfo &info)
{
	const Object from = object_of(info);
	sl_host_policy_row row{};
	row.family = copy_address(from, "local", row.local);
	if (copy_address(from, "remote", row.remote) != row.family)
		bad_argument("local and remote are of different families");
	return Napi::Number::New(info.Env(), tables_->host_policies.put(row));
}

Result TablesObject::set_host_policy_sas(const CallbackInfo &info)
{
	const Object sas = object_of(info, 1);
	tables_->host_policies.set_sas(id_of(info), get_uint(sas, "toPort"),
	                               get_uint(sas, "fromPort"));
	return info.Env().Undefined();
}

Result TablesObject::remove_host_policy(const CallbackInfo &info)
{
	tables_->host_policies.remove(id_of(info));
	return info.Env().Undefined();
}

Result TablesObject::host_policies(const CallbackInfo &info)
{
	Napi::Array all = Napi::Array::New(info.Env());
	for (uint32_t id = 1; id < tables_->host_policies.end(); id++) {
		if (!tables_->host_policies.live(id))
			continue;
		const sl_host_policy_row &row = tables_->host_policies.row(id);
		const size_t length = row.family == 4 ? 4 : 16;
		Object one = Object::New(info.Env());
		one.Set("id", id);
		one.Set("local", bytes(info.Env(), row.local, length));
		one.Set("remote", bytes(info.Env(), row.remote, length));
		one.Set("toPort", sl_host_sa_row(row.sa_to_port));
		one.Set("fromPort", sl_host_sa_row(row.sa_from_port));
		all.Set(all.Length(), one);
	}
	return all;
}

} // namespace sealane::js
