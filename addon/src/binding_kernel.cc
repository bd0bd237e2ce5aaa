// SPDX-License-Identifier: Apache-2.0
#include "binding.h"

void sl_bind_kernel(Napi::Env env, Napi::Object exports)
{
	exports.Set("kernel", Napi::Object::New(env));
}
