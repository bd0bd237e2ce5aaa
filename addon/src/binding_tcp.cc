// SPDX-License-Identifier: Apache-2.0
// The TCP calls of `kernel`: converts and checks arguments, calls kernel_tcp.h.
#include "binding_kernel.h"
#include "kernel_tcp.h"
#include "uv_poll.h"

namespace
{

using namespace sealane::kernel_js;
using sealane::Fd;
using sealane::KernelError;

sealane::IpAddress address(const Value &value, const char *name)
{
	const Napi::Uint8Array from = bytes(value, name);
	if (from.ByteLength() != 4 && from.ByteLength() != 16)
		bad(name, "4 or 16 bytes");
	return sealane::IpAddress(from.Data(), from.Data() + from.ByteLength());
}

sealane::SecretBytes secret(const Value &value)
{
	const Napi::Uint8Array from = bytes(value, "key");
	return sealane::SecretBytes(from.Data(), from.ByteLength());
}

sealane::KeyScope key_scope(const Napi::Object &from)
{
	sealane::KeyScope scope;
	scope.peer = address(from.Get("peer"), "peer");
	const int64_t bits = static_cast<int64_t>(8 * scope.peer.size());
	const Value length = from.Get("prefixLength");
	scope.prefix_length = static_cast<uint8_t>(
		length.IsUndefined() ? bits : integer(length, "prefixLength", 0, bits));
	return scope;
}

sealane::Md5Key md5_key(const Value &value)
{
	const Napi::Object from = object(value, "MD5 key");
	sealane::Md5Key key;
	key.scope = key_scope(from);
	key.key = secret(from.Get("key"));
	return key;
}

sealane::AoKey ao_key(const Value &value)
{
	const Napi::Object from = object(value, "TCP-AO key");
	sealane::AoKey key;
	key.scope = key_scope(from);
	key.key = secret(from.Get("key"));
	key.algorithm = text(from.Get("algorithm"), "algorithm");
	key.send_id = static_cast<uint8_t>(integer(from.Get("sendId"), "sendId", 0, 255));
	key.receive_id = static_cast<uint8_t>(integer(from.Get("receiveId"), "receiveId", 0, 255));
	return key;
}

sealane::TcpHops tcp_hops(const Napi::Object &from)
{
	sealane::TcpHops hops;
	if (!from.Get("ttl").IsUndefined())
		hops.ttl = static_cast<int>(integer(from.Get("ttl"), "ttl", 1, 255));
	if (!from.Get("minTtl").IsUndefined())
		hops.min_ttl = static_cast<int>(integer(from.Get("minTtl"), "minTtl", 1, 255));
	return hops;
}

/// Calls `convert` for each element of an array that may be left out.
template <typename T>
std::vector<T> each(const Value &value, const char *name, T (*convert)(const Value &))
{
	std::vector<T> result;
	if (value.IsUndefined())
		return result;
	if (!value.IsArray())
		bad(name, "an array");
	const Napi::Array array = value.As<Napi::Array>();
	for (uint32_t i = 0; i < array.Length(); i++)
		result.push_back(convert(array.Get(i)));
	return result;
}

sealane::TcpOptions tcp_options(const Value &value)
{
	const Napi::Object from = object(value, "options");
	sealane::TcpOptions options;
	options.netns = descriptor(from.Get("netns"), "netns");
	options.local = address(from.Get("local"), "local");
	if (!from.Get("port").IsUndefined())
		options.port =
			static_cast<uint16_t>(integer(from.Get("port"), "port", 0, UINT16_MAX));
	if (!from.Get("interface").IsUndefined())
		options.interface = text(from.Get("interface"), "interface");
	if (!from.Get("maxSegment").IsUndefined())
		options.max_segment =
			static_cast<int>(integer(from.Get("maxSegment"), "maxSegment", 88, 32767));
	options.hops = tcp_hops(from);
	options.md5_keys = each(from.Get("md5Keys"), "md5Keys", md5_key);
	options.ao_keys = each(from.Get("aoKeys"), "aoKeys", ao_key);
	return options;
}

Value tcp_socket(const CallbackInfo &info)
{
	return Napi::Number::New(info.Env(), sealane::tcp_socket(tcp_options(info[0])).release());
}

Napi::Uint8Array copy(Napi::Env env, const sealane::IpAddress &from)
{
	Napi::Uint8Array to = Napi::Uint8Array::New(env, from.size());
	std::copy(from.begin(), from.end(), to.Data());
	return to;
}

/// A listener and its poller. The poller owns the descriptor.
struct Listener {
	sealane::UvPoll *poll = nullptr;
	int fd = -1;

	void close()
	{
		if (poll != nullptr)
			poll->close();
		poll = nullptr;
	}
};

/// Takes what waits, at most kAcceptsPerTurn: level-triggered polling comes back for the rest.
void accept_waiting(const std::shared_ptr<Listener> &listener, const EventCallback &on_connection,
                    const EventCallback &on_error)
{
	constexpr int kAcceptsPerTurn = 16;
	for (int i = 0; i < kAcceptsPerTurn && listener->poll != nullptr; i++) {
		std::optional<sealane::Accepted> accepted;
		try {
			accepted = sealane::accept_tcp(listener->fd);
		} catch (const KernelError &error) {
			// Out of descriptors: it would come back at once, again and again.
			listener->close();
			const std::string reason = error.what();
			on_error([&reason](Napi::Env env) {
				return std::vector<napi_value>{Napi::String::New(env, reason)};
			});
			return;
		}
		if (!accepted)
			return;
		on_connection([&accepted](Napi::Env env) {
			Napi::Object result = Napi::Object::New(env);
			result.Set("remote", copy(env, accepted->remote));
			result.Set("remotePort", accepted->remote_port);
			result.Set("local", copy(env, accepted->local));
			result.Set("synTtl", accepted->syn_ttl);
			result.Set("fd", accepted->fd.release());
			return std::vector<napi_value>{result};
		});
	}
}

Value listen_tcp(const CallbackInfo &info)
{
	sealane::TcpOptions options = tcp_options(info[0]);
	const Napi::Object events = object(info[1], "events");
	const EventCallback on_connection(events.Get("onConnection"), "onConnection");
	const EventCallback on_error(events.Get("onError"), "onError");
	options.backlog = 128;
	Fd fd = sealane::tcp_listener(options);
	auto listener = std::make_shared<Listener>();
	listener->fd = fd.get();
	listener->poll =
		sealane::UvPoll::start(event_loop(info.Env()), std::move(fd), UV_READABLE,
	                               [listener, on_connection, on_error](int) {
					       accept_waiting(listener, on_connection, on_error);
				       });
	Napi::Object result = Napi::Object::New(info.Env());
	result.Set("close",
	           Napi::Function::New(
			   info.Env(), [listener](const CallbackInfo &) { listener->close(); },
			   "close"));
	const auto set_md5 = [listener](const CallbackInfo &call) -> Value {
		try {
			if (listener->poll == nullptr)
				throw KernelError("CLOSED", "the listener is closed");
			sealane::set_tcp_md5(listener->fd, md5_key(call[0]));
		} catch (const KernelError &error) {
			throw_addon_error(call.Env(), error);
		}
		return call.Env().Undefined();
	};
	result.Set("setMd5", Napi::Function::New(info.Env(), set_md5, "setMd5"));
	return result;
}

Value set_tcp_hops(const CallbackInfo &info)
{
	sealane::set_tcp_hops(descriptor(info[0], "fd"), tcp_hops(object(info[1], "hops")));
	return info.Env().Undefined();
}

Value has_tcp_ao(const CallbackInfo &info)
{
	return Napi::Boolean::New(info.Env(), sealane::has_tcp_ao());
}

} // namespace

void sl_bind_tcp(Napi::Object kernel)
{
	add<tcp_socket>(kernel, "tcpSocket");
	add<listen_tcp>(kernel, "listenTcp");
	add<set_tcp_hops>(kernel, "setTcpHops");
	add<has_tcp_ao>(kernel, "hasTcpAo");
}
