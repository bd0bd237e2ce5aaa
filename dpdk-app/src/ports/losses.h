/* SPDX-License-Identifier: Apache-2.0 */
/* Frames that a port lost before the packet path saw them: counted by drivers and the kernel alone. */
#ifndef SEALANE_PORTS_LOSSES_H
#define SEALANE_PORTS_LOSSES_H

#include <stdint.h>

#include "sealane/layout.h"

/* Running totals of one port. All zero is a port that has lost nothing yet. */
struct sl_port_losses {
	unsigned int sockets; /* AF_PACKET's, of the driver, by queue; 0 = another kind of port */
	int packet_socket[SL_MAX_LCORES];
	uint64_t in_kernel; /* by its ring: the driver does not report them */
	uint64_t total;     /* all of them, at the last look */
	uint64_t unlogged;
	uint64_t next_log_ns;
};

/*
 * Frames lost since the last call, or since the port was made: receive ring full, no packet buffer,
 * frames with errors. A driver that was reset counts anew. Control thread only; no privilege needed.
 */
uint64_t sl_port_losses_since(struct sl_port_losses *losses, uint16_t dpdk_port);

#endif
