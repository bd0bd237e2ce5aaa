// SPDX-License-Identifier: Apache-2.0
#include <napi.h>

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports)
{
	exports.Set("version", Napi::String::New(env, "0.1.0"));
	return exports;
}

} // namespace

NODE_API_MODULE(sealane, Init)
