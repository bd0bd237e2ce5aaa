// SPDX-License-Identifier: Apache-2.0
// The addon's entry points. binding*.cc are the only users of napi.h.
#ifndef SEALANE_ADDON_BINDING_H
#define SEALANE_ADDON_BINDING_H

#include <napi.h>

/// Adds `openTables` and `layoutVersion` to the module's exports.
void sl_bind_tables(Napi::Env env, Napi::Object exports);
/// Adds `kernel` to the module's exports.
void sl_bind_kernel(Napi::Env env, Napi::Object exports);
/// Adds `certificates` to the module's exports.
void sl_bind_x509(Napi::Env env, Napi::Object exports);
/// Adds `crypto` to the module's exports.
void sl_bind_crypto(Napi::Env env, Napi::Object exports);
/// Adds the TCP calls to `kernel`.
void sl_bind_tcp(Napi::Object kernel);
/// Adds the BFD sockets to `kernel`.
void sl_bind_bfd(Napi::Object kernel);
/// Adds the UDP sockets of IKE to `kernel`.
void sl_bind_udp(Napi::Object kernel);

#endif
