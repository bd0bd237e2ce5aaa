/* SPDX-License-Identifier: Apache-2.0 */
/* How many queues a port gets, and how its frames are spread over them. */
#ifndef SEALANE_PORTS_QUEUES_H
#define SEALANE_PORTS_QUEUES_H

#include <rte_ethdev.h>

#include "ports/devargs.h"

struct sl_port_queues {
	uint16_t rx, tx;
};

/*
 * One queue of each kind for each packet thread where the device has so many; else as many as it has. memif, AF_XDP
 * and other virtual devices keep to one: their other end, or their arguments, say how many there are.
 */
struct sl_port_queues sl_port_queues(const struct sl_devargs *devargs,
                                     const struct rte_eth_dev_info *info, unsigned int threads);

/*
 * Several receive queues: spread by IP addresses, ports, and SPI of ESP, as far as the device can, so that a flow stays in
 * one of them.
 */
void sl_port_spread(struct rte_eth_conf *conf, const struct rte_eth_dev_info *info);

#endif
