// SPDX-License-Identifier: Apache-2.0
// UDP sockets of IKE: in any namespace, read in batches, sorted into lanes by the kernel. See kernel.h
// for the rules of this half.
#ifndef SEALANE_ADDON_KERNEL_UDP_H
#define SEALANE_ADDON_KERNEL_UDP_H

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernel.h"
#include "uv_poll.h"

namespace sealane
{

/// How arriving datagrams are sorted into receive buffers of their own, so that a flood of one kind does
/// not crowd out the others. `ike`: 0 whatever belongs to an exchange that is under way, 1 IKE_SA_INIT
/// requests that begin with a notify (a cookie), 2 all else. `ike_marked`: the same behind a non-ESP
/// marker (RFC 3948 §2.2).
enum class UdpLanes { none, ike, ike_marked };

struct UdpOptions {
	int netns = kOwnNetns;
	std::vector<uint8_t> local; // 4 or 16 bytes
	uint16_t port = 0;
	UdpLanes lanes = UdpLanes::none;
	int receive_bytes = 0; // of each lane's buffer; 0: the system's default
};

class UdpSocket
{
public:
	/// Called with `count` records: | length 2 | port 2 | address 4 or 16 | octets |, integers in network
	/// order. The bytes are valid during the call, which may close the socket.
	using Batch = std::function<void(const std::vector<uint8_t> &records, unsigned count)>;

	/// Bound in its namespace. IPv4 packets are sent without DF, IPv6 ones are cut to 1280 octets, and
	/// no ICMP message changes either. EADDRINUSE: another IKE daemon runs there.
	static std::shared_ptr<UdpSocket> open(uv_loop_s *loop, const UdpOptions &options,
	                                       Batch batch);

	/// 0, or the errno: EAGAIN (no room) or whatever the network has against it. Nothing is queued.
	int send(const uint8_t *data, size_t length, const std::vector<uint8_t> &address,
	         uint16_t port);
	/// The port that it is bound to.
	uint16_t port() const;
	/// Datagrams that came while a receive buffer was full.
	uint64_t dropped() const;
	/// No event comes after this. Closing twice is no error.
	void close();

private:
	void receive(size_t lane);
	bool six_ = false;
	Batch batch_;
	std::vector<UvPoll *> lanes_; // empty: closed
};

} // namespace sealane

#endif
