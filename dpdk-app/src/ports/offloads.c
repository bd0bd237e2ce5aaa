/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/offloads.h"

#include <stdio.h>
#include <string.h>

static const struct {
	uint64_t offload;
	const char *name;
} names[] = {
	{RTE_ETH_RX_OFFLOAD_VLAN_STRIP, "vlan-strip"},
	{RTE_ETH_RX_OFFLOAD_IPV4_CKSUM, "ip4-checksum"},
	{RTE_ETH_RX_OFFLOAD_SCATTER, "scatter"},
};

bool sl_offloads_emulated(const struct rte_eth_dev_info *info)
{
	/* and it would not receive by vectors any more */
	return info->driver_name != NULL && strcmp(info->driver_name, "net_virtio") == 0;
}

uint64_t sl_offloads_wanted(const struct rte_eth_dev_info *info, bool emulated)
{
	uint64_t offers = info->rx_offload_capa;

	if ((offers & RTE_ETH_RX_OFFLOAD_VLAN_STRIP) == 0 || emulated)
		return 0; /* where a sum is believed no tag may be in front: stages/offload.h */
	return offers & (RTE_ETH_RX_OFFLOAD_VLAN_STRIP | RTE_ETH_RX_OFFLOAD_IPV4_CKSUM);
}

void sl_offloads_text(uint64_t offloads, char text[SL_OFFLOADS_TEXT])
{
	size_t length = 0;

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((offloads & names[i].offload) != 0)
			length += (size_t)snprintf(text + length, SL_OFFLOADS_TEXT - length, "%s%s",
			                           length == 0 ? "" : " ", names[i].name);
}
