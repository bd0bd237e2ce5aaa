// SPDX-License-Identifier: Apache-2.0
// A message socket (netlink, seqpacket) watched by Node's event loop.
#ifndef SEALANE_ADDON_POLLED_SOCKET_H
#define SEALANE_ADDON_POLLED_SOCKET_H

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernel_fd.h"
#include "uv_poll.h"

namespace sealane
{

enum class SocketKind { netlink, seqpacket };

/// What the owner wants to hear. Any of these may close the socket it comes from.
struct SocketEvents {
	/// One datagram; the bytes are valid during the call.
	std::function<void(const uint8_t *data, size_t length)> on_message;
	/// Peer closed or error. Once, and the descriptor is closed.
	std::function<void(const std::string &reason)> on_close;
	/// Netlink: the kernel dropped messages for want of buffer. Called when what it had kept is
	/// read. The socket stays open.
	std::function<void()> on_overrun;
	/// After a refused send: there is room again.
	std::function<void()> on_writable;
};

class PolledSocket : public std::enable_shared_from_this<PolledSocket>
{
public:
	static std::shared_ptr<PolledSocket> open(uv_loop_s *loop, SocketKind kind, Fd fd,
	                                          SocketEvents events);

	/// One datagram, with descriptors by SCM_RIGHTS (they stay the caller's). False when the kernel has no
	/// room: nothing was sent, on_writable tells when to try again. Throws when closed or refused.
	bool send(const uint8_t *data, size_t length, const std::vector<int> &descriptors);
	/// No event comes after this. Closing twice is no error.
	void close();

private:
	PolledSocket(SocketKind kind, SocketEvents events) : kind_(kind), events_(std::move(events))
	{
	}
	void ready(int happened);
	void receive();
	bool receive_one();
	bool receive_failed(int error);
	void fail(const std::string &reason);

	SocketKind kind_;
	SocketEvents events_;
	UvPoll *poll_ = nullptr; // nullptr: closed
	bool overrun_ = false;   // messages were lost, and the rest is not read yet
};

} // namespace sealane

#endif
