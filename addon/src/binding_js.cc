// SPDX-License-Identifier: Apache-2.0
#include "binding_js.h"

#include <cmath>
#include <cstring>

#include "tables_error.h"

namespace sealane::js
{

uint32_t unsigned_integer(const Napi::Value &value, const std::string &name, uint32_t max)
{
	const double number =
		value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : std::nan("");
	if (!(number >= 0 && number <= max) || number != std::floor(number))
		bad_argument(name + " must be an integer within 0.." + std::to_string(max));
	return static_cast<uint32_t>(number);
}

std::string text(const Napi::Value &value, const std::string &name)
{
	if (!value.IsString())
		bad_argument(name + " must be a string");
	return value.As<Napi::String>().Utf8Value();
}

Napi::Object object(const Napi::Value &value, const std::string &name)
{
	if (!value.IsObject())
		bad_argument(name + " must be an object");
	return value.As<Napi::Object>();
}

Napi::Array array(const Napi::Value &value, const std::string &name)
{
	if (!value.IsArray())
		bad_argument(name + " must be an array");
	return value.As<Napi::Array>();
}

uint32_t get_uint(const Napi::Object &from, const char *field, uint32_t max)
{
	return unsigned_integer(from.Get(field), field, max);
}

bool get_bool(const Napi::Object &from, const char *field)
{
	const Napi::Value value = from.Get(field);
	if (!value.IsBoolean())
		bad_argument(std::string(field) + " must be a boolean");
	return value.As<Napi::Boolean>().Value();
}

std::string get_text(const Napi::Object &from, const char *field)
{
	return text(from.Get(field), field);
}

uint64_t get_bigint(const Napi::Object &from, const char *field)
{
	const Napi::Value value = from.Get(field);
	bool lossless = false;
	uint64_t number = 0;
	if (value.IsBigInt())
		number = value.As<Napi::BigInt>().Uint64Value(&lossless);
	if (!lossless)
		bad_argument(std::string(field) + " must be a bigint within 0..2^64 - 1");
	return number;
}

Napi::Uint8Array get_bytes(const Napi::Object &from, const char *field)
{
	const Napi::Value value = from.Get(field);
	if (!value.IsTypedArray() ||
	    value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
		bad_argument(std::string(field) + " must be a Uint8Array");
	return value.As<Napi::Uint8Array>();
}

Napi::Object get_object(const Napi::Object &from, const char *field)
{
	return object(from.Get(field), field);
}

void copy_bytes(const Napi::Object &from, const char *field, uint8_t *to, size_t bytes)
{
	const Napi::Uint8Array value = get_bytes(from, field);
	if (value.ByteLength() != bytes)
		bad_argument(std::string(field) + " must have " + std::to_string(bytes) + " bytes");
	std::memcpy(to, value.Data(), bytes);
}

void copy_optional(const Napi::Object &from, const char *field, uint8_t *to, size_t bytes)
{
	if (from.Get(field).IsUndefined())
		std::memset(to, 0, bytes);
	else
		copy_bytes(from, field, to, bytes);
}

uint8_t copy_address(const Napi::Object &from, const char *field, uint8_t (&to)[16])
{
	const Napi::Uint8Array value = get_bytes(from, field);
	const size_t length = value.ByteLength();
	if (length != 4 && length != 16)
		bad_argument(std::string(field) + " must have 4 or 16 bytes");
	std::memset(to, 0, sizeof to);
	std::memcpy(to, value.Data(), length);
	return length == 4 ? 4 : 6;
}

size_t get_choice(const Napi::Object &from, const char *field,
                  const std::vector<const char *> &names)
{
	const std::string value = get_text(from, field);
	std::string wanted;
	for (size_t i = 0; i < names.size(); i++) {
		if (value == names[i])
			return i;
		wanted += (i == 0 ? "" : ", ") + std::string(names[i]);
	}
	bad_argument(std::string(field) + " must be one of " + wanted);
}

Napi::Value bytes(Napi::Env env, const uint8_t *from, size_t length)
{
	Napi::Uint8Array to = Napi::Uint8Array::New(env, length);
	std::memcpy(to.Data(), from, length);
	return to;
}

Napi::Value bigint(Napi::Env env, uint64_t value) { return Napi::BigInt::New(env, value); }

} // namespace sealane::js
