/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/kernel_link.h"

#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

bool sl_kernel_link_up(int packet_socket)
{
	struct sockaddr_ll bound = {0};
	socklen_t length = sizeof(bound);
	struct ifreq interface = {0};

	/* the index of an interface that is gone is -1 */
	if (getsockname(packet_socket, (struct sockaddr *)&bound, &length) != 0 ||
	    bound.sll_ifindex <= 0)
		return false;
	interface.ifr_ifindex = bound.sll_ifindex;
	if (ioctl(packet_socket, SIOCGIFNAME, &interface) != 0 ||
	    ioctl(packet_socket, SIOCGIFFLAGS, &interface) != 0)
		return false;
	return (interface.ifr_flags & IFF_UP) != 0 && (interface.ifr_flags & IFF_RUNNING) != 0;
}
