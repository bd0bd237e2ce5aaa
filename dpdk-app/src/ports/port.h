/* SPDX-License-Identifier: Apache-2.0 */
/* Ports: devices made, configured and started by hotplug, known by the supervisor's stable port ids. */
#ifndef SEALANE_PORTS_PORT_H
#define SEALANE_PORTS_PORT_H

#include <rte_mempool.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/fault.h"
#include "ports/devargs.h"
#include "ports/losses.h"
#include "ports/offloads.h"
#include "ports/queues.h"
#include "sealane/layout.h"
#include "sealane/state.h"

#define SL_PORT_NAME_LEN 64u

struct sl_port_request {
	uint32_t id;         /* stable, 1..SL_MAX_PORTS-1 */
	const char *name;    /* for messages */
	const char *devargs; /* as the supervisor gave them */
	int netns;           /* descriptor of the namespace to work in, -1 = our own */
	unsigned int mtu;    /* largest IP packet, bytes */
	bool promiscuous;
	bool no_offloads; /* do all in software */
	bool standby;     /* the worker that forwards may have the device, too */
};

/* Of a queue, where the driver has no narrower bounds. */
#define SL_TX_DESCRIPTORS 512u

struct sl_lag; /* ports/lag.h */

struct sl_port_info {
	bool exists;
	char name[SL_PORT_NAME_LEN];
	char devargs[SL_DEVARGS_LEN]; /* as the supervisor gave them */
	char driver[64];
	uint16_t dpdk_port;
	unsigned int mtu;
	bool promiscuous;
	bool no_offloads;  /* as the supervisor wants it */
	uint64_t offloads; /* RTE_ETH_RX_OFFLOAD_* that were asked for */
	char offload_names[SL_OFFLOADS_TEXT];
	uint8_t mac[6];
	bool link_up;
	int claim;      /* kernel_device.h, -1 = none */
	bool claim_due; /* another worker has it still: sl_port_claim() */
	struct sl_port_queues queues;
	struct sl_port_losses losses;
	bool keeps_sent; /* its driver keeps the buffers of frames until they are sent, or longer */
	uint32_t buffers[SL_POOLS]; /* that its rings hold */
	struct sl_lag *lag;         /* its members, NULL when it is no link aggregation group */
};

/* What the worker can give to ports. */
struct sl_port_limits {
	struct rte_mempool *pool;  /* ordinary buffers */
	struct rte_mempool *jumbo; /* for max_mtu; NULL: the ordinary ones are */
	unsigned int max_mtu;
	bool pci;                   /* EAL scans the PCI bus */
	unsigned int threads;       /* packet threads: queues wanted */
	uint32_t buffers[SL_POOLS]; /* that are left for rings of ports */
	unsigned int memory_mb;
};

/*
 * Make the device, configure its queues, and start it; probe, MTU, flags and
 * start happen in the port's namespace. Nothing is left behind by a failure. 0, or -1 with `fault`.
 * Needs privileges, so it comes before Start.
 */
int sl_port_add(struct sl_port_info *port, const struct sl_port_request *request,
                const struct sl_port_limits *limits, struct sl_fault *fault);

/* Stop and close. Needs no privilege and no namespace: it only closes what is open. */
void sl_port_remove(struct sl_port_info *port);

/*
 * af_packet_socket.c: the sockets of the AF_PACKET port that was made last, by queue; the driver's to close. Returns how
 * many: 0 when none was made since the last call.
 */
unsigned int sl_af_packet_sockets_take(int sockets[SL_MAX_LCORES]);

/*
 * af_packet_socket.c: have them join their interface's group, and hear what it gives them. `standby`: another worker's
 * are members, and will leave. 0, or -1 with errno.
 */
int sl_af_packet_join(const int *sockets, unsigned int count, bool standby);

/*
 * fan_out.c: give what the interface receives from now on to the `count` members of its group from `first`
 * on, each flow to one of them. When it returns no frame is on its way to the members before. 0, or -1 with errno: the
 * socket is in no group.
 */
int sl_af_packet_direct(int packet_socket, uint32_t first, uint32_t count);

/* Of the workers that have a port's device open, who gets its frames. Both have as many queues. */
enum sl_port_member {
	SL_PORT_FIRST = 0, /* who opened it first of those that are left */
	SL_PORT_NEXT = 1,  /* who opened it after that one; the only one, when there is one alone */
};

/* 0, or -1 with `fault` (SL_FAULT_STATE): the port's driver gives frames to one process only. */
int sl_port_direct(const struct sl_port_info *port, enum sl_port_member member,
                   struct sl_fault *fault);

/* Claim what was not free when the port was made for a standby. 0, or -1 with `fault` (SL_FAULT_DEVICE_BUSY). */
int sl_port_claim(struct sl_port_info *port, struct sl_fault *fault);

/* Let another worker claim the port's device, which stays open here. */
void sl_port_disclaim(struct sl_port_info *port);

/* sl_port_losses_since() of the port, or of all members of a group. */
uint64_t sl_port_lost(struct sl_port_info *port, struct sl_port_counters *counters);

/* Read the link state; true when it differs from port->link_up, which is updated. */
bool sl_port_link_changed(struct sl_port_info *port);

#endif
