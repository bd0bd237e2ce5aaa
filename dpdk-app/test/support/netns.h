/* SPDX-License-Identifier: Apache-2.0 */
/* Network namespaces, interfaces and raw sockets of a test. All end with the test's process. */
#ifndef SEALANE_TEST_SUPPORT_NETNS_H
#define SEALANE_TEST_SUPPORT_NETNS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Enter a fresh namespace; returns its descriptor, -1 on failure. */
static inline int test_netns_new(void)
{
	if (unshare(CLONE_NEWNET) != 0)
		return -1;
	return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

static inline int test_netns_enter(int fd) { return setns(fd, CLONE_NEWNET); }

/* Run a command in the present namespace; its exit status. */
__attribute__((format(printf, 1, 2))) static inline int test_shell(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return system(command);
}

/* One queue of a multi-queue TAP (IFF_TAP) or TUN (IFF_TUN) in the present namespace. */
static inline int test_tap(const char *name, int kind, int flags)
{
	struct ifreq request = {.ifr_flags = (short)(kind | flags)};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A raw socket bound to an interface of the present namespace, receiving incoming frames only. */
static inline int test_raw(const char *name)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
	                              .sll_protocol = htons(ETH_P_ALL),
	                              .sll_ifindex = (int)if_nametoindex(name)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	int yes = 1;

	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes)) != 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &yes, sizeof(yes)) != 0)
		return -1;
	return fd;
}

/*
 * The next frame whose EtherType is `type` (host order); its length, 0: none came in `ms`. The kernel takes
 * the outer 802.1Q tag off frames it receives; *vlan is its identifier, 0 = there was none.
 */
static inline size_t test_raw_receive(int fd, uint16_t type, void *buffer, size_t size, int ms,
                                      uint16_t *vlan)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	const uint8_t *frame = buffer;

	while (poll(&poll_fd, 1, ms) == 1) {
		_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
		struct iovec part = {.iov_base = buffer, .iov_len = size};
		struct msghdr message = {.msg_iov = &part,
		                         .msg_iovlen = 1,
		                         .msg_control = control,
		                         .msg_controllen = sizeof(control)};
		ssize_t length = recvmsg(fd, &message, 0);
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		struct tpacket_auxdata auxiliary = {0};

		if (header != NULL && header->cmsg_type == PACKET_AUXDATA)
			memcpy(&auxiliary, CMSG_DATA(header), sizeof(auxiliary));
		*vlan = (auxiliary.tp_status & TP_STATUS_VLAN_VALID) != 0
		                ? auxiliary.tp_vlan_tci & 0x0fff
		                : 0;
		if (length >= ETH_HLEN && frame[12] == type >> 8 && frame[13] == (type & 0xff))
			return (size_t)length;
	}
	return 0;
}

#endif
