// SPDX-License-Identifier: Apache-2.0
// Sockets that Node has no name for.
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "kernel.h"
#include "kernel_error.h"

namespace sealane
{

namespace
{

/// Room for a burst of events while the event loop is busy. The kernel counts each message with its
/// overhead (about 1 KiB), so this is some 8000 changes; more is an overrun and a resynchronisation.
constexpr int kNetlinkBuffer = 8 << 20;

void enable(const Fd &fd, int option, const char *name)
{
	const int one = 1;
	if (::setsockopt(fd.get(), SOL_NETLINK, option, &one, sizeof(one)) != 0)
		throw KernelError::system(errno, std::string("cannot set ") + name);
}

} // namespace

Fd open_netlink(int netns, const std::vector<uint32_t> &groups, uint32_t *port)
{
	const NetnsScope scope(netns);
	Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
	if (!fd.valid())
		throw KernelError::system(errno, "cannot open a netlink socket");
	// Beyond net.core.rmem_max where we may; the default is good enough to start with.
	(void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kNetlinkBuffer,
	                   sizeof(kNetlinkBuffer));
	enable(fd, NETLINK_EXT_ACK, "NETLINK_EXT_ACK");
	enable(fd, NETLINK_CAP_ACK, "NETLINK_CAP_ACK");
	enable(fd, NETLINK_GET_STRICT_CHK, "NETLINK_GET_STRICT_CHK");
	sockaddr_nl address = {};
	address.nl_family = AF_NETLINK;
	if (::bind(fd.get(), reinterpret_cast<sockaddr *>(&address), sizeof(address)) != 0)
		throw KernelError::system(errno, "cannot bind a netlink socket");
	socklen_t length = sizeof(address);
	if (::getsockname(fd.get(), reinterpret_cast<sockaddr *>(&address), &length) != 0)
		throw KernelError::system(errno, "cannot read a netlink socket's port");
	*port = address.nl_pid;
	for (const uint32_t group : groups)
		if (::setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
		                 sizeof(group)) != 0)
			throw KernelError::system(errno, "cannot join netlink group " +
			                                         std::to_string(group));
	return fd;
}

Fd connect_seqpacket(const std::string &path, int32_t *peer_pid)
{
	sockaddr_un address = {};
	address.sun_family = AF_UNIX;
	if (path.empty() || path.size() >= sizeof(address.sun_path))
		throw KernelError("BAD_ARGUMENT",
		                  "unix socket path of 1 to 107 bytes wanted: '" + path + "'");
	path.copy(address.sun_path, sizeof(address.sun_path) - 1);
	Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (!fd.valid())
		throw KernelError::system(errno, "cannot open a unix socket");
	if (::connect(fd.get(), reinterpret_cast<sockaddr *>(&address), sizeof(address)) != 0)
		throw KernelError::system(errno, "cannot connect to " + path);
	ucred peer = {};
	socklen_t length = sizeof(peer);
	if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
		throw KernelError::system(errno, "cannot read the peer of " + path);
	*peer_pid = peer.pid;
	return fd;
}

} // namespace sealane
