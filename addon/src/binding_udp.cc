// SPDX-License-Identifier: Apache-2.0
// The UDP sockets of `kernel`: converts and checks arguments, calls kernel_udp.h.
#include "binding_kernel.h"
#include "kernel_udp.h"

namespace
{

using namespace sealane::kernel_js;
using sealane::KernelError;
using sealane::UdpLanes;
using sealane::UdpSocket;

std::vector<uint8_t> address(const Value &value, const char *name)
{
	const Napi::Uint8Array from = bytes(value, name);
	if (from.ByteLength() != 4 && from.ByteLength() != 16)
		bad(name, "4 or 16 bytes");
	return std::vector<uint8_t>(from.Data(), from.Data() + from.ByteLength());
}

uint16_t port(const Value &value)
{
	return static_cast<uint16_t>(integer(value, "port", 0, UINT16_MAX));
}

UdpLanes lanes(const Value &value)
{
	if (value.IsUndefined())
		return UdpLanes::none;
	const std::string name = text(value, "lanes");
	if (name == "ike")
		return UdpLanes::ike;
	if (name == "ike-marked")
		return UdpLanes::ike_marked;
	bad("lanes", "'ike' or 'ike-marked'");
}

sealane::UdpOptions udp_options(const Value &value)
{
	const Napi::Object from = object(value, "options");
	sealane::UdpOptions options;
	options.netns = descriptor(from.Get("netns"), "netns");
	options.local = address(from.Get("local"), "local");
	options.port = port(from.Get("port"));
	options.lanes = lanes(from.Get("lanes"));
	if (!from.Get("receiveBytes").IsUndefined())
		options.receive_bytes = static_cast<int>(
			integer(from.Get("receiveBytes"), "receiveBytes", 1, INT32_MAX / 2));
	return options;
}

/// A method, with KernelError to AddonError.
template <typename Body> void method(const Napi::Object &object, const char *name, const Body &body)
{
	object.Set(name, Napi::Function::New(
				 object.Env(),
				 [body](const CallbackInfo &info) -> Value {
					 try {
						 return body(info);
					 } catch (const KernelError &error) {
						 throw_addon_error(info.Env(), error);
					 }
				 },
				 name));
}

Value udp_socket(const CallbackInfo &info)
{
	const sealane::UdpOptions options = udp_options(info[0]);
	const EventCallback on_batch(info[1], "onBatch");
	const auto socket = UdpSocket::open(
		event_loop(info.Env()), options,
		[on_batch](const std::vector<uint8_t> &records, unsigned count) {
			on_batch([&records, count](Napi::Env env) {
				// No Buffer: what its slice() gives is a view, and this memory is to go.
				Napi::Uint8Array copy = Napi::Uint8Array::New(env, records.size());
				std::copy(records.begin(), records.end(), copy.Data());
				return std::vector<napi_value>{copy, Napi::Number::New(env, count)};
			});
		});
	Napi::Object result = Napi::Object::New(info.Env());
	result.Set("port", socket->port());
	method(result, "send", [socket](const CallbackInfo &call) -> Value {
		const Napi::Uint8Array data = bytes(call[0], "data");
		const int error = socket->send(data.Data(), data.ByteLength(),
		                               address(call[1], "address"), port(call[2]));
		if (error == 0)
			return call.Env().Undefined();
		const char *name = ::strerrorname_np(error);
		return Napi::String::New(call.Env(),
		                         name != nullptr ? name : std::to_string(error));
	});
	method(result, "dropped", [socket](const CallbackInfo &call) -> Value {
		return Napi::Number::New(call.Env(), static_cast<double>(socket->dropped()));
	});
	method(result, "close", [socket](const CallbackInfo &call) -> Value {
		socket->close();
		return call.Env().Undefined();
	});
	return result;
}

} // namespace

void sl_bind_udp(Napi::Object kernel) { add<udp_socket>(kernel, "udpSocket"); }
