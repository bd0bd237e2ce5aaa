// SPDX-License-Identifier: Apache-2.0
// TCP sockets of routing protocols: in any namespace, with MD5 or AO signatures and GTSM.
//
// Options that must hold from the first segment on (keys, hop limits, device) are set before the
// socket is bound, and so before anybody can reach it. See kernel.h for the rules of this half.
#ifndef SEALANE_ADDON_KERNEL_TCP_H
#define SEALANE_ADDON_KERNEL_TCP_H

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kernel.h"

namespace sealane
{

/// 4 or 16 bytes, network order.
using IpAddress = std::vector<uint8_t>;

/// Key material that is overwritten when it goes.
struct SecretBytes {
	std::vector<uint8_t> bytes;
	SecretBytes() = default;
	SecretBytes(const uint8_t *data, size_t length) : bytes(data, data + length) {}
	SecretBytes(SecretBytes &&) = default;
	SecretBytes &operator=(SecretBytes &&) = default;
	SecretBytes(const SecretBytes &) = delete;
	SecretBytes &operator=(const SecretBytes &) = delete;
	~SecretBytes();
};

/// Whose segments a key signs: all addresses of a prefix.
struct KeyScope {
	IpAddress peer;
	uint8_t prefix_length = 0; // bits of peer that count
};

/// RFC 2385. An empty key removes what the scope had.
struct Md5Key {
	KeyScope scope;
	SecretBytes key; // at most 80 bytes (TCP_MD5SIG_MAXKEYLEN)
};

/// RFC 5925.
struct AoKey {
	KeyScope scope;
	SecretBytes key;       // 1 to 80 bytes
	std::string algorithm; // the kernel's name: "hmac(sha1)", "cmac(aes)"
	uint8_t send_id = 0;
	uint8_t receive_id = 0;
};

struct TcpHops {
	std::optional<int> ttl;     // of what is sent, 1..255
	std::optional<int> min_ttl; // what arrives with less is dropped (RFC 5082), 1..255
};

struct TcpOptions {
	int netns = kOwnNetns;
	IpAddress local; // zeros: any address
	uint16_t port = 0;
	std::string interface; // SO_BINDTODEVICE; empty: none
	TcpHops hops;
	std::vector<Md5Key> md5_keys;
	std::vector<AoKey> ao_keys;
	int max_segment = 0; // octets of data both ways; 0: the kernel's choice
	int backlog = 0;     // listeners: at least 1
};

/// A non-blocking socket, bound, neither connected nor listening.
Fd tcp_socket(const TcpOptions &options);
/// A listening one, which keeps the SYN of each connection for accept_tcp().
Fd tcp_listener(const TcpOptions &options);

void set_tcp_md5(int fd, const Md5Key &key);
void set_tcp_hops(int fd, const TcpHops &hops);
/// Whether this kernel knows TCP-AO at all (Linux 6.7 with CONFIG_TCP_AO).
bool has_tcp_ao();

struct Accepted {
	Fd fd;
	IpAddress remote;
	uint16_t remote_port = 0;
	IpAddress local;
	uint8_t syn_ttl = 0; // TTL or hop limit with which the SYN arrived
};
/// The next connection; nothing when there is none now. One that was reset while it waited is skipped.
std::optional<Accepted> accept_tcp(int listener);

} // namespace sealane

#endif
