/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stages of the packet path. Each takes a whole burst, disposes of the packets that end in it
 * (dropped and counted, given to the kernel, answered by ICMP), compacts the others in order and
 * returns how many they are. pipeline.c says which follows which.
 *
 * A stage leaves packets of other lanes alone, so one array carries packets that came differently.
 */
#ifndef SEALANE_STAGES_STAGE_H
#define SEALANE_STAGES_STAGE_H

#include <stdint.h>

#include "worker.h"

/* What a packet is, so which stages still concern it (struct sl_packet.lane). */
enum sl_lane {
	SL_LANE_IP = 1, /* IP packet to be looked up in the VRF noted */
	SL_LANE_CE,     /* IP packet from a CE, not looked at yet */
	SL_LANE_CORE,   /* IP packet from a core interface, not looked at yet */
	SL_LANE_LOCAL,  /* the same, to be found local or not */
	SL_LANE_ESP,    /* ESP at upper_offset */
	SL_LANE_SEALED, /* the same, its SA found: to be opened */
	SL_LANE_GRE,    /* GRE at upper_offset */
	SL_LANE_MPLS,   /* label stack at upper_offset */
	SL_LANE_DIRECT, /* IP packet whose next hop is known already: a label said so */
	SL_LANE_LINK,   /* to leave by an adjacency */
	SL_LANE_SENT,   /* the same, in its frame already */
	SL_LANE_TUNNEL, /* to leave by a tunnel */
	SL_LANE_SWAP, /* under a label that is swapped (family 0); its next hop is known already */
	SL_LANE_TCP,  /* TCP at upper_offset, out of an SA, for the kernel */
	SL_LANE_HOST, /* between threads: a frame from the kernel */
	SL_LANE_PORT, /* between threads: a finished frame, to leave by `interface` */
};

/* Ethernet: MAC, VLAN, EtherType; finds the interface. Only it sees uninitialised notes. */
uint16_t sl_stage_rx(struct sl_worker *w, uint32_t port, struct rte_mbuf **frames, uint16_t n);
/* IP from a CE: header, addresses that are not routed, what concerns the link alone. */
uint16_t sl_stage_ce(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
/* Policers of the CE interfaces that have some: colour, DSCP, drop. */
uint16_t sl_stage_police(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
/* IP from the core: header, upper protocol. */
uint16_t sl_stage_core(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
/* Core packets that no SA claims: for us (tunnel in clear, or the kernel's) or not. */
uint16_t sl_stage_local(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
/* SA by SPI, outer addresses, replay check. */
uint16_t sl_stage_esp_sa(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
/* Decrypt, integrity, window; padding, application, selectors. */
uint16_t sl_stage_esp_open(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
/* TCP out of an SA of BGP: its IP header restored, to the kernel. */
uint16_t sl_stage_host_tcp(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
/* GRE header. */
uint16_t sl_stage_decap(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
/* Label stack, accepted set, inner header; finds VRF or next hop. */
uint16_t sl_stage_label(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
/* IP packets from a VRF's host TAP: header. */
uint16_t sl_stage_host(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
/* Path MTU probes of the supervisor: a dummy packet of the size asked for in the place of each, to be sealed. */
uint16_t sl_stage_probe(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
/* Longest-prefix match in the packet's VRF. */
uint16_t sl_stage_lookup(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
/* Route to next-hop version: accepted set of the route, local delivery, discard routes. */
uint16_t sl_stage_nexthop(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
/* Label, GRE or IP, ESP header and trailer, sequence numbers: all bytes but the encryption. */
uint16_t sl_stage_encap(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
/* Encrypt. */
uint16_t sl_stage_esp_seal(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
/* Ethernet header of the next hop. */
uint16_t sl_stage_link(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
/* Queue on the output interface's port; consumes all, returns 0. */
uint16_t sl_stage_tx(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
/* Finished frames of threads that have no queue there; consumes all, returns 0. */
uint16_t sl_stage_tx_passed(struct sl_worker *w, struct rte_mbuf **frames, uint16_t n);
/* Frames from the kernel: what a host policy names is laid out for its SA, or dropped. */
uint16_t sl_stage_host_policy(struct sl_worker *w, struct rte_mbuf **frames, uint16_t n);
/* Frames from the kernel: VLAN tag, queue on the interface's port; consumes all, returns 0. */
uint16_t sl_stage_inject(struct sl_worker *w, struct rte_mbuf **frames, uint16_t n);

#endif
