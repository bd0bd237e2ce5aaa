/* SPDX-License-Identifier: Apache-2.0 */
/* What drivers and the kernel count of a port; among it frames that it lost, which nobody else sees. */
#ifndef SEALANE_PORTS_LOSSES_H
#define SEALANE_PORTS_LOSSES_H

#include <stdint.h>

#include "sealane/state.h"

/* Running totals of one port. All zero is a port that has counted nothing yet. */
struct sl_port_losses {
	unsigned int sockets; /* AF_PACKET's, of the driver, by queue; 0 = another kind of port */
	int packet_socket[SL_MAX_LCORES];
	uint64_t in_kernel;           /* lost by its ring: the driver does not report them */
	struct sl_port_counters last; /* at the last look; `name` unused */
	uint64_t unlogged;
	uint64_t next_log_ns;
};

/*
 * Add what was counted since the last call, or since the port was made, to `counters`. Returns how many frames were
 * lost among it on their way in: receive ring full, frames with errors. A driver that was reset counts anew. Control
 * thread only; no privilege needed.
 */
uint64_t sl_port_losses_since(struct sl_port_losses *losses, uint16_t dpdk_port,
                              struct sl_port_counters *counters);

#endif
