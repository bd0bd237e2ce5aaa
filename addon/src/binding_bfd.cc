// SPDX-License-Identifier: Apache-2.0
// The BFD sockets of `kernel`: converts and checks arguments, calls kernel_bfd.h.
#include "binding_kernel.h"
#include "kernel_bfd.h"

namespace
{

using namespace sealane::kernel_js;

Value open_bfd_listener(const CallbackInfo &info)
{
	const Napi::Object from = object(info[0], "options");
	const int64_t family = integer(from.Get("family"), "family", 4, 6);
	if (family == 5)
		bad("family", "4 or 6");
	return Napi::Number::New(info.Env(),
	                         sealane::bfd_listener(descriptor(from.Get("netns"), "netns"),
	                                               static_cast<int>(family),
	                                               flag(from.Get("multihop"), "multihop"))
	                                 .release());
}

Value open_bfd_sender(const CallbackInfo &info)
{
	const Napi::Object from = object(info[0], "options");
	const Napi::Uint8Array local = bytes(from.Get("local"), "local");
	if (local.ByteLength() != 4 && local.ByteLength() != 16)
		bad("local", "4 or 16 bytes");
	const Value name = from.Get("interface");
	const std::string interface = name.IsUndefined() ? "" : text(name, "interface");
	return Napi::Number::New(
		info.Env(),
		sealane::bfd_sender(
			descriptor(from.Get("netns"), "netns"),
			std::vector<uint8_t>(local.Data(), local.Data() + local.ByteLength()),
			interface)
			.release());
}

} // namespace

void sl_bind_bfd(Napi::Object kernel)
{
	add<open_bfd_listener>(kernel, "openBfdListener");
	add<open_bfd_sender>(kernel, "openBfdSender");
}
