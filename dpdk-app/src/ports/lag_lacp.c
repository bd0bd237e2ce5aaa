/* SPDX-License-Identifier: Apache-2.0 */
#include <rte_eth_bond_8023ad.h>
#include <rte_ethdev.h>
#include <rte_ring.h>
#include <string.h>

#include "control/log.h"
#include "ports/lag.h"

#define SL_RECEIVED 256u

/* LACPDUs from EAL's interrupt thread to the control thread; one for all groups, because the driver says no more than a member. */
static struct rte_ring *received;

int sl_lag_begin(void)
{
	if (received == NULL)
		received = rte_ring_create("sealane_lacp", SL_RECEIVED, SOCKET_ID_ANY,
		                           RING_F_SP_ENQ | RING_F_SC_DEQ);
	return received == NULL ? -1 : 0;
}

void sl_lag_received(uint16_t member, struct rte_mbuf *frame)
{
	frame->port = member;
	if (rte_ring_sp_enqueue(received, frame) != 0)
		rte_pktmbuf_free(frame); /* the partner says it again */
}

static void take(struct sl_lag *lag, const struct rte_mbuf *frame, uint64_t now_ns)
{
	for (unsigned int i = 0; i < lag->lacp.count; i++)
		if (lag->member[i].dpdk_port == frame->port)
			sl_lacp_receive(&lag->lacp, i, rte_pktmbuf_mtod(frame, const uint8_t *),
			                rte_pktmbuf_data_len(frame), now_ns);
}

static void look_at_links(struct sl_lag *lag)
{
	for (unsigned int i = 0; i < lag->lacp.count; i++) {
		struct sl_port_info *member = &lag->member[i];

		if (sl_port_link_changed(member))
			sl_log(SL_LOG_WARNING, "member %s: link %s", member->name,
			       member->link_up ? "up" : "down");
		sl_lacp_link(&lag->lacp, i, member->link_up);
	}
}

/* The driver forgets what it was told when a link goes and comes back. */
static void apply(const struct sl_lag *lag, unsigned int i)
{
	uint16_t member = lag->member[i].dpdk_port;
	int collects = sl_lacp_collects(&lag->lacp, i), was;
	int distributes = sl_lacp_distributes(&lag->lacp, i);

	was = rte_eth_bond_8023ad_ext_collect_get(lag->bond, member);
	if (was >= 0 && (was != 0) != (collects != 0))
		(void)rte_eth_bond_8023ad_ext_collect(lag->bond, member, collects);
	was = rte_eth_bond_8023ad_ext_distrib_get(lag->bond, member);
	if (was >= 0 && (was != 0) != (distributes != 0)) {
		(void)rte_eth_bond_8023ad_ext_distrib(lag->bond, member, distributes);
		sl_log(SL_LOG_INFO, "member %s: %s", lag->member[i].name,
		       distributes != 0 ? "distributes" : "distributes no more");
	}
}

static void say(struct sl_lag *lag, unsigned int i, struct rte_mempool *pool, uint64_t now_ns)
{
	const struct sl_port_info *member = &lag->member[i];
	uint8_t frame[SL_LACP_FRAME];
	struct rte_mbuf *mbuf;
	char *at;

	if (!sl_lacp_send(&lag->lacp, i, member->mac, frame, now_ns))
		return;
	mbuf = rte_pktmbuf_alloc(pool);
	at = mbuf != NULL ? rte_pktmbuf_append(mbuf, sizeof(frame)) : NULL;
	if (at != NULL) {
		memcpy(at, frame, sizeof(frame));
		if (rte_eth_bond_8023ad_ext_slowtx(lag->bond, member->dpdk_port, mbuf) == 0)
			return;
	}
	rte_pktmbuf_free(mbuf);
	sl_lacp_unsent(&lag->lacp, i);
	lag->unsent++;
}

static void step(struct sl_lag *lag, struct rte_mempool *pool, uint64_t now_ns)
{
	look_at_links(lag);
	sl_lacp_step(&lag->lacp, now_ns);
	for (unsigned int i = 0; i < lag->lacp.count; i++) {
		apply(lag, i);
		say(lag, i, pool, now_ns);
	}
}

void sl_lag_step(struct sl_port_info *ports, unsigned int count, struct rte_mempool *pool,
                 uint64_t now_ns)
{
	struct rte_mbuf *frame;

	while (received != NULL && rte_ring_sc_dequeue(received, (void **)&frame) == 0) {
		for (unsigned int i = 0; i < count; i++)
			if (ports[i].lag != NULL)
				take(ports[i].lag, frame, now_ns);
		rte_pktmbuf_free(frame);
	}
	for (unsigned int i = 0; i < count; i++)
		if (ports[i].lag != NULL)
			step(ports[i].lag, pool, now_ns);
}
