/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DPDK's AF_PACKET driver puts each of its sockets into a fan-out group with PACKET_FANOUT_FLAG_DEFRAG,
 * even when there is only one. The kernel then reassembles IPv4 fragments in transit before the worker
 * sees them: packets larger than the MTU, cut off at the ring's frame size. It also lets the socket see
 * what the kernel itself sends on the interface. The driver offers no argument for either, so this
 * definition of setsockopt, which comes before the C library's for every library in the process,
 * keeps the one socket of a port out of the group (qpairs is always 1) and asks for received frames only.
 * A test sends fragments through such a port.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ports/port.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

/* The one that was last kept out of its group; ports are made by one thread. */
static int last_socket = -1;

int sl_af_packet_socket_take(void)
{
	int fd = last_socket;

	last_socket = -1;
	return fd;
}

__attribute__((visibility("default"))) int setsockopt(int fd, int level, int name,
                                                      const void *value, socklen_t length)
{
	static const int yes = 1;

	if (level == SOL_PACKET && name == PACKET_FANOUT) {
		name = PACKET_IGNORE_OUTGOING;
		value = &yes;
		length = sizeof(yes);
		last_socket = fd;
	}
	return (int)syscall(SYS_setsockopt, fd, level, name, value, length);
}
