/* SPDX-License-Identifier: Apache-2.0 */
/* What is left to a port's NIC, as far as its driver offers it: docs/adr/0034-offloads.md. */
#ifndef SEALANE_PORTS_OFFLOADS_H
#define SEALANE_PORTS_OFFLOADS_H

#include <rte_ethdev.h>
#include <stdbool.h>
#include <stdint.h>

/* RTE_ETH_RX_OFFLOAD_*, to be asked for besides scattered receive. `emulated`: the driver strips tags by itself. */
uint64_t sl_offloads_wanted(const struct rte_eth_dev_info *info, bool emulated);

/* Does the driver offer to take tags off, and then do it in software? */
bool sl_offloads_emulated(const struct rte_eth_dev_info *info);

#define SL_OFFLOADS_TEXT 48u
/* The names of these, separated by spaces. */
void sl_offloads_text(uint64_t offloads, char text[SL_OFFLOADS_TEXT]);

#endif
