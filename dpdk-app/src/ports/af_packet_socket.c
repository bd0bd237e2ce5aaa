/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DPDK's AF_PACKET driver puts each of its sockets into a fan-out group of its own process, with
 * PACKET_FANOUT_FLAG_DEFRAG, even when there is only one. The kernel then reassembles IPv4 fragments in
 * transit before the worker sees them: packets larger than the MTU, cut off at the ring's frame size. It
 * also lets the socket see what the kernel itself sends on the interface. The driver offers no argument
 * for either, so this definition of setsockopt, which comes before the C library's for every library in
 * the process, gives a port's sockets, one for each packet thread, another group: one per interface, which
 * nobody is in but the worker, and the next worker beside it while one takes over from the other. A program
 * says which member a frame is for, so that one system call moves an interface from one worker to the next:
 *
 *      frames --> group of the interface --+-- returns 0 + hash mod n --> rings of the worker that forwards
 *                                          +-- returns n + hash mod n --> rings of the one that stands by
 *
 * The number counts modulo the members. When a member leaves, the kernel puts the last one in its place. The driver closes
 * sockets in the order of their queues; so that the first worker's n are members 0 to n-1 in that order, and n + hash
 * mod n goes on naming the other's alone while they leave, a standby's sockets join in the opposite order:
 *
 *      A0 A1 A2 B2 B1 B0  ->  B0 A1 A2 B2 B1  ->  B0 B1 A2 B2  ->  B0 B1 B2
 *
 * Tests send fragments through such a port, and hand one over under traffic.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ports/port.h"

#ifndef PACKET_FANOUT_CBPF
#define PACKET_FANOUT_CBPF 6
#endif

/* Those of the port that was made last, one for each queue; ports are made by one thread. */
static int last_sockets[SL_MAX_LCORES];
static unsigned int last_count;

unsigned int sl_af_packet_sockets_take(int sockets[SL_MAX_LCORES])
{
	unsigned int count = last_count;

	for (unsigned int i = 0; i < count; i++)
		sockets[i] = last_sockets[i];
	last_count = 0;
	return count;
}

static int set_option(int fd, int level, int name, const void *value, socklen_t length)
{
	return (int)syscall(SYS_setsockopt, fd, level, name, value, length);
}

static int set_filter(int fd, struct sock_filter *code, unsigned short length)
{
	struct sock_fprog program = {.len = length, .filter = code};

	return set_option(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/* Between being bound and being in the group a socket would receive what the group's first member does. */
static int hear_nothing(int fd)
{
	struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, 0)};

	return set_filter(fd, code, 1);
}

/* PACKET_IGNORE_OUTGOING does not hold for a group on kernels before 6.2; a filter does on all. */
static int ignore_outgoing(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (unsigned int)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};

	return set_filter(fd, code, sizeof(code) / sizeof(code[0]));
}

static void join_group(int fd)
{
	struct sockaddr_ll bound = {0};
	socklen_t length = sizeof(bound);
	uint32_t group;

	if (getsockname(fd, (struct sockaddr *)&bound, &length) == 0) {
		/* Numbers of groups are of 16 bits, and of one network namespace. */
		group = ((uint32_t)bound.sll_ifindex & 0xffffu) | (uint32_t)PACKET_FANOUT_CBPF
		                                                          << 16;
		/* Somebody else's group of that number costs the hand-over, not the port. */
		(void)set_option(fd, SOL_PACKET, PACKET_FANOUT, &group, sizeof(group));
	}
}

int sl_af_packet_join(const int *sockets, unsigned int count, bool standby)
{
	for (unsigned int i = 0; i < count; i++)
		join_group(sockets[standby ? count - 1 - i : i]);
	for (unsigned int i = 0; i < count; i++)
		if (ignore_outgoing(sockets[i]) != 0)
			return -1;
	return 0;
}

/* The driver wants a socket in a group of its own: it is bound, hears nothing yet, and will be in ours. */
static int note_socket(int fd)
{
	if (last_count == SL_MAX_LCORES) {
		errno = E2BIG;
		return -1;
	}
	last_sockets[last_count++] = fd;
	return 0;
}

__attribute__((visibility("default"))) int setsockopt(int fd, int level, int name,
                                                      const void *value, socklen_t length)
{
	if (level == SOL_PACKET && name == PACKET_FANOUT)
		return note_socket(fd);
	/* Which comes before it is bound. */
	if (level == SOL_PACKET && name == PACKET_RX_RING && hear_nothing(fd) != 0)
		return -1;
	return set_option(fd, level, name, value, length);
}
