// SPDX-License-Identifier: Apache-2.0
#include "polled_socket.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include "kernel_error.h"
#include "uv_abi.h"

namespace sealane
{

namespace
{

/// The longest datagram taken. Netlink dumps come in pieces of at most 32 KiB, and the worker's
/// messages are shorter; what is longer is lost and reported, never cut.
constexpr size_t kMaxMessage = 256 << 10;
/// Messages taken before the event loop gets its turn.
constexpr int kMessagesPerTurn = 64;
constexpr size_t kMaxDescriptors = 16;

} // namespace

std::shared_ptr<PolledSocket> PolledSocket::open(uv_loop_s *loop, SocketKind kind, Fd fd,
                                                 SocketEvents events)
{
	std::shared_ptr<PolledSocket> socket(new PolledSocket(kind, std::move(events)));
	// The poller keeps the socket alive, and with it the callbacks, until close().
	socket->poll_ = UvPoll::start(loop, std::move(fd), UV_READABLE,
	                              [socket](int happened) { socket->ready(happened); });
	return socket;
}

bool PolledSocket::send(const uint8_t *data, size_t length, const std::vector<int> &descriptors)
{
	if (poll_ == nullptr)
		throw KernelError("CLOSED", "the socket is closed");
	if (descriptors.size() > kMaxDescriptors)
		throw KernelError("BAD_ARGUMENT", "more than 16 descriptors beside one message");
	iovec part = {const_cast<uint8_t *>(data), length};
	msghdr message = {};
	message.msg_iov = &part;
	message.msg_iovlen = 1;
	alignas(cmsghdr) char control[CMSG_SPACE(kMaxDescriptors * sizeof(int))] = {};
	if (!descriptors.empty()) {
		const size_t bytes = descriptors.size() * sizeof(int);
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(bytes);
		cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(bytes);
		::memcpy(CMSG_DATA(header), descriptors.data(), bytes);
	}
	if (::sendmsg(poll_->fd(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return true;
	if (errno != EAGAIN)
		throw KernelError::system(errno, "cannot send");
	poll_->set_events(UV_READABLE | UV_WRITABLE);
	return false;
}

void PolledSocket::close()
{
	if (poll_ == nullptr)
		return;
	poll_->close();
	poll_ = nullptr;
}

void PolledSocket::fail(const std::string &reason)
{
	close();
	events_.on_close(reason);
}

void PolledSocket::ready(int happened)
{
	if (poll_ != nullptr && (happened & UV_WRITABLE) != 0) {
		poll_->set_events(UV_READABLE);
		events_.on_writable();
	}
	if (poll_ != nullptr && (happened & ~UV_WRITABLE) != 0)
		receive();
}

void PolledSocket::receive()
{
	for (int taken = 0; taken < kMessagesPerTurn && poll_ != nullptr; taken++)
		if (!receive_one())
			return;
}

/// A netlink socket that has lost messages loses all further ones, answers included, without another
/// ENOBUFS until it has been read empty. So an overrun is reported then, when asking again is of use.
bool PolledSocket::receive_failed(int error)
{
	if (error == EINTR)
		return true;
	if (error == EAGAIN) {
		if (std::exchange(overrun_, false))
			events_.on_overrun();
		return false;
	}
	if (error == ENOBUFS && kind_ == SocketKind::netlink)
		overrun_ = true;
	else
		fail(::strerror(error));
	return true;
}

/// False when nothing more is waiting. Descriptors sent to us are refused by the kernel: there is no
/// room for control messages.
bool PolledSocket::receive_one()
{
	static uint8_t buffer[kMaxMessage];
	sockaddr_nl sender = {};
	iovec part = {buffer, sizeof(buffer)};
	msghdr message = {};
	message.msg_iov = &part;
	message.msg_iovlen = 1;
	if (kind_ == SocketKind::netlink) {
		message.msg_name = &sender;
		message.msg_namelen = sizeof(sender);
	}
	const ssize_t length = ::recvmsg(poll_->fd(), &message, MSG_DONTWAIT);
	if (length < 0) {
		return receive_failed(errno);
	}
	if (kind_ == SocketKind::netlink) {
		// Any local process may send to a netlink port; only port 0 is the kernel.
		if (sender.nl_pid != 0)
			return true;
		if ((message.msg_flags & MSG_TRUNC) != 0)
			overrun_ = true;
		else
			events_.on_message(buffer, static_cast<size_t>(length));
		return true;
	}
	if (length == 0)
		fail("peer closed the connection");
	else if ((message.msg_flags & MSG_TRUNC) != 0)
		fail("peer sent a message longer than 256 KiB");
	else
		events_.on_message(buffer, static_cast<size_t>(length));
	return true;
}

} // namespace sealane
