/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Link aggregation groups (IEEE 802.1AX): several devices that DPDK's bonding driver makes one port of. It spreads frames
 * over the members that distribute, takes in those of members that collect, and keeps LACPDUs apart; LACP itself is
 * lacp/lacp.h's, in the control thread (ADR 33).
 *
 *   packet thread --- burst ---> net_bonding --+-- member 0          control thread:  links, LACP's machines,
 *                                    |         +-- member 1                           who collects and distributes
 *                                LACPDUs in and out, by rings
 *
 * Its device arguments: "lag,rate=fast;MEMBER;MEMBER", each member with device arguments of its own.
 */
#ifndef SEALANE_PORTS_LAG_H
#define SEALANE_PORTS_LAG_H

#include "lacp/lacp.h"
#include "ports/port.h"

struct sl_attempt; /* ports/attempt.h */

struct sl_lag {
	struct sl_lacp lacp;
	struct sl_port_info member[SL_LAG_MEMBERS];
	uint16_t bond;   /* DPDK's id of the group, RTE_MAX_ETHPORTS = not yet */
	uint64_t unsent; /* LACPDUs for which there was no buffer or no room */
};

/* Inside the namespace: make and start the group. 0, or -1 with `fault`; then sl_port_discard(). */
int sl_lag_make(struct sl_attempt *a, struct sl_fault *fault);

/* Close its members; the group itself is closed already. NULL is none. */
void sl_lag_free(struct sl_lag *lag);

/* Whether a member distributes. */
bool sl_lag_is_up(const struct sl_lag *lag);

/* sl_port_losses_since() of all members. */
uint64_t sl_lag_lost(struct sl_lag *lag, struct sl_port_counters *counters);

/*
 * lag_lacp.c: links and LACP of all groups among `ports`, several times a second; `pool` is where LACPDUs come from. Not
 * before packet threads run.
 */
void sl_lag_step(struct sl_port_info *ports, unsigned int count, struct rte_mempool *pool,
                 uint64_t now_ns);

/* lag_lacp.c: what the bonding driver calls with a LACPDU, in EAL's interrupt thread. */
void sl_lag_received(uint16_t member, struct rte_mbuf *frame);
/* lag_lacp.c: before the first of those. 0, or -1: no memory. */
int sl_lag_begin(void);

#endif
