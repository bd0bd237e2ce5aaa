// SPDX-License-Identifier: Apache-2.0
#include "binding.h"

#include "sealane/layout.h"

void sl_bind_tables(Napi::Env env, Napi::Object exports)
{
	exports.Set("layoutVersion", Napi::Number::New(env, SL_LAYOUT_VERSION));
}
