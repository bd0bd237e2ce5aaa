// SPDX-License-Identifier: Apache-2.0
// Arguments and results of the tables half: typed, range-checked fields of JavaScript objects.
// Everything that does not fit throws TablesError BAD_ARGUMENT, naming the field.
#ifndef SEALANE_ADDON_BINDING_JS_H
#define SEALANE_ADDON_BINDING_JS_H

#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

namespace sealane::js
{

/// An integer within 0..max.
uint32_t unsigned_integer(const Napi::Value &value, const std::string &name,
                          uint32_t max = UINT32_MAX);
std::string text(const Napi::Value &value, const std::string &name);
Napi::Object object(const Napi::Value &value, const std::string &name);
Napi::Array array(const Napi::Value &value, const std::string &name);

uint32_t get_uint(const Napi::Object &from, const char *field, uint32_t max = UINT32_MAX);
bool get_bool(const Napi::Object &from, const char *field);
std::string get_text(const Napi::Object &from, const char *field);
uint64_t get_bigint(const Napi::Object &from, const char *field);
/// A Uint8Array's bytes; its own, valid during the call.
Napi::Uint8Array get_bytes(const Napi::Object &from, const char *field);
Napi::Object get_object(const Napi::Object &from, const char *field);

/// A Uint8Array of exactly N bytes into a fixed array.
void copy_bytes(const Napi::Object &from, const char *field, uint8_t *to, size_t bytes);
/// The same when the field is there; zeros when it is undefined.
void copy_optional(const Napi::Object &from, const char *field, uint8_t *to, size_t bytes);
/// An address of 4 or 16 bytes into a 16-byte field; returns the family.
uint8_t copy_address(const Napi::Object &from, const char *field, uint8_t (&to)[16]);

/// Position of a field's string in `names`; BAD_ARGUMENT lists them.
size_t get_choice(const Napi::Object &from, const char *field,
                  const std::vector<const char *> &names);

Napi::Value bytes(Napi::Env env, const uint8_t *from, size_t length);
Napi::Value bigint(Napi::Env env, uint64_t value);

} // namespace sealane::js

#endif
