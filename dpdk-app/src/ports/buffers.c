/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/buffers.h"

#include <stdio.h>

#include "control/budget.h"
#include "ports/lag.h"

static const struct rte_mempool *pool_of(const struct sl_port_limits *limits, unsigned int i)
{
	return i == SL_POOL_LARGE ? limits->jumbo : limits->pool;
}

void sl_port_buffers_free(const struct sl_port_limits *limits, uint32_t free[SL_POOLS])
{
	for (unsigned int i = 0; i < SL_POOLS; i++)
		free[i] = pool_of(limits, i) == NULL ? 0
		                                     : rte_mempool_avail_count(pool_of(limits, i));
}

/* Frames that are sent, or have been: most drivers give buffers back when they need the descriptors again. */
static uint32_t kept(const struct sl_port_info *port)
{
	uint32_t devices = port->keeps_sent;

	for (unsigned int i = 0; port->lag != NULL && i < port->lag->lacp.count; i++)
		devices += port->lag->member[i].keeps_sent;
	return devices * port->queues.tx * SL_TX_DESCRIPTORS;
}

int sl_port_buffers_take(struct sl_port_info *port, const struct sl_port_request *request,
                         const struct sl_port_limits *limits, const uint32_t before[SL_POOLS],
                         struct sl_fault *fault)
{
	uint32_t after[SL_POOLS];
	char remedy[96];

	sl_port_buffers_free(limits, after);
	for (unsigned int i = 0; i < SL_POOLS; i++) {
		uint32_t wanted = before[i] - RTE_MIN(after[i], before[i]);

		if (i == SL_POOL_ORDINARY)
			wanted += kept(port);
		port->buffers[i] = wanted;
		if (wanted <= limits->buffers[i])
			continue;
		(void)snprintf(remedy, sizeof(remedy),
		               "start the worker with --memory-mb %u or more",
		               sl_budget_more_mb(limits->memory_mb, pool_of(limits, i)->size,
		                                 wanted - limits->buffers[i]));
		return sl_fail(
			fault, SL_FAULT_NO_MEMORY, remedy,
			"port %s: its rings take %u of the %u %spacket buffers, and %u are left "
			"for ports",
			request->name, wanted, pool_of(limits, i)->size,
			i == SL_POOL_LARGE ? "large " : "", limits->buffers[i]);
	}
	return 0;
}
