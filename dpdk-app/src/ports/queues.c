/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/queues.h"

#include <string.h>

/* Devices that have as many queues as they are asked for. */
static bool has_many(const struct sl_devargs *devargs)
{
	return devargs->kind == SL_DEVICE_AF_PACKET || devargs->kind == SL_DEVICE_PCI ||
	       strncmp(devargs->name, "net_null", strlen("net_null")) == 0;
}

static uint16_t at_most(unsigned int wanted, uint16_t most)
{
	return (uint16_t)RTE_MAX(RTE_MIN(wanted, (unsigned int)most), 1u);
}

struct sl_port_queues sl_port_queues(const struct sl_devargs *devargs,
                                     const struct rte_eth_dev_info *info, unsigned int threads)
{
	if (!has_many(devargs))
		return (struct sl_port_queues){.rx = 1, .tx = 1};
	return (struct sl_port_queues){.rx = at_most(threads, info->max_rx_queues),
	                               .tx = at_most(threads, info->max_tx_queues)};
}

void sl_port_spread(struct rte_eth_conf *conf, const struct rte_eth_dev_info *info)
{
	uint64_t wanted = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_ESP;

	wanted &= info->flow_type_rss_offloads;
	if (wanted == 0) /* all frames come by the first queue */
		return;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf.rss_hf = wanted;
}
