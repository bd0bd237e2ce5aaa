// SPDX-License-Identifier: Apache-2.0
#include "kernel_bfd.h"

#include <cstring>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "kernel_error.h"

namespace sealane
{

namespace
{

constexpr uint16_t kPort = 3784;
constexpr uint16_t kMultihopPort = 4784;
/// RFC 5881 §4: the source port lies there, is random to who does not see it, and no other session's.
constexpr uint16_t kFirstSourcePort = 49152;
constexpr int kSourcePorts = 16384;
constexpr int kAttempts = 64;
/// Internetwork control, CS6 (RFC 4594 §3.1): a full link must not look like a broken one.
constexpr int kTrafficClass = 0xc0;

void set_option(const Fd &fd, int level, int option, int value, const char *what)
{
	if (::setsockopt(fd.get(), level, option, &value, sizeof(value)) != 0)
		throw KernelError::system(errno,
		                          std::string("cannot set ") + what + " of a BFD socket");
}

Fd udp_socket(bool six)
{
	Fd fd(::socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (!fd.valid())
		throw KernelError::system(errno, "cannot open a UDP socket");
	if (six)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY");
	return fd;
}

/// Zeros for `local` mean any address. The result of bind(2).
int bind_to(const Fd &fd, bool six, const uint8_t *local, uint16_t port, uint32_t scope)
{
	if (six) {
		sockaddr_in6 address = {};
		address.sin6_family = AF_INET6;
		address.sin6_port = htons(port);
		address.sin6_scope_id = scope;
		if (local != nullptr)
			std::memcpy(&address.sin6_addr, local, 16);
		return ::bind(fd.get(), reinterpret_cast<const sockaddr *>(&address),
		              sizeof(address));
	}
	sockaddr_in address = {};
	address.sin_family = AF_INET;
	address.sin_port = htons(port);
	if (local != nullptr)
		std::memcpy(&address.sin_addr, local, 4);
	return ::bind(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address));
}

uint16_t random_port()
{
	uint16_t value = 0;
	(void)!::getrandom(&value, sizeof(value), 0);
	return static_cast<uint16_t>(kFirstSourcePort + value % kSourcePorts);
}

} // namespace

Fd bfd_listener(int netns, int family, bool multihop)
{
	const NetnsScope scope(netns);
	const bool six = family == 6;
	Fd fd = udp_socket(six);
	if (six) {
		set_option(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1, "IPV6_RECVHOPLIMIT");
		set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO");
	} else {
		set_option(fd, IPPROTO_IP, IP_RECVTTL, 1, "IP_RECVTTL");
		set_option(fd, IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO");
	}
	if (bind_to(fd, six, nullptr, multihop ? kMultihopPort : kPort, 0) != 0)
		throw KernelError::system(
			errno, multihop ? "cannot bind UDP port 4784" : "cannot bind UDP port 3784",
			errno == EADDRINUSE ? "stop the other BFD daemon of this namespace" : "");
	return fd;
}

Fd bfd_sender(int netns, const std::vector<uint8_t> &local, const std::string &interface)
{
	const NetnsScope scope(netns);
	const bool six = local.size() == 16;
	Fd fd = udp_socket(six);
	uint32_t index = 0;
	if (six) {
		set_option(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 255, "the hop limit");
		set_option(fd, IPPROTO_IPV6, IPV6_TCLASS, kTrafficClass, "the traffic class");
	} else {
		set_option(fd, IPPROTO_IP, IP_TTL, 255, "the TTL");
		set_option(fd, IPPROTO_IP, IP_TOS, kTrafficClass, "the traffic class");
	}
	if (!interface.empty()) {
		if (::setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(),
		                 static_cast<socklen_t>(interface.size())) != 0)
			throw KernelError::system(errno, "cannot bind to interface " + interface);
		index = ::if_nametoindex(interface.c_str());
	}
	for (int i = 0; i < kAttempts; i++) {
		if (bind_to(fd, six, local.data(), random_port(), index) == 0)
			return fd;
		if (errno != EADDRINUSE)
			break;
	}
	throw KernelError::system(errno, "cannot bind a BFD socket to its local address");
}

} // namespace sealane
