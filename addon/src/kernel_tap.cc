// SPDX-License-Identifier: Apache-2.0
// Persistent multi-queue TAP and TUN devices.
//
// A device lives on without queues (TUNSETPERSIST), but with its last queue goes the carrier, and
// with the carrier every neighbour. So the supervisor holds a queue that is detached (TUNSETQUEUE:
// no packet is ever steered to it) and the worker attaches another: either may die, the carrier stays.
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>

#include "kernel.h"
#include "kernel_error.h"

namespace sealane
{

namespace
{

constexpr const char *kDevice = "/dev/net/tun";

ifreq request_for(const std::string &name)
{
	ifreq request = {};
	if (name.empty() || name.size() >= IFNAMSIZ || name.find('%') != std::string::npos)
		throw KernelError("BAD_ARGUMENT",
		                  "'" + name + "' cannot be a device name (1 to 15 bytes, no %)");
	name.copy(request.ifr_name, IFNAMSIZ - 1);
	return request;
}

Fd open_clone_device()
{
	Fd fd(::open(kDevice, O_RDWR | O_CLOEXEC | O_NONBLOCK));
	if (!fd.valid())
		throw KernelError::system(
			errno, std::string("cannot open ") + kDevice,
			"load the tun module; in a container pass /dev/net/tun in");
	return fd;
}

/// Makes this descriptor a queue of the device, which is created when it is not there.
void set_interface(const Fd &fd, const std::string &name, TapKind kind)
{
	ifreq request = request_for(name);
	const int type = kind == TapKind::tap ? IFF_TAP : IFF_TUN;
	request.ifr_flags = static_cast<short>(type | IFF_NO_PI | IFF_MULTI_QUEUE);
	if (::ioctl(fd.get(), TUNSETIFF, &request) == 0)
		return;
	const int error = errno;
	const char *wanted = kind == TapKind::tap ? "TAP" : "TUN";
	std::string remedy;
	if (error == EINVAL)
		remedy = "a device of this name but of another kind exists: remove or rename it";
	else if (error == EPERM)
		remedy = "CAP_NET_ADMIN is needed in the device's namespace";
	throw KernelError::system(
		error, std::string("cannot open a queue of ") + wanted + " device " + name, remedy);
}

void set_mac(const Fd &fd, const std::string &name, const std::array<uint8_t, 6> &mac)
{
	ifreq request = request_for(name);
	if (::ioctl(fd.get(), SIOCGIFHWADDR, &request) != 0)
		throw KernelError::system(errno, "cannot read the MAC address of " + name);
	if (::memcmp(request.ifr_hwaddr.sa_data, mac.data(), mac.size()) == 0)
		return;
	request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	::memcpy(request.ifr_hwaddr.sa_data, mac.data(), mac.size());
	if (::ioctl(fd.get(), SIOCSIFHWADDR, &request) != 0)
		throw KernelError::system(errno, "cannot set the MAC address of " + name);
}

} // namespace

Fd open_tap(const TapOptions &options)
{
	request_for(options.name);
	const NetnsScope scope(options.netns);
	Fd fd = open_clone_device();
	set_interface(fd, options.name, options.kind);
	if (::ioctl(fd.get(), TUNSETPERSIST, 1) != 0)
		throw KernelError::system(errno, "cannot make " + options.name + " persistent");
	if (options.mac)
		set_mac(fd, options.name, *options.mac);
	if (!options.attached) {
		ifreq request = {};
		request.ifr_flags = IFF_DETACH_QUEUE;
		if (::ioctl(fd.get(), TUNSETQUEUE, &request) != 0)
			throw KernelError::system(errno,
			                          "cannot detach a queue of " + options.name);
	}
	return fd;
}

void remove_tap(int netns, const std::string &name)
{
	const NetnsScope scope(netns);
	// TUNSETIFF would create a missing device.
	request_for(name);
	if (::if_nametoindex(name.c_str()) == 0)
		return;
	Fd fd = open_clone_device();
	try {
		set_interface(fd, name, TapKind::tap);
	} catch (const KernelError &error) {
		if (error.errno_name != "EINVAL")
			throw;
		set_interface(fd, name, TapKind::tun);
	}
	if (::ioctl(fd.get(), TUNSETPERSIST, 0) != 0)
		throw KernelError::system(errno, "cannot end the persistence of " + name);
}

} // namespace sealane
