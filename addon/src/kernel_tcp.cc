// SPDX-License-Identifier: Apache-2.0
#include "kernel_tcp.h"

#include <cstring>
#include <linux/tcp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "kernel_error.h"

namespace sealane
{

namespace
{

/// Internetwork control, CS6 (RFC 4594 §3.1): routing must get through a full link.
constexpr int kTrafficClass = 0xc0;

/// struct tcp_ao_add of <linux/tcp.h> since 6.7, which older headers have not; a public ABI.
struct alignas(8) TcpAoAdd {
	sockaddr_storage address;
	char algorithm[64];
	int32_t ifindex;
	uint32_t flags; // bit 0: use it to send at once, bit 1: ask the peer to
	uint16_t reserved;
	uint8_t prefix_length;
	uint8_t send_id;
	uint8_t receive_id;
	uint8_t mac_length; // 0: the 12 bytes of RFC 5926
	uint8_t key_flags;
	uint8_t key_length;
	uint8_t key[80];
};
static_assert(sizeof(TcpAoAdd) == 128 + 64 + 4 + 4 + 2 + 6 + 80);
constexpr int kTcpAoAddKey = 38;
constexpr const char *kNoAo = "use tcpMd5, or a kernel of Linux 6.7 or later with CONFIG_TCP_AO";

int family_of(const IpAddress &address)
{
	if (address.size() == 4)
		return AF_INET;
	if (address.size() == 16)
		return AF_INET6;
	throw KernelError("BAD_ARGUMENT", "an address has 4 or 16 bytes");
}

sockaddr_storage socket_address(const IpAddress &address, uint16_t port)
{
	sockaddr_storage result = {};
	if (family_of(address) == AF_INET) {
		sockaddr_in four = {};
		four.sin_family = AF_INET;
		four.sin_port = htons(port);
		std::memcpy(&four.sin_addr, address.data(), 4);
		std::memcpy(&result, &four, sizeof(four));
	} else {
		sockaddr_in6 six = {};
		six.sin6_family = AF_INET6;
		six.sin6_port = htons(port);
		std::memcpy(&six.sin6_addr, address.data(), 16);
		std::memcpy(&result, &six, sizeof(six));
	}
	return result;
}

uint16_t read_address(const sockaddr_storage &from, IpAddress *to)
{
	if (from.ss_family == AF_INET) {
		sockaddr_in four = {};
		std::memcpy(&four, &from, sizeof(four));
		to->resize(4);
		std::memcpy(to->data(), &four.sin_addr, 4);
		return ntohs(four.sin_port);
	}
	sockaddr_in6 six = {};
	std::memcpy(&six, &from, sizeof(six));
	to->resize(16);
	std::memcpy(to->data(), &six.sin6_addr, 16);
	return ntohs(six.sin6_port);
}

void set_option(int fd, int level, int option, int value, const char *what)
{
	if (::setsockopt(fd, level, option, &value, sizeof(value)) != 0)
		throw KernelError::system(errno,
		                          std::string("cannot set ") + what + " of a TCP socket");
}

int family_of_socket(int fd)
{
	int family = 0;
	socklen_t length = sizeof(family);
	if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) != 0)
		throw KernelError::system(errno, "cannot read a socket's family");
	return family;
}

void check_key(const KeyScope &scope, const SecretBytes &key, size_t most)
{
	family_of(scope.peer);
	if (scope.prefix_length > 8 * scope.peer.size())
		throw KernelError("BAD_ARGUMENT", "a key's prefix is longer than its address");
	if (key.bytes.size() > most)
		throw KernelError("BAD_ARGUMENT",
		                  "a TCP key has at most " + std::to_string(most) + " bytes");
}

void add_ao_key(int fd, const AoKey &key)
{
	check_key(key.scope, key.key, sizeof(TcpAoAdd::key));
	TcpAoAdd request = {};
	if (key.key.bytes.empty() || key.algorithm.size() >= sizeof(request.algorithm))
		throw KernelError("BAD_ARGUMENT",
		                  "a TCP-AO key has bytes and the name of an algorithm");
	request.address = socket_address(key.scope.peer, 0);
	key.algorithm.copy(request.algorithm, sizeof(request.algorithm) - 1);
	request.prefix_length = key.scope.prefix_length;
	request.send_id = key.send_id;
	request.receive_id = key.receive_id;
	request.key_length = static_cast<uint8_t>(key.key.bytes.size());
	std::memcpy(request.key, key.key.bytes.data(), key.key.bytes.size());
	const int result = ::setsockopt(fd, IPPROTO_TCP, kTcpAoAddKey, &request, sizeof(request));
	const int error = errno;
	::explicit_bzero(&request, sizeof(request));
	if (result != 0)
		throw KernelError::system(error, "cannot set a TCP-AO key",
		                          error == ENOPROTOOPT ? kNoAo : "");
}

Fd bound_socket(const TcpOptions &options, bool listener)
{
	const int family = family_of(options.local);
	const NetnsScope scope(options.netns);
	Fd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (!fd.valid())
		throw KernelError::system(errno, "cannot open a TCP socket");
	if (family == AF_INET6) {
		set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY");
		set_option(fd.get(), IPPROTO_IPV6, IPV6_TCLASS, kTrafficClass, "IPV6_TCLASS");
	} else {
		set_option(fd.get(), IPPROTO_IP, IP_TOS, kTrafficClass, "IP_TOS");
	}
	set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
	if (options.max_segment != 0)
		set_option(fd.get(), IPPROTO_TCP, TCP_MAXSEG, options.max_segment, "TCP_MAXSEG");
	if (listener) {
		set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
		set_option(fd.get(), IPPROTO_TCP, TCP_SAVE_SYN, 1, "TCP_SAVE_SYN");
	}
	if (!options.interface.empty() &&
	    ::setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, options.interface.c_str(),
	                 static_cast<socklen_t>(options.interface.size())) != 0)
		throw KernelError::system(errno, "cannot bind to interface " + options.interface);
	set_tcp_hops(fd.get(), options.hops);
	for (const Md5Key &key : options.md5_keys)
		set_tcp_md5(fd.get(), key);
	for (const AoKey &key : options.ao_keys)
		add_ao_key(fd.get(), key);
	sockaddr_storage address = socket_address(options.local, options.port);
	// A link-local address belongs to a link, which only this namespace can name.
	if (family == AF_INET6 && !options.interface.empty())
		reinterpret_cast<sockaddr_in6 *>(&address)->sin6_scope_id =
			::if_nametoindex(options.interface.c_str());
	const socklen_t length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
	if (::bind(fd.get(), reinterpret_cast<const sockaddr *>(&address), length) != 0)
		throw KernelError::system(errno, "cannot bind a TCP socket");
	if (listener && ::listen(fd.get(), options.backlog) != 0)
		throw KernelError::system(errno, "cannot listen");
	return fd;
}

/// TTL or hop limit in the SYN that the listener kept: | IP header | TCP header |.
uint8_t saved_syn_ttl(int fd)
{
	uint8_t syn[128];
	socklen_t length = sizeof(syn);
	if (::getsockopt(fd, IPPROTO_TCP, TCP_SAVED_SYN, syn, &length) != 0 || length < 20)
		return 0;
	return (syn[0] >> 4) == 4 ? syn[8] : syn[7];
}

} // namespace

SecretBytes::~SecretBytes()
{
	if (!bytes.empty())
		::explicit_bzero(bytes.data(), bytes.size());
}

Fd tcp_socket(const TcpOptions &options) { return bound_socket(options, false); }

Fd tcp_listener(const TcpOptions &options) { return bound_socket(options, true); }

void set_tcp_md5(int fd, const Md5Key &key)
{
	check_key(key.scope, key.key, TCP_MD5SIG_MAXKEYLEN);
	tcp_md5sig request = {};
	const sockaddr_storage address = socket_address(key.scope.peer, 0);
	static_assert(sizeof(request.tcpm_addr) == sizeof(address));
	std::memcpy(&request.tcpm_addr, &address, sizeof(address));
	request.tcpm_flags = TCP_MD5SIG_FLAG_PREFIX;
	request.tcpm_prefixlen = key.scope.prefix_length;
	request.tcpm_keylen = static_cast<uint16_t>(key.key.bytes.size());
	if (!key.key.bytes.empty())
		std::memcpy(request.tcpm_key, key.key.bytes.data(), key.key.bytes.size());
	const int result = ::setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG_EXT, &request, sizeof(request));
	const int error = errno;
	::explicit_bzero(&request, sizeof(request));
	// Removing a key that is not there leaves things as they should be.
	if (result != 0 && !(key.key.bytes.empty() && error == ENOENT))
		throw KernelError::system(
			error, "cannot set a TCP MD5 key",
			error == ENOPROTOOPT ? "this kernel has no CONFIG_TCP_MD5SIG" : "");
}

void set_tcp_hops(int fd, const TcpHops &hops)
{
	const bool six = family_of_socket(fd) == AF_INET6;
	const int level = six ? IPPROTO_IPV6 : IPPROTO_IP;
	if (hops.ttl)
		set_option(fd, level, six ? IPV6_UNICAST_HOPS : IP_TTL, *hops.ttl, "the TTL");
	constexpr int kIpMinTtl = 21, kIpv6MinHopCount = 73;
	if (hops.min_ttl)
		set_option(fd, level, six ? kIpv6MinHopCount : kIpMinTtl, *hops.min_ttl,
		           "the least TTL accepted (RFC 5082)");
}

bool has_tcp_ao()
{
	const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	if (!fd.valid())
		throw KernelError::system(errno, "cannot open a TCP socket");
	// A kernel that knows the option refuses this empty request as invalid.
	const TcpAoAdd request = {};
	return ::setsockopt(fd.get(), IPPROTO_TCP, kTcpAoAddKey, &request, sizeof(request)) == 0 ||
	       errno != ENOPROTOOPT;
}

std::optional<Accepted> accept_tcp(int listener)
{
	for (;;) {
		sockaddr_storage remote = {};
		socklen_t length = sizeof(remote);
		Accepted result;
		result.fd = Fd(::accept4(listener, reinterpret_cast<sockaddr *>(&remote), &length,
		                         SOCK_CLOEXEC | SOCK_NONBLOCK));
		if (!result.fd.valid()) {
			// The errors of the connection's network are pending on it (accept(2)).
			if (errno == EAGAIN)
				return std::nullopt;
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			    errno == ENOMEM || errno == EBADF || errno == EINVAL)
				throw KernelError::system(errno, "cannot accept a connection");
			continue;
		}
		sockaddr_storage local = {};
		length = sizeof(local);
		if (::getsockname(result.fd.get(), reinterpret_cast<sockaddr *>(&local), &length) !=
		    0)
			continue;
		result.remote_port = read_address(remote, &result.remote);
		read_address(local, &result.local);
		result.syn_ttl = saved_syn_ttl(result.fd.get());
		return result;
	}
}

} // namespace sealane
