// SPDX-License-Identifier: Apache-2.0
#include "binding.h"

namespace
{

Napi::Object init(Napi::Env env, Napi::Object exports)
{
	sl_bind_tables(env, exports);
	sl_bind_kernel(env, exports);
	sl_bind_x509(env, exports);
	sl_bind_crypto(env, exports);
	return exports;
}

} // namespace

NODE_API_MODULE(sealane, init)
