// SPDX-License-Identifier: Apache-2.0
// Arguments, errors and callbacks of the kernel half: what binding_kernel.cc and binding_tcp.cc share.
#ifndef SEALANE_ADDON_BINDING_KERNEL_H
#define SEALANE_ADDON_BINDING_KERNEL_H

#include <cmath>
#include <functional>
#include <memory>
#include <sys/syscall.h>
#include <unistd.h>

#include "binding.h"
#include "kernel_error.h"
#include "uv_abi.h"

namespace sealane::kernel_js
{

using Napi::CallbackInfo;
using Napi::Value;

[[noreturn]] inline void throw_addon_error(Napi::Env env, const KernelError &error)
{
	Napi::Error result = Napi::Error::New(env, error.what());
	result.Set("code", Napi::String::New(env, error.code));
	if (!error.remedy.empty())
		result.Set("remedy", Napi::String::New(env, error.remedy));
	if (!error.errno_name.empty())
		result.Set("errno", Napi::String::New(env, error.errno_name));
	throw result;
}

using Function = Value (*)(const CallbackInfo &);

/// Every function runs through here: KernelError to AddonError.
template <Function function> Value shielded(const CallbackInfo &info)
{
	try {
		return function(info);
	} catch (const KernelError &error) {
		throw_addon_error(info.Env(), error);
	} catch (const std::bad_alloc &) {
		throw_addon_error(info.Env(), KernelError::system(ENOMEM, "out of memory"));
	}
}

template <Function function> Value on_main_thread(const CallbackInfo &info)
{
	if (::syscall(SYS_gettid) != ::getpid())
		throw KernelError("WRONG_THREAD",
		                  "the kernel half is for the process's main thread alone");
	return function(info);
}

/// For any thread of JavaScript.
template <Function function> void add_for_all(Napi::Object object, const char *name)
{
	object.Set(name, Napi::Function::New<shielded<function>>(object.Env(), name));
}

template <Function function> void add(Napi::Object object, const char *name)
{
	add_for_all<on_main_thread<function>>(object, name);
}

// ---- Arguments ---------------------------------------------------------------------------------

[[noreturn]] inline void bad(const char *name, const char *wanted)
{
	throw KernelError("BAD_ARGUMENT", std::string(name) + " must be " + wanted);
}

inline int64_t integer(const Value &value, const char *name, int64_t low, int64_t high)
{
	const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
	if (!(number >= static_cast<double>(low) && number <= static_cast<double>(high)) ||
	    number != std::floor(number))
		bad(name, "an integer in range");
	return static_cast<int64_t>(number);
}

inline int descriptor(const Value &value, const char *name)
{
	return static_cast<int>(integer(value, name, 0, INT32_MAX));
}

inline int32_t process_id(const Value &value)
{
	return static_cast<int32_t>(integer(value, "pid", 1, INT32_MAX));
}

inline std::string text(const Value &value, const char *name)
{
	if (!value.IsString())
		bad(name, "a string");
	return value.As<Napi::String>().Utf8Value();
}

inline bool flag(const Value &value, const char *name)
{
	if (!value.IsBoolean())
		bad(name, "true or false");
	return value.As<Napi::Boolean>().Value();
}

inline Napi::Object object(const Value &value, const char *name)
{
	if (!value.IsObject())
		bad(name, "an object");
	return value.As<Napi::Object>();
}

inline Napi::Uint8Array bytes(const Value &value, const char *name)
{
	if (!value.IsTypedArray() ||
	    value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
		bad(name, "a Uint8Array");
	return value.As<Napi::Uint8Array>();
}

template <typename T> std::vector<T> integers(const Value &value, const char *name)
{
	std::vector<T> result;
	if (!value.IsArray())
		bad(name, "an array");
	const Napi::Array array = value.As<Napi::Array>();
	for (uint32_t i = 0; i < array.Length(); i++)
		result.push_back(static_cast<T>(integer(array.Get(i), name, 0, INT32_MAX)));
	return result;
}

// ---- Events --------------------------------------------------------------------------------------

inline uv_loop_s *event_loop(Napi::Env env)
{
	uv_loop_s *loop = nullptr;
	if (napi_get_uv_event_loop(env, &loop) != napi_ok)
		throw KernelError("KERNEL", "Node has no event loop here");
	return loop;
}

/// Calls back from the event loop, so that promises and nextTick run after it as after any event.
/// What the callback throws is an uncaught exception, as it would be from Node's own sockets.
class EventCallback
{
public:
	EventCallback(const Value &function, const char *name, bool optional = false)
	{
		if (optional && function.IsUndefined())
			return;
		if (!function.IsFunction())
			bad(name, "a function");
		function_ = std::make_shared<Napi::FunctionReference>(
			Napi::Persistent(function.As<Napi::Function>()));
		context_ = std::make_shared<Napi::AsyncContext>(function.Env(), "sealane");
	}

	void operator()(const std::function<std::vector<napi_value>(Napi::Env)> &arguments) const
	{
		if (!function_)
			return;
		const Napi::Env env = function_->Env();
		const Napi::HandleScope scope(env);
		// The callback may drop the last reference to this object.
		const std::shared_ptr<Napi::FunctionReference> function = function_;
		const std::shared_ptr<Napi::AsyncContext> context = context_;
		try {
			function->MakeCallback(env.Global(), arguments(env), *context);
		} catch (const Napi::Error &error) {
			napi_fatal_exception(env, error.Value());
		}
	}

	void operator()() const
	{
		(*this)([](Napi::Env) { return std::vector<napi_value>(); });
	}

private:
	std::shared_ptr<Napi::FunctionReference> function_;
	std::shared_ptr<Napi::AsyncContext> context_;
};

} // namespace sealane::kernel_js

#endif
