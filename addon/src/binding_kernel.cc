// SPDX-License-Identifier: Apache-2.0
// `kernel` of the addon's exports: converts and checks arguments, calls kernel.h, throws AddonErrors.
// The types are src/lib/kernel-api.ts.
#include "binding_kernel.h"
#include "kernel.h"
#include "polled_socket.h"

namespace
{

using namespace sealane::kernel_js;
using sealane::Fd;
using sealane::KernelError;

// ---- Namespaces, devices, sysctl ---------------------------------------------------------------

Value open_netns(const CallbackInfo &info)
{
	const std::string path = info[0].IsUndefined() ? "" : text(info[0], "path");
	return Napi::Number::New(info.Env(), sealane::open_netns(path).release());
}

Value close_descriptor(const CallbackInfo &info)
{
	if (::close(descriptor(info[0], "fd")) != 0)
		throw KernelError::system(errno, "cannot close a descriptor");
	return info.Env().Undefined();
}

Value open_tap(const CallbackInfo &info)
{
	const Napi::Object from = object(info[0], "options");
	const std::string kind = text(from.Get("kind"), "kind");
	if (kind != "tap" && kind != "tun")
		bad("kind", "'tap' or 'tun'");
	sealane::TapOptions options;
	options.netns = descriptor(from.Get("netns"), "netns");
	options.name = text(from.Get("name"), "name");
	options.kind = kind == "tap" ? sealane::TapKind::tap : sealane::TapKind::tun;
	options.attached = flag(from.Get("attached"), "attached");
	if (!from.Get("mac").IsUndefined()) {
		const Napi::Uint8Array mac = bytes(from.Get("mac"), "mac");
		if (mac.ByteLength() != 6)
			bad("mac", "6 bytes");
		options.mac.emplace();
		std::copy_n(mac.Data(), 6, options.mac->begin());
	}
	return Napi::Number::New(info.Env(), sealane::open_tap(options).release());
}

Value remove_tap(const CallbackInfo &info)
{
	sealane::remove_tap(descriptor(info[0], "netns"), text(info[1], "name"));
	return info.Env().Undefined();
}

Value write_sysctl(const CallbackInfo &info)
{
	sealane::write_sysctl(descriptor(info[0], "netns"), text(info[1], "path"),
	                      text(info[2], "value"));
	return info.Env().Undefined();
}

Value read_sysctl(const CallbackInfo &info)
{
	const std::string value =
		sealane::read_sysctl(descriptor(info[0], "netns"), text(info[1], "path"));
	return Napi::String::New(info.Env(), value);
}

Value read_offloads(const CallbackInfo &info)
{
	Napi::Object result = Napi::Object::New(info.Env());
	for (const sealane::Offload &offload :
	     sealane::read_offloads(descriptor(info[0], "netns"), text(info[1], "interface")))
		result.Set(offload.name, Napi::Boolean::New(info.Env(), offload.enabled));
	return result;
}

Value write_offload(const CallbackInfo &info)
{
	sealane::write_offload(descriptor(info[0], "netns"), text(info[1], "interface"),
	                       text(info[2], "offload"), flag(info[3], "enabled"));
	return info.Env().Undefined();
}

// ---- Sockets and processes ---------------------------------------------------------------------

sealane::SocketEvents socket_events(const Value &value)
{
	const Napi::Object from = object(value, "events");
	const EventCallback message(from.Get("onMessage"), "onMessage");
	const EventCallback close(from.Get("onClose"), "onClose");
	const EventCallback overrun(from.Get("onOverrun"), "onOverrun", true);
	const EventCallback writable(from.Get("onWritable"), "onWritable", true);
	sealane::SocketEvents events;
	events.on_message = [message](const uint8_t *data, size_t length) {
		message([data, length](Napi::Env env) {
			return std::vector<napi_value>{
				Napi::Buffer<uint8_t>::Copy(env, data, length)};
		});
	};
	events.on_close = [close](const std::string &reason) {
		close([&reason](Napi::Env env) {
			return std::vector<napi_value>{Napi::String::New(env, reason)};
		});
	};
	events.on_overrun = [overrun] { overrun(); };
	events.on_writable = [writable] { writable(); };
	return events;
}

Napi::Object socket_object(Napi::Env env, const std::shared_ptr<sealane::PolledSocket> &socket)
{
	Napi::Object result = Napi::Object::New(env);
	const auto send = [socket](const CallbackInfo &info) -> Value {
		try {
			const Napi::Uint8Array data = bytes(info[0], "data");
			const std::vector<int> descriptors =
				info[1].IsUndefined() ? std::vector<int>()
						      : integers<int>(info[1], "descriptors");
			return Napi::Boolean::New(
				info.Env(),
				socket->send(data.Data(), data.ByteLength(), descriptors));
		} catch (const KernelError &error) {
			throw_addon_error(info.Env(), error);
		}
	};
	result.Set("send", Napi::Function::New(env, send, "send"));
	result.Set("close",
	           Napi::Function::New(
			   env, [socket](const CallbackInfo &) { socket->close(); }, "close"));
	return result;
}

Value open_netlink(const CallbackInfo &info)
{
	uint32_t port = 0;
	Fd fd = sealane::open_netlink(descriptor(info[0], "netns"),
	                              integers<uint32_t>(info[1], "groups"), &port);
	Napi::Object result = socket_object(
		info.Env(),
		sealane::PolledSocket::open(event_loop(info.Env()), sealane::SocketKind::netlink,
	                                    std::move(fd), socket_events(info[2])));
	result.Set("port", Napi::Number::New(info.Env(), port));
	return result;
}

Value connect_seqpacket(const CallbackInfo &info)
{
	int32_t peer_pid = 0;
	Fd fd = sealane::connect_seqpacket(text(info[0], "path"), &peer_pid);
	Napi::Object result = socket_object(
		info.Env(),
		sealane::PolledSocket::open(event_loop(info.Env()), sealane::SocketKind::seqpacket,
	                                    std::move(fd), socket_events(info[1])));
	result.Set("peerPid", Napi::Number::New(info.Env(), peer_pid));
	return result;
}

Value watch_process(const CallbackInfo &info)
{
	const int32_t pid = process_id(info[0]);
	bool lossless = false;
	if (!info[1].IsBigInt())
		bad("startTime", "a bigint");
	const uint64_t start_time = info[1].As<Napi::BigInt>().Uint64Value(&lossless);
	const EventCallback on_exit(info[2], "onExit");
	Fd fd = sealane::open_process(pid, start_time);
	// `watch` outlives neither the poller nor the object: whichever closes first clears it.
	auto watch = std::make_shared<sealane::UvPoll *>(nullptr);
	const auto stop = [watch] {
		if (*watch != nullptr)
			(*watch)->close();
		*watch = nullptr;
	};
	*watch = sealane::UvPoll::start(event_loop(info.Env()), std::move(fd), UV_READABLE,
	                                [stop, on_exit](int) {
						stop();
						on_exit();
					});
	Napi::Object result = Napi::Object::New(info.Env());
	result.Set("close", Napi::Function::New(
				    info.Env(), [stop](const CallbackInfo &) { stop(); }, "close"));
	return result;
}

Value hide_memory(const CallbackInfo &info)
{
	sealane::hide_memory();
	return info.Env().Undefined();
}

Value process_start_time(const CallbackInfo &info)
{
	const std::optional<uint64_t> time = sealane::process_start_time(process_id(info[0]));
	if (!time)
		return info.Env().Undefined();
	return Napi::BigInt::New(info.Env(), *time);
}

} // namespace

void sl_bind_kernel(Napi::Env env, Napi::Object exports)
{
	Napi::Object kernel = Napi::Object::New(env);
	add<open_netns>(kernel, "openNetns");
	add<close_descriptor>(kernel, "closeDescriptor");
	add<open_tap>(kernel, "openTap");
	add<remove_tap>(kernel, "removeTap");
	add<write_sysctl>(kernel, "writeSysctl");
	add<read_sysctl>(kernel, "readSysctl");
	add<read_offloads>(kernel, "readOffloads");
	add<write_offload>(kernel, "writeOffload");
	add<open_netlink>(kernel, "openNetlink");
	add<connect_seqpacket>(kernel, "connectSeqpacket");
	add<watch_process>(kernel, "watchProcess");
	add<process_start_time>(kernel, "processStartTime");
	add<hide_memory>(kernel, "hideMemory");
	sl_bind_tcp(kernel);
	sl_bind_bfd(kernel);
	sl_bind_udp(kernel);
	exports.Set("kernel", kernel);
	env.AddCleanupHook([] { sealane::UvPoll::close_all(); });
}
