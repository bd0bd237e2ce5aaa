/* SPDX-License-Identifier: Apache-2.0 */
#include "control/bfd_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif
#define FIRST_SOURCE_PORT 49152u

union address {
	struct sockaddr any;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

static int refuse(struct sl_fault *fault, const char *what)
{
	return sl_fail(fault, SL_FAULT_MALFORMED, "run supervisor and worker of the same build",
	               "the descriptor passed for BFD is not %s", what);
}

/* -1 when it is no UDP socket. */
static int local_address(int fd, union address *address)
{
	socklen_t size = sizeof(int);
	int protocol = 0;

	memset(address, 0, sizeof(*address));
	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) != 0 ||
	    protocol != IPPROTO_UDP)
		return -1;
	size = sizeof(*address);
	if (getsockname(fd, &address->any, &size) != 0)
		return -1;
	return address->any.sa_family == AF_INET || address->any.sa_family == AF_INET6 ? 0 : -1;
}

/* sin_port and sin6_port lie at the same place. */
static uint16_t port_of(const union address *address) { return ntohs(address->in4.sin_port); }

static bool has_option(int fd, int level, int option, int wanted)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, level, option, &value, &size) == 0 && value == wanted;
}

int sl_bfd_socket_check_listener(int fd, bool multihop, uint8_t *family, struct sl_fault *fault)
{
	union address address;
	int flags;
	bool tells;

	if (local_address(fd, &address) != 0)
		return refuse(fault, "a UDP socket");
	if (port_of(&address) != (multihop ? SL_BFD_MULTIHOP_PORT : SL_BFD_PORT))
		return refuse(fault, multihop ? "bound to port 4784" : "bound to port 3784");
	*family = address.any.sa_family == AF_INET ? 4 : 6;
	if (*family == 4)
		tells = has_option(fd, IPPROTO_IP, IP_RECVTTL, 1) &&
		        has_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
	else
		tells = has_option(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) &&
		        has_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) &&
		        has_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (!tells)
		return refuse(fault, "set to tell TTL and destination");
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return sl_fail(fault, SL_FAULT_INTERNAL, "",
		               "cannot make a descriptor non-blocking: %s", strerror(errno));
	return 0;
}

int sl_bfd_socket_check_sender(int fd, struct sl_bfd_address_key *key, struct sl_fault *fault)
{
	union address address;
	int interface = 0;
	socklen_t size = sizeof(interface);

	if (local_address(fd, &address) != 0 ||
	    (address.any.sa_family == AF_INET) != (key->family == 4))
		return refuse(fault, "a UDP socket of the listener's family");
	if (port_of(&address) < FIRST_SOURCE_PORT)
		return refuse(fault, "bound to a port of 49152 or above");
	if (!(key->family == 4 ? has_option(fd, IPPROTO_IP, IP_TTL, 255)
	                       : has_option(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 255)))
		return refuse(fault, "set to send with TTL 255");
	if (key->family == 4)
		memcpy(key->local, &address.in4.sin_addr, 4);
	else
		memcpy(key->local, &address.in6.sin6_addr, 16);
	if (memcmp(key->local, (const uint8_t[16]){0}, 16) == 0)
		return refuse(fault, "bound to an address");
	if (getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &interface, &size) != 0)
		return sl_fail(fault, SL_FAULT_INTERNAL, "run it on Linux 5.0 or later",
		               "cannot read which interface a socket is bound to: %s",
		               strerror(errno));
	key->interface = (uint32_t)interface;
	return 0;
}

/* What the kernel says beside a packet. */
static void take_control(struct msghdr *message, struct sl_bfd_datagram *datagram)
{
	struct cmsghdr *header;

	for (header = CMSG_FIRSTHDR(message); header != NULL;
	     header = CMSG_NXTHDR(message, header)) {
		struct in_pktinfo info4;
		struct in6_pktinfo info6;

		if ((header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_TTL) ||
		    (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_HOPLIMIT)) {
			memcpy(&datagram->ttl, CMSG_DATA(header), sizeof(datagram->ttl));
		} else if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
			memcpy(&info4, CMSG_DATA(header), sizeof(info4));
			datagram->key.interface = (uint32_t)info4.ipi_ifindex;
			memcpy(datagram->key.local, &info4.ipi_addr, 4);
		} else if (header->cmsg_level == IPPROTO_IPV6 &&
		           header->cmsg_type == IPV6_PKTINFO) {
			memcpy(&info6, CMSG_DATA(header), sizeof(info6));
			datagram->key.interface = info6.ipi6_ifindex;
			memcpy(datagram->key.local, &info6.ipi6_addr, 16);
		}
	}
}

bool sl_bfd_socket_receive(int fd, struct sl_bfd_datagram *datagram)
{
	_Alignas(struct cmsghdr) char control[128];
	union address from = {.any = {.sa_family = AF_UNSPEC}};
	struct iovec data = {.iov_base = datagram->bytes, .iov_len = sizeof(datagram->bytes)};
	struct msghdr message = {.msg_name = &from,
	                         .msg_namelen = sizeof(from),
	                         .msg_iov = &data,
	                         .msg_iovlen = 1,
	                         .msg_control = control,
	                         .msg_controllen = sizeof(control)};
	ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT);

	if (length < 0)
		return false;
	memset(&datagram->key, 0, sizeof(datagram->key));
	datagram->length = (size_t)length;
	datagram->ttl = -1;
	take_control(&message, datagram);
	datagram->key.family = from.any.sa_family == AF_INET ? 4 : 6;
	if (datagram->key.family == 4)
		memcpy(datagram->key.remote, &from.in4.sin_addr, 4);
	else
		memcpy(datagram->key.remote, &from.in6.sin6_addr, 16);
	return true;
}

bool sl_bfd_socket_send(const struct sl_bfd_entry *entry, const uint8_t *bytes, size_t length)
{
	union address to = {.any = {.sa_family = AF_UNSPEC}};
	socklen_t size;

	if (entry->key.family == 4) {
		to.in4.sin_family = AF_INET;
		memcpy(&to.in4.sin_addr, entry->key.remote, 4);
		size = sizeof(to.in4);
	} else {
		to.in6.sin6_family = AF_INET6;
		memcpy(&to.in6.sin6_addr, entry->key.remote, 16);
		if (IN6_IS_ADDR_LINKLOCAL(&to.in6.sin6_addr))
			to.in6.sin6_scope_id = entry->key.interface;
		size = sizeof(to.in6);
	}
	to.in4.sin_port = htons(entry->port);
	return sendto(entry->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL, &to.any, size) ==
	       (ssize_t)length;
}
