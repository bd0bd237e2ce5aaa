// SPDX-License-Identifier: Apache-2.0
// Rows as api.ts has them, to and from the rows of tables.h.
#ifndef SEALANE_ADDON_BINDING_ROWS_H
#define SEALANE_ADDON_BINDING_ROWS_H

#include <napi.h>

#include "tables.h"

namespace sealane::js
{

sl_vrf_row vrf_row(const Napi::Object &from);
Napi::Object vrf_object(Napi::Env env, uint32_t id, const sl_vrf_row &row);

sl_interface_row interface_row(const Napi::Object &from);
Napi::Object interface_object(Napi::Env env, uint32_t id, const sl_interface_row &row);

sl_accept_row accept_row(const Napi::Object &from);
Napi::Object accept_object(Napi::Env env, uint32_t id, const sl_accept_row &row);

/// All but name and key.
sl_sa_row sa_row(const Napi::Object &from);
Napi::Object sa_object(Napi::Env env, uint32_t id, const std::string &name, const sl_sa_row &row);

VersionSpec version_spec(const Napi::Object &from);
Napi::Object version_object(Napi::Env env, const VersionSpec &spec);

Napi::Object route_object(Napi::Env env, const sl_prefix_row &row, const Groups &groups);
/// enum sl_owner of its name.
uint32_t owner_of(const Napi::Value &name);

Napi::Object counters_object(Napi::Env env, const sl_interface_counters &c);
Napi::Object counters_object(Napi::Env env, const sl_vrf_counters &c);
Napi::Object counters_object(Napi::Env env, const sl_label_counters &c);
Napi::Object counters_object(Napi::Env env, const PortCounters &c);
Napi::Object worker_object(Napi::Env env, StateView &state);

/// Names of drop_reasons.h, by number.
const std::vector<const char *> &drop_names();
const std::vector<const char *> &drop_texts();

} // namespace sealane::js

#endif
