/* SPDX-License-Identifier: Apache-2.0 */
/* Packet buffers that the rings of ports hold, and whether there are so many for them (ADR 35). */
#ifndef SEALANE_PORTS_BUFFERS_H
#define SEALANE_PORTS_BUFFERS_H

#include "ports/port.h"

/* Free buffers by pool: before a port is made. */
void sl_port_buffers_free(const struct sl_port_limits *limits, uint32_t free[SL_POOLS]);

/* The port is made: note what it took since then, and may take. 0, or -1 with `fault`: more than is left. */
int sl_port_buffers_take(struct sl_port_info *port, const struct sl_port_request *request,
                         const struct sl_port_limits *limits, const uint32_t before[SL_POOLS],
                         struct sl_fault *fault);

#endif
