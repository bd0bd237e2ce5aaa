// SPDX-License-Identifier: Apache-2.0
#include "kernel_udp.h"

#include <cstring>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "kernel_error.h"
#include "uv_abi.h"

namespace sealane
{

namespace
{

/// Datagrams taken from one lane before the event loop gets its turn: level-triggered polling comes back
/// for the rest when everything else that is ready has been served.
constexpr unsigned kBatch = 64;
constexpr size_t kMaxDatagram = 65535;
/// Internetwork control, CS6 (RFC 4594 §3.1): without IKE there is no data path.
constexpr int kTrafficClass = 0xc0;
constexpr int kIpv6LeastMtu = 1280;
constexpr size_t kLanes = 3;

void set_option(const Fd &fd, int level, int option, int value, const char *what)
{
	if (::setsockopt(fd.get(), level, option, &value, sizeof(value)) != 0)
		throw KernelError::system(errno,
		                          std::string("cannot set ") + what + " of a UDP socket");
}

socklen_t socket_address(const std::vector<uint8_t> &address, uint16_t port, sockaddr_storage *to)
{
	*to = {};
	if (address.size() == 4) {
		sockaddr_in four = {};
		four.sin_family = AF_INET;
		four.sin_port = htons(port);
		std::memcpy(&four.sin_addr, address.data(), 4);
		std::memcpy(to, &four, sizeof(four));
		return sizeof(four);
	}
	sockaddr_in6 six = {};
	six.sin6_family = AF_INET6;
	six.sin6_port = htons(port);
	std::memcpy(&six.sin6_addr, address.data(), 16);
	std::memcpy(to, &six, sizeof(six));
	return sizeof(six);
}

/// Whoever forges ICMP messages could make us send ever smaller fragments, or none that arrive: the path
/// MTU is not learnt (…_OMIT). IKE fragments its messages itself where they are large (RFC 7383).
void set_fragmentation(const Fd &fd, bool six)
{
	if (six) {
		set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT,
		           "IPV6_MTU_DISCOVER");
		set_option(fd, IPPROTO_IPV6, IPV6_MTU, kIpv6LeastMtu, "IPV6_MTU");
	} else {
		set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT, "IP_MTU_DISCOVER");
	}
}

Fd new_socket(bool six, int receive_bytes)
{
	Fd fd(::socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (!fd.valid())
		throw KernelError::system(errno, "cannot open a UDP socket");
	if (six) {
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY");
		set_option(fd, IPPROTO_IPV6, IPV6_TCLASS, kTrafficClass, "IPV6_TCLASS");
	} else {
		set_option(fd, IPPROTO_IP, IP_TOS, kTrafficClass, "IP_TOS");
	}
	set_fragmentation(fd, six);
	// Beyond net.core.rmem_max where we may; else what is allowed.
	if (receive_bytes > 0 && ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes,
	                                      sizeof(receive_bytes)) != 0)
		set_option(fd, SOL_SOCKET, SO_RCVBUF, receive_bytes, "SO_RCVBUF");
	return fd;
}

void bind_to(const Fd &fd, const std::vector<uint8_t> &local, uint16_t port)
{
	sockaddr_storage address;
	const socklen_t length = socket_address(local, port, &address);
	if (::bind(fd.get(), reinterpret_cast<const sockaddr *>(&address), length) != 0)
		throw KernelError::system(
			errno, "cannot bind UDP port " + std::to_string(port),
			errno == EADDRINUSE ? "stop the other IKE daemon of this namespace" : "");
}

/// Gives each datagram its lane. | SPIi 8 | SPIr 8 | next payload 1 | version 1 | exchange type 1 |
/// flags 1 | message ID 4 | length 4 |, from `at` on. The numbers are UdpLanes's.
void attach_lanes(const Fd &fd, bool marked)
{
	const uint32_t at = marked ? 4 : 0;
	constexpr uint32_t kHeader = 28, kSaInit = 34, kResponse = 0x20, kNotify = 41;
	sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, at + kHeader, 0, 10),
		// The marker; nothing follows from the first word where there is none.
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, static_cast<uint8_t>(marked ? 8 : 0)),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, at + 18),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kSaInit, 0, 5),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, at + 19),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, kResponse, 3, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, at + 16),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kNotify, 0, 2),
		BPF_STMT(BPF_RET | BPF_K, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, 2),
	};
	const sock_fprog filter = {sizeof(program) / sizeof(program[0]), program};
	if (::setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &filter, sizeof(filter)) !=
	    0)
		throw KernelError::system(errno, "cannot sort a UDP socket's datagrams");
}

uint16_t bound_port(int fd)
{
	sockaddr_storage address = {};
	socklen_t length = sizeof(address);
	if (::getsockname(fd, reinterpret_cast<sockaddr *>(&address), &length) != 0)
		throw KernelError::system(errno, "cannot read a UDP socket's port");
	// sin_port and sin6_port are at the same place.
	sockaddr_in four = {};
	std::memcpy(&four, &address, sizeof(four));
	return ntohs(four.sin_port);
}

std::vector<Fd> open_lanes(const UdpOptions &options)
{
	const bool six = options.local.size() == 16;
	const NetnsScope scope(options.netns);
	std::vector<Fd> lanes;
	if (options.lanes == UdpLanes::none) {
		lanes.push_back(new_socket(six, options.receive_bytes));
		bind_to(lanes[0], options.local, options.port);
		return lanes;
	}
	uint16_t port = options.port;
	{
		// A group of sockets would let another one of ours join in silence: one alone may not.
		const Fd alone = new_socket(six, 0);
		bind_to(alone, options.local, port);
		port = bound_port(alone.get());
	}
	for (size_t i = 0; i < kLanes; i++) {
		lanes.push_back(new_socket(six, options.receive_bytes));
		set_option(lanes[i], SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT");
		// Before the first one is bound: none may have a datagram that is not for it.
		if (i == 0)
			attach_lanes(lanes[0], options.lanes == UdpLanes::ike_marked);
		bind_to(lanes[i], options.local, port);
	}
	return lanes;
}

/// Room for one batch; only the main thread comes here.
struct Room {
	mmsghdr messages[kBatch];
	sockaddr_storage senders[kBatch];
	iovec parts[kBatch];
	uint8_t octets[kBatch][kMaxDatagram];

	void reset()
	{
		for (unsigned i = 0; i < kBatch; i++) {
			parts[i] = {octets[i], kMaxDatagram};
			messages[i] = {};
			messages[i].msg_hdr.msg_name = &senders[i];
			messages[i].msg_hdr.msg_namelen = sizeof(senders[i]);
			messages[i].msg_hdr.msg_iov = &parts[i];
			messages[i].msg_hdr.msg_iovlen = 1;
		}
	}
};

void append_record(std::vector<uint8_t> *to, const sockaddr_storage &sender, const uint8_t *octets,
                   size_t length)
{
	const auto put16 = [to](size_t value) {
		to->push_back(static_cast<uint8_t>(value >> 8));
		to->push_back(static_cast<uint8_t>(value));
	};
	put16(length);
	if (sender.ss_family == AF_INET) {
		sockaddr_in four = {};
		std::memcpy(&four, &sender, sizeof(four));
		put16(ntohs(four.sin_port));
		const auto *bytes = reinterpret_cast<const uint8_t *>(&four.sin_addr);
		to->insert(to->end(), bytes, bytes + 4);
	} else {
		sockaddr_in6 six = {};
		std::memcpy(&six, &sender, sizeof(six));
		put16(ntohs(six.sin6_port));
		const auto *bytes = reinterpret_cast<const uint8_t *>(&six.sin6_addr);
		to->insert(to->end(), bytes, bytes + 16);
	}
	to->insert(to->end(), octets, octets + length);
}

} // namespace

std::shared_ptr<UdpSocket> UdpSocket::open(uv_loop_s *loop, const UdpOptions &options, Batch batch)
{
	if (options.local.size() != 4 && options.local.size() != 16)
		throw KernelError("BAD_ARGUMENT", "an address has 4 or 16 bytes");
	auto socket = std::make_shared<UdpSocket>();
	socket->six_ = options.local.size() == 16;
	socket->batch_ = std::move(batch);
	std::vector<Fd> fds = open_lanes(options);
	try {
		// The pollers keep the socket alive, and with it the callback, until close().
		for (size_t lane = 0; lane < fds.size(); lane++)
			socket->lanes_.push_back(UvPoll::start(
				loop, std::move(fds[lane]), UV_READABLE, [socket, lane](int) {
					if (!socket->lanes_.empty())
						socket->receive(lane);
				}));
	} catch (...) {
		socket->close();
		throw;
	}
	return socket;
}

int UdpSocket::send(const uint8_t *data, size_t length, const std::vector<uint8_t> &address,
                    uint16_t port)
{
	if (lanes_.empty())
		throw KernelError("CLOSED", "the socket is closed");
	if (address.size() != (six_ ? 16U : 4U))
		throw KernelError("BAD_ARGUMENT", "the address is of another family");
	sockaddr_storage to;
	const socklen_t size = socket_address(address, port, &to);
	for (;;) {
		if (::sendto(lanes_[0]->fd(), data, length, MSG_DONTWAIT | MSG_NOSIGNAL,
		             reinterpret_cast<const sockaddr *>(&to), size) >= 0)
			return 0;
		if (errno != EINTR)
			return errno;
	}
}

uint16_t UdpSocket::port() const
{
	if (lanes_.empty())
		throw KernelError("CLOSED", "the socket is closed");
	return bound_port(lanes_[0]->fd());
}

uint64_t UdpSocket::dropped() const
{
	uint64_t result = 0;
	for (const UvPoll *lane : lanes_) {
		uint32_t info[SK_MEMINFO_VARS] = {};
		socklen_t length = sizeof(info);
		if (::getsockopt(lane->fd(), SOL_SOCKET, SO_MEMINFO, info, &length) == 0)
			result += info[SK_MEMINFO_DROPS];
	}
	return result;
}

void UdpSocket::close()
{
	for (UvPoll *lane : std::exchange(lanes_, {}))
		lane->close();
}

/// An error is one that some router reported, or a want of memory: it is gone with this call, and what
/// IKE sent is sent again.
void UdpSocket::receive(size_t lane)
{
	static Room room;
	room.reset();
	const int got =
		::recvmmsg(lanes_[lane]->fd(), room.messages, kBatch, MSG_DONTWAIT, nullptr);
	if (got <= 0)
		return;
	std::vector<uint8_t> records;
	for (int i = 0; i < got; i++)
		append_record(&records, room.senders[i], room.octets[i], room.messages[i].msg_len);
	batch_(records, static_cast<unsigned>(got));
}

} // namespace sealane
