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
#include "sealane/layout.h"

#define SL_PORT_NAME_LEN 64u

struct sl_port_request {
	uint32_t id;         /* stable, 1..SL_MAX_PORTS-1 */
	const char *name;    /* for messages */
	const char *devargs; /* as the supervisor gave them */
	int netns;           /* descriptor of the namespace to work in, -1 = our own */
	unsigned int mtu;    /* largest IP packet, bytes */
	bool promiscuous;
};

struct sl_port_info {
	bool exists;
	char name[SL_PORT_NAME_LEN];
	char devargs[SL_DEVARGS_LEN]; /* as the supervisor gave them */
	char driver[64];
	uint16_t dpdk_port;
	unsigned int mtu;
	bool promiscuous;
	uint8_t mac[6];
	bool link_up;
	int claim; /* kernel_device.h, -1 = none */
	struct sl_port_losses losses;
};

/* What the worker can give to ports. */
struct sl_port_limits {
	struct rte_mempool *pool;
	unsigned int max_mtu;
	bool pci; /* EAL scans the PCI bus */
};

/*
 * Make the device, configure one receive and one transmit queue, and start it; probe, MTU, flags and
 * start happen in the port's namespace. Nothing is left behind by a failure. 0, or -1 with `fault`.
 * Needs privileges, so it comes before Start.
 */
int sl_port_add(struct sl_port_info *port, const struct sl_port_request *request,
                const struct sl_port_limits *limits, struct sl_fault *fault);

/* Stop and close. Needs no privilege and no namespace: it only closes what is open. */
void sl_port_remove(struct sl_port_info *port);

/*
 * af_packet_socket.c: the socket of the AF_PACKET port that was made last, the driver's to close; -1 when
 * none was made since the last call.
 */
int sl_af_packet_socket_take(void);

/* Read the link state; true when it differs from port->link_up, which is updated. */
bool sl_port_link_changed(struct sl_port_info *port);

#endif
