/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/kernel_device.h"

#include <errno.h>
#include <linux/capability.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/privileges.h"

int sl_kernel_device_claim_later(struct sl_fault *fault)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return sl_fail(fault, SL_FAULT_INTERNAL, "", "cannot open a socket: %s",
		               strerror(errno));
	return fd;
}

int sl_kernel_device_claim_now(int fd, const char *iface, struct sl_fault *fault)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int length =
		snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "sealane/port/%s", iface);

	if (bind(fd, (const struct sockaddr *)&name,
	         (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)) == 0)
		return 0;
	if (errno == EADDRINUSE)
		return sl_fail(fault, SL_FAULT_DEVICE_BUSY,
		               "stop the other worker, or give this port another interface",
		               "kernel interface %s is in use by another worker", iface);
	return sl_fail(fault, SL_FAULT_INTERNAL, "", "cannot claim kernel interface %s: %s", iface,
	               strerror(errno));
}

int sl_kernel_device_claim(const char *iface, struct sl_fault *fault)
{
	int fd;

	if (if_nametoindex(iface) == 0)
		return sl_fail(fault, SL_FAULT_DEVICE_UNKNOWN,
		               "see `ip link` in that network namespace for names",
		               "there is no kernel interface %s in the port's network namespace",
		               iface);
	if (!sl_privileges_have(CAP_NET_RAW))
		return sl_fail(fault, SL_FAULT_NO_PRIVILEGE, "run as root, or give CAP_NET_RAW",
		               "no privilege to use kernel interface %s", iface);
	fd = sl_kernel_device_claim_later(fault);
	if (fd >= 0 && sl_kernel_device_claim_now(fd, iface, fault) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int set_mtu(int fd, const char *iface, unsigned int mtu, struct sl_fault *fault)
{
	struct ifreq request = {0};

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", iface);
	if (ioctl(fd, SIOCGIFMTU, &request) == 0 && request.ifr_mtu == (int)mtu)
		return 0;
	request.ifr_mtu = (int)mtu;
	if (ioctl(fd, SIOCSIFMTU, &request) == 0)
		return 0;
	return sl_fail(fault, errno == EPERM ? SL_FAULT_NO_PRIVILEGE : SL_FAULT_MALFORMED,
	               errno == EPERM ? "run as root, or give CAP_NET_ADMIN"
	                              : "choose an MTU the interface can have",
	               "cannot set MTU %u on kernel interface %s: %s", mtu, iface, strerror(errno));
}

static int set_flags(int fd, const char *iface, int flags, struct sl_fault *fault)
{
	struct ifreq request = {0};

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", iface);
	if (ioctl(fd, SIOCGIFFLAGS, &request) == 0) {
		if ((request.ifr_flags & flags) == flags)
			return 0;
		request.ifr_flags |= (short)flags;
		if (ioctl(fd, SIOCSIFFLAGS, &request) == 0)
			return 0;
	}
	return sl_fail(fault, sl_fault_of_errno(errno), "run as root, or give CAP_NET_ADMIN",
	               "cannot have kernel interface %s receive all it must: %s", iface,
	               strerror(errno));
}

int sl_kernel_device_prepare(const char *iface, unsigned int mtu, bool promiscuous,
                             struct sl_fault *fault)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int result;

	if (fd < 0)
		return sl_fail(fault, SL_FAULT_INTERNAL, "", "cannot open a socket: %s",
		               strerror(errno));
	result = set_mtu(fd, iface, mtu, fault);
	if (result == 0)
		result = set_flags(fd, iface, promiscuous ? IFF_PROMISC : IFF_ALLMULTI, fault);
	close(fd);
	return result;
}
