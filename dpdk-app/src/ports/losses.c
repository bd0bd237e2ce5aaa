/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/losses.h"

#include <linux/if_packet.h>
#include <rte_ethdev.h>
#include <sys/socket.h>

/* The kernel's own count, which reading sets to zero (packet(7)). */
static uint64_t lost_by_kernel(int packet_socket)
{
	struct tpacket_stats stats = {0};
	socklen_t length = sizeof(stats);

	if (getsockopt(packet_socket, SOL_PACKET, PACKET_STATISTICS, &stats, &length) != 0)
		return 0;
	return stats.tp_drops;
}

uint64_t sl_port_losses_since(struct sl_port_losses *losses, uint16_t dpdk_port)
{
	struct rte_eth_stats stats = {0};
	uint64_t before = losses->total, now;

	if (rte_eth_stats_get(dpdk_port, &stats) != 0)
		stats = (struct rte_eth_stats){0};
	for (unsigned int i = 0; i < losses->sockets; i++)
		losses->in_kernel += lost_by_kernel(losses->packet_socket[i]);
	now = losses->in_kernel + stats.imissed + stats.ierrors + stats.rx_nombuf;
	losses->total = now;
	return now >= before ? now - before : now;
}
