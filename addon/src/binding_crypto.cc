// SPDX-License-Identifier: Apache-2.0
// `crypto` of the module: converts and checks arguments, calls crypto.h. Results are written into arrays that the caller
// gives: their memory is JavaScript's to wipe.
#include "binding_kernel.h"
#include "crypto.h"

namespace
{

using namespace sealane::kernel_js;
using namespace sealane::crypto;
using sealane::KernelError;

std::span<uint8_t> room(const Value &value, const char *name)
{
	Napi::Uint8Array array = bytes(value, name);
	return std::span<uint8_t>(array.Data(), array.ByteLength());
}

std::span<uint8_t> exactly(const Value &value, const char *name, size_t length)
{
	const std::span<uint8_t> found = room(value, name);
	if (found.size() != length)
		bad(name, "of another length");
	return found;
}

std::vector<View> views(const Value &value, const char *name)
{
	if (!value.IsArray())
		bad(name, "an array");
	const Napi::Array array = value.As<Napi::Array>();
	std::vector<View> result;
	result.reserve(array.Length());
	for (uint32_t i = 0; i < array.Length(); i++)
		result.push_back(room(array.Get(i), name));
	return result;
}

Hash hash(const Value &value)
{
	const auto found = hash_of(text(value, "hash"));
	if (!found)
		bad("hash", "'sha256', 'sha384' or 'sha512'");
	return *found;
}

Aead aead(const Value &value)
{
	const auto found = aead_of(text(value, "cipher"));
	if (!found)
		bad("cipher", "an AEAD");
	return *found;
}

Value js_hmac(const CallbackInfo &info)
{
	const Hash by = hash(info[0]);
	hmac(by, room(info[1], "key"), views(info[2], "parts"),
	     exactly(info[3], "to", hash_bytes(by)).data());
	return info.Env().Undefined();
}

Value js_sha1(const CallbackInfo &info)
{
	sha1(room(info[0], "octets"), exactly(info[1], "to", kSha1Bytes).data());
	return info.Env().Undefined();
}

Value js_prf_plus(const CallbackInfo &info)
{
	const Hash by = hash(info[0]);
	const std::span<uint8_t> to = room(info[3], "to");
	if (to.size() > kMostPrfBlocks * hash_bytes(by))
		bad("to", "of at most 255 blocks");
	prf_plus(by, room(info[1], "key"), views(info[2], "seed"), to);
	return info.Env().Undefined();
}

/// cipher, key and nonce, associated data, plaintext, to
Value js_seal(const CallbackInfo &info)
{
	const Aead by = aead(info[0]);
	const View keys = exactly(info[1], "keyNonce", key_bytes(by) + kNonceBytes);
	const View plaintext = room(info[3], "plaintext");
	const auto to = exactly(info[4], "to", plaintext.size() + kTagBytes);
	seal(by, keys.first(key_bytes(by)), keys.last(kNonceBytes), room(info[2], "associated"),
	     plaintext, to.data());
	return info.Env().Undefined();
}

/// cipher, key and nonce, associated data, sealed, to
Value js_open(const CallbackInfo &info)
{
	const Aead by = aead(info[0]);
	const View keys = exactly(info[1], "keyNonce", key_bytes(by) + kNonceBytes);
	const View sealed = room(info[3], "sealed");
	if (sealed.size() < kTagBytes)
		bad("sealed", "as long as a tag");
	const auto to = exactly(info[4], "to", sealed.size() - kTagBytes);
	const bool is_authentic = open(by, keys.first(key_bytes(by)), keys.last(kNonceBytes),
	                               room(info[2], "associated"), sealed, to.data());
	return Napi::Boolean::New(info.Env(), is_authentic);
}

Value js_x25519_public(const CallbackInfo &info)
{
	x25519_public(exactly(info[0], "secret", kX25519Bytes),
	              exactly(info[1], "to", kX25519Bytes).data());
	return info.Env().Undefined();
}

/// secret, own public value, peer's, to
Value js_x25519_shared(const CallbackInfo &info)
{
	const KeyPair own = {exactly(info[0], "secret", kX25519Bytes),
	                     exactly(info[1], "own", kX25519Bytes)};
	const bool is_usable = x25519_shared(own, exactly(info[2], "peer", kX25519Bytes),
	                                     exactly(info[3], "to", kX25519Bytes).data());
	return Napi::Boolean::New(info.Env(), is_usable);
}

} // namespace

void sl_bind_crypto(Napi::Env env, Napi::Object exports)
{
	Napi::Object crypto = Napi::Object::New(env);
	add_for_all<js_hmac>(crypto, "hmac");
	add_for_all<js_sha1>(crypto, "sha1");
	add_for_all<js_prf_plus>(crypto, "prfPlus");
	add_for_all<js_seal>(crypto, "seal");
	add_for_all<js_open>(crypto, "open");
	add_for_all<js_x25519_public>(crypto, "x25519Public");
	add_for_all<js_x25519_shared>(crypto, "x25519Shared");
	exports.Set("crypto", crypto);
}
