/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What writer and readers of the torture agree on. Two readers, each a packet thread of one PE that is its own
 * remote end: what it sends into a tunnel comes back to it on the core interface.
 *
 *   CE interface, VRF in(i) --lookup--> tunnel of i, label(prefix, i) --ESP--> core interface
 *   core interface --SPI, label--> VRF out(i) --lookup--> adjacency on the CE interface of out(i)
 *
 * Customers i = 0..3; reader r has customers 2r and 2r + 1 and their tunnels, since one thread owns each direction
 * of an SA. Prefixes 0 and 1 (one a family), tunnel 0 and adjacency 0 of each customer are there from first to
 * last: nothing that they alone carry may be lost. All others come and go.
 */
#ifndef SEALANE_ADDON_TEST_TORTURE_WORLD_H
#define SEALANE_ADDON_TEST_TORTURE_WORLD_H

#include <stdint.h>

enum {
	TORTURE_READERS = 2,
	TORTURE_CUSTOMERS = 4,
	TORTURE_TUNNELS = 4,     /* of a customer */
	TORTURE_ADJACENCIES = 4, /* the same */
	TORTURE_PREFIXES = 400,
	TORTURE_LASTING = 2, /* of the prefixes */
	TORTURE_PORT_CORE = 1,
	TORTURE_PORT_CE = 2,
	TORTURE_IF_CORE = 1,
};

static inline uint32_t torture_vrf_in(uint32_t i) { return 1 + i; }
static inline uint32_t torture_vrf_out(uint32_t i) { return 1 + TORTURE_CUSTOMERS + i; }
/* Interface of a VRF; the VLAN of a customer's on the CE port is the VRF's number. */
static inline uint32_t torture_interface(uint32_t vrf) { return TORTURE_IF_CORE + vrf; }
static inline uint32_t torture_label(uint32_t prefix, uint32_t i)
{
	return 16 + prefix * TORTURE_CUSTOMERS + i;
}

struct torture_prefix {
	uint8_t family; /* 4 or 6 */
	uint8_t length;
	uint8_t address[16]; /* network order, IPv4 in the first four bytes */
};

#endif
