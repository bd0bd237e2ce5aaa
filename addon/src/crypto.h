// SPDX-License-Identifier: Apache-2.0
// What each IKE SA takes many of: HMAC, prf+ (RFC 7296 §2.13), AEADs and X25519 (RFC 7748), by libcrypto. Any thread may
// call; whatever a call keeps of its keys is cleansed before it returns.
#ifndef SEALANE_ADDON_CRYPTO_H
#define SEALANE_ADDON_CRYPTO_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace sealane::crypto
{

using View = std::span<const uint8_t>;

enum class Hash { kSha256, kSha384, kSha512 };
enum class Aead { kAes128Gcm, kAes256Gcm, kChaCha20Poly1305 };

constexpr size_t kX25519Bytes = 32;
constexpr size_t kSha1Bytes = 20;
constexpr size_t kTagBytes = 16;
constexpr size_t kNonceBytes = 12;
constexpr size_t kMostPrfBlocks = 255;

/// By the names that node:crypto has for them.
std::optional<Hash> hash_of(std::string_view name);
std::optional<Aead> aead_of(std::string_view name);

size_t hash_bytes(Hash hash);
size_t key_bytes(Aead aead);

/// HMAC of the parts one after the other; `to` has hash_bytes(hash).
void hmac(Hash hash, View key, const std::vector<View> &parts, uint8_t *to);
/// What NAT detection hashes with (RFC 7296 §2.23); `to` has kSha1Bytes.
void sha1(View octets, uint8_t *to);
/// RFC 7296 §2.13: T1 | T2 | ..., cut to what `to` has: at most 255 blocks.
void prf_plus(Hash hash, View key, const std::vector<View> &seed, std::span<uint8_t> to);

/// `to` has the length of the plaintext and kTagBytes. The key and the nonce have their lengths.
void seal(Aead aead, View key, View nonce, View associated, View plaintext, uint8_t *to);
/// `to` has the length of `sealed` less kTagBytes; zeros and false when it is not authentic.
bool open(Aead aead, View key, View nonce, View associated, View sealed, uint8_t *to);

/// All of kX25519Bytes.
struct KeyPair {
	View secret;
	/// What x25519_public made of it: libcrypto would make it again, for as long as the exchange itself takes.
	View own;
};

/// Both have kX25519Bytes.
void x25519_public(View secret, uint8_t *to);
/// false: the result would be zero (RFC 7748 §6.1), whatever the secret is.
bool x25519_shared(const KeyPair &own, View peer, uint8_t *to);

} // namespace sealane::crypto

#endif
