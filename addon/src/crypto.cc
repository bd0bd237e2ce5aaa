// SPDX-License-Identifier: Apache-2.0
#include "crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <memory>
#include <new>

#include "x509_objects.h"

namespace sealane::crypto
{

namespace
{

template <auto free> struct Freed {
	template <class T> void operator()(T *object) const { free(object); }
};
using Mac = std::unique_ptr<EVP_MAC_CTX, Freed<EVP_MAC_CTX_free>>;
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, Freed<EVP_CIPHER_CTX_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;

/// Of arguments that were checked libcrypto refuses none: only memory can be wanting.
void check(bool is_good)
{
	if (is_good)
		return;
	ERR_clear_error();
	throw std::bad_alloc();
}

constexpr std::array<std::string_view, 3> kHashNames = {"sha256", "sha384", "sha512"};
constexpr std::array<size_t, 3> kHashBytes = {32, 48, 64};
constexpr std::array<std::string_view, 3> kAeadNames = {"aes-128-gcm", "aes-256-gcm",
                                                        "chacha20-poly1305"};
constexpr std::array<size_t, 3> kKeyBytes = {16, 32, 32};
constexpr size_t kMostHashBytes = 64;

template <class Kind, size_t count>
std::optional<Kind> find(const std::array<std::string_view, count> &names, std::string_view name)
{
	const auto found = std::find(names.begin(), names.end(), name);
	if (found == names.end())
		return std::nullopt;
	return static_cast<Kind>(found - names.begin());
}

/// Looking an algorithm up takes longer than a use of it: once each. Threads share them.
struct Algorithms {
	EVP_MAC_CTX *hmac[kHashNames.size()];
	EVP_CIPHER *aead[kAeadNames.size()];

	Algorithms()
	{
		x509::initialize();
		EVP_MAC *mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
		check(mac != nullptr);
		for (size_t i = 0; i < kHashNames.size(); i++) {
			char name[8] = {};
			kHashNames[i].copy(name, sizeof(name) - 1);
			const OSSL_PARAM digest[] = {
				OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
				OSSL_PARAM_construct_end()};
			hmac[i] = EVP_MAC_CTX_new(mac);
			check(hmac[i] != nullptr && EVP_MAC_CTX_set_params(hmac[i], digest) == 1);
		}
		EVP_MAC_free(mac);
		for (size_t i = 0; i < kAeadNames.size(); i++) {
			aead[i] = EVP_CIPHER_fetch(nullptr, kAeadNames[i].data(), nullptr);
			check(aead[i] != nullptr);
		}
	}
};

const Algorithms &algorithms()
{
	static const Algorithms *const all = new Algorithms();
	return *all;
}

/// One without a key yet.
Mac new_mac(Hash hash)
{
	Mac mac(EVP_MAC_CTX_dup(algorithms().hmac[static_cast<size_t>(hash)]));
	check(mac != nullptr);
	return mac;
}

/// libcrypto takes a null pointer for no key at all.
void set_key(const Mac &mac, View key)
{
	static const uint8_t nothing = 0;
	check(EVP_MAC_init(mac.get(), key.empty() ? &nothing : key.data(), key.size(), nullptr) ==
	      1);
}

void add(const Mac &mac, View part)
{
	check(part.empty() || EVP_MAC_update(mac.get(), part.data(), part.size()) == 1);
}

void finish(const Mac &mac, uint8_t *to)
{
	size_t length = 0;
	check(EVP_MAC_final(mac.get(), to, &length, kMostHashBytes) == 1);
}

Cipher new_cipher(Aead aead, View key, View nonce, bool is_sealing)
{
	Cipher cipher(EVP_CIPHER_CTX_new());
	check(cipher != nullptr &&
	      EVP_CipherInit_ex2(cipher.get(), algorithms().aead[static_cast<size_t>(aead)],
	                         key.data(), nonce.data(), is_sealing ? 1 : 0, nullptr) == 1);
	return cipher;
}

/// `to` null: associated data. Lengths are those of datagrams.
void run(const Cipher &cipher, View from, uint8_t *to)
{
	int length = 0;
	check(from.empty() || EVP_CipherUpdate(cipher.get(), to, &length, from.data(),
	                                       static_cast<int>(from.size())) == 1);
}

OSSL_PARAM octets(const char *name, View from)
{
	// What is given to libcrypto it only reads.
	return OSSL_PARAM_construct_octet_string(name, const_cast<uint8_t *>(from.data()),
	                                         from.size());
}

Key key_of(const KeyPair &pair)
{
	x509::initialize();
	const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "X25519", nullptr));
	OSSL_PARAM parts[] = {octets(OSSL_PKEY_PARAM_PRIV_KEY, pair.secret),
	                      octets(OSSL_PKEY_PARAM_PUB_KEY, pair.own),
	                      OSSL_PARAM_construct_end()};
	EVP_PKEY *key = nullptr;
	check(context != nullptr && EVP_PKEY_fromdata_init(context.get()) == 1 &&
	      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, parts) == 1);
	return Key(key);
}

} // namespace

std::optional<Hash> hash_of(std::string_view name) { return find<Hash>(kHashNames, name); }
std::optional<Aead> aead_of(std::string_view name) { return find<Aead>(kAeadNames, name); }
size_t hash_bytes(Hash hash) { return kHashBytes[static_cast<size_t>(hash)]; }
size_t key_bytes(Aead aead) { return kKeyBytes[static_cast<size_t>(aead)]; }

void hmac(Hash hash, View key, const std::vector<View> &parts, uint8_t *to)
{
	uint8_t whole[kMostHashBytes];
	const Mac mac = new_mac(hash);
	set_key(mac, key);
	for (const View &part : parts)
		add(mac, part);
	finish(mac, whole);
	std::copy_n(whole, hash_bytes(hash), to);
	OPENSSL_cleanse(whole, sizeof(whole));
}

void sha1(View octets, uint8_t *to)
{
	x509::initialize();
	check(SHA1(octets.data(), octets.size(), to) != nullptr);
}

void prf_plus(Hash hash, View key, const std::vector<View> &seed, std::span<uint8_t> to)
{
	uint8_t block[kMostHashBytes];
	const size_t bytes = hash_bytes(hash);
	const Mac mac = new_mac(hash);
	set_key(mac, key);
	uint8_t number = 1;
	for (size_t at = 0; at < to.size(); at += bytes, number++) {
		if (number > 1) {
			// The key stays.
			check(EVP_MAC_init(mac.get(), nullptr, 0, nullptr) == 1);
			add(mac, View(block, bytes));
		}
		for (const View &part : seed)
			add(mac, part);
		add(mac, View(&number, 1));
		finish(mac, block);
		std::copy_n(block, std::min(bytes, to.size() - at), to.data() + at);
	}
	OPENSSL_cleanse(block, sizeof(block));
}

void seal(Aead aead, View key, View nonce, View associated, View plaintext, uint8_t *to)
{
	const Cipher cipher = new_cipher(aead, key, nonce, true);
	run(cipher, associated, nullptr);
	run(cipher, plaintext, to);
	uint8_t *tag = to + plaintext.size();
	int rest = 0;
	check(EVP_CipherFinal_ex(cipher.get(), tag, &rest) == 1);
	check(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, tag) == 1);
}

bool open(Aead aead, View key, View nonce, View associated, View sealed, uint8_t *to)
{
	const size_t length = sealed.size() - kTagBytes;
	const Cipher cipher = new_cipher(aead, key, nonce, false);
	run(cipher, associated, nullptr);
	run(cipher, sealed.first(length), to);
	uint8_t tag[kTagBytes];
	std::copy_n(sealed.data() + length, kTagBytes, tag);
	check(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag) == 1);
	int rest = 0;
	uint8_t nothing[kTagBytes];
	if (EVP_CipherFinal_ex(cipher.get(), nothing, &rest) == 1)
		return true;
	ERR_clear_error();
	OPENSSL_cleanse(to, length);
	return false;
}

void x25519_public(View secret, uint8_t *to)
{
	x509::initialize();
	const Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, secret.data(),
	                                           secret.size()));
	size_t length = kX25519Bytes;
	check(key != nullptr && EVP_PKEY_get_raw_public_key(key.get(), to, &length) == 1);
}

bool x25519_shared(const KeyPair &own, View peer, uint8_t *to)
{
	const Key key = key_of(own);
	const Key other(
		EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, peer.data(), peer.size()));
	const KeyContext context(EVP_PKEY_CTX_new(key.get(), nullptr));
	check(other != nullptr && context != nullptr && EVP_PKEY_derive_init(context.get()) == 1);
	check(EVP_PKEY_derive_set_peer_ex(context.get(), other.get(), 0) == 1);
	size_t length = kX25519Bytes;
	if (EVP_PKEY_derive(context.get(), to, &length) == 1)
		return true;
	ERR_clear_error();
	return false;
}

} // namespace sealane::crypto
