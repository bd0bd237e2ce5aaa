// SPDX-License-Identifier: Apache-2.0
// Offloads of a network device, by the ethtool ioctl: what merges, splits or leaves checksums
// unfinished must be off where frames go to and come from a packet socket.
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "kernel.h"
#include "kernel_error.h"

namespace sealane
{

namespace
{

struct OffloadCommand {
	const char *name;
	uint32_t get;
	uint32_t set;
	uint32_t flag; // bit of ETHTOOL_[GS]FLAGS; 0: a value of its own
};

constexpr OffloadCommand kOffloads[] = {
	{"rxChecksum", ETHTOOL_GRXCSUM, ETHTOOL_SRXCSUM, 0},
	{"txChecksum", ETHTOOL_GTXCSUM, ETHTOOL_STXCSUM, 0},
	{"tso", ETHTOOL_GTSO, ETHTOOL_STSO, 0},
	{"gso", ETHTOOL_GGSO, ETHTOOL_SGSO, 0},
	{"gro", ETHTOOL_GGRO, ETHTOOL_SGRO, 0},
	{"lro", ETHTOOL_GFLAGS, ETHTOOL_SFLAGS, ETH_FLAG_LRO},
};

class EthtoolSocket
{
public:
	EthtoolSocket(int netns, const std::string &interface) : interface_(interface)
	{
		const NetnsScope scope(netns);
		fd_ = Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
		if (!fd_.valid())
			throw KernelError::system(errno, "cannot open a socket");
		if (interface.empty() || interface.size() >= IFNAMSIZ)
			throw KernelError("BAD_ARGUMENT", "'" + interface + "' is no device name");
	}

	uint32_t call(uint32_t command, uint32_t data)
	{
		ethtool_value value = {command, data};
		ifreq request = {};
		interface_.copy(request.ifr_name, IFNAMSIZ - 1);
		request.ifr_data = reinterpret_cast<char *>(&value);
		if (::ioctl(fd_.get(), SIOCETHTOOL, &request) != 0)
			throw KernelError::system(errno, "ethtool on " + interface_);
		return value.data;
	}

private:
	Fd fd_;
	std::string interface_;
};

} // namespace

std::vector<Offload> read_offloads(int netns, const std::string &interface)
{
	EthtoolSocket socket(netns, interface);
	std::vector<Offload> result;
	for (const OffloadCommand &offload : kOffloads) {
		const uint32_t data = socket.call(offload.get, 0);
		result.push_back(
			{offload.name, (offload.flag != 0 ? data & offload.flag : data) != 0});
	}
	return result;
}

void write_offload(int netns, const std::string &interface, const std::string &name, bool enabled)
{
	EthtoolSocket socket(netns, interface);
	for (const OffloadCommand &offload : kOffloads) {
		if (name != offload.name)
			continue;
		uint32_t data = enabled ? 1 : 0;
		if (offload.flag != 0) {
			const uint32_t flags = socket.call(offload.get, 0);
			data = enabled ? flags | offload.flag : flags & ~offload.flag;
		}
		socket.call(offload.set, data);
		return;
	}
	throw KernelError("BAD_ARGUMENT", "'" + name + "' is no offload");
}

} // namespace sealane
