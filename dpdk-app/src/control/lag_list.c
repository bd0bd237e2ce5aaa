/* SPDX-License-Identifier: Apache-2.0 */
#include "control/lag_list.h"

#include <rte_ethdev.h>

#include "ports/lag.h"

/* A member and its group take one of DPDK's ports each. */
static struct {
	Sealane__Worker__V1__LagList list;
	Sealane__Worker__V1__LagMember member[RTE_MAX_ETHPORTS];
	Sealane__Worker__V1__LagMember *members[RTE_MAX_ETHPORTS];
	Sealane__Worker__V1__LagEnd ends[2 * RTE_MAX_ETHPORTS];
} told;

static Sealane__Worker__V1__LagEnd *fill_end(Sealane__Worker__V1__LagEnd *out,
                                             const struct sl_lacp_end *end)
{
	sealane__worker__v1__lag_end__init(out);
	out->system_priority = end->system_priority;
	out->system.data = (uint8_t *)(uintptr_t)end->system;
	out->system.len = sizeof(end->system);
	out->key = end->key;
	out->port_priority = end->port_priority;
	out->port = end->port;
	out->state = end->state;
	return out;
}

static void fill_member(size_t n, uint32_t port, const struct sl_lag *lag, unsigned int i)
{
	Sealane__Worker__V1__LagMember *out = &told.member[n];
	const struct sl_port_info *member = &lag->member[i];
	const struct sl_lacp_port *lacp = &lag->lacp.port[i];
	struct rte_eth_stats stats = {0};

	sealane__worker__v1__lag_member__init(out);
	(void)rte_eth_stats_get(member->dpdk_port, &stats);
	out->port = port;
	out->name = (char *)(uintptr_t)member->name;
	out->link_up = member->link_up;
	out->selected = lacp->selected;
	out->actor = fill_end(&told.ends[2 * n], &lacp->actor);
	out->partner = fill_end(&told.ends[2 * n + 1], &lacp->partner);
	out->rx_lacpdus = lacp->received;
	out->tx_lacpdus = lacp->sent;
	out->rx_malformed = lacp->malformed;
	out->rx_packets = stats.ipackets;
	out->rx_bytes = stats.ibytes;
	out->tx_packets = stats.opackets;
	out->tx_bytes = stats.obytes;
}

Sealane__Worker__V1__LagList *sl_lag_list(const struct sl_port_info *ports)
{
	sealane__worker__v1__lag_list__init(&told.list);
	told.list.members = told.members;
	for (uint32_t id = 1; id < SL_MAX_PORTS; id++) {
		const struct sl_lag *lag = ports[id].exists ? ports[id].lag : NULL;

		for (unsigned int i = 0; lag != NULL && i < lag->lacp.count; i++) {
			size_t n = told.list.n_members;

			if (n == RTE_MAX_ETHPORTS)
				return &told.list;
			fill_member(n, id, lag, i);
			told.members[n] = &told.member[n];
			told.list.n_members++;
		}
	}
	return &told.list;
}
