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

/* Add to `sum` what a count has grown by, and note it. Returns by how much. */
static uint64_t grow(uint64_t *sum, uint64_t *last, uint64_t now)
{
	uint64_t more = now >= *last ? now - *last : now;

	*last = now;
	*sum += more;
	return more;
}

uint64_t sl_port_losses_since(struct sl_port_losses *losses, uint16_t dpdk_port,
                              struct sl_port_counters *counters)
{
	struct sl_port_counters *last = &losses->last;
	struct rte_eth_stats stats = {0};
	uint64_t lost;

	if (rte_eth_stats_get(dpdk_port, &stats) != 0)
		stats = (struct rte_eth_stats){0};
	for (unsigned int i = 0; i < losses->sockets; i++)
		losses->in_kernel += lost_by_kernel(losses->packet_socket[i]);
	lost = grow(&counters->rx_missed, &last->rx_missed, losses->in_kernel + stats.imissed);
	lost += grow(&counters->rx_errors, &last->rx_errors, stats.ierrors);
	(void)grow(&counters->rx_no_buffer, &last->rx_no_buffer, stats.rx_nombuf);
	(void)grow(&counters->rx_packets, &last->rx_packets, stats.ipackets);
	(void)grow(&counters->tx_packets, &last->tx_packets, stats.opackets);
	(void)grow(&counters->tx_errors, &last->tx_errors, stats.oerrors);
	return lost;
}
