/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DPDK device arguments: "NAME[,KEY=VALUE]...", where NAME is a PCI address ("0000:03:00.0") or a
 * virtual device's driver with a suffix of one's own ("net_af_packet1").
 */
#ifndef SEALANE_PORTS_DEVARGS_H
#define SEALANE_PORTS_DEVARGS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "control/fault.h"

#define SL_DEVARGS_LEN 512u

enum sl_device_kind {
	SL_DEVICE_PCI,
	SL_DEVICE_AF_PACKET, /* a kernel interface through AF_PACKET */
	SL_DEVICE_AF_XDP,    /* a kernel interface through AF_XDP */
	SL_DEVICE_VIRTUAL,   /* net_null, net_ring, net_pcap, net_memif, ... */
	SL_DEVICE_LAG,       /* a link aggregation group of others: lag.h */
};

struct sl_devargs {
	enum sl_device_kind kind;
	char name[64];        /* device name: the part before the first ',' */
	char iface[IFNAMSIZ]; /* kernel interface, "" when there is none */
};

/* Take apart what the supervisor sent. 0, or -1 with `fault` (SL_FAULT_MALFORMED). */
int sl_devargs_parse(const char *text, struct sl_devargs *devargs, struct sl_fault *fault);

/* Value of the first argument `key`, copied to `value`; false when there is none or it is too long. */
bool sl_devargs_get(const char *text, const char *key, char *value, size_t size);

/* Size of an AF_PACKET ring's frame that holds `mtu` bytes of IP. */
unsigned int sl_af_packet_frame(unsigned int mtu);

/*
 * The arguments to probe with. For AF_PACKET `queues` queue pairs, and rings whose frames hold `mtu` bytes of IP
 * plus Ethernet and two VLAN tags, are filled in where `text` does not say otherwise; 2 x 512 frames
 * for each queue pair (2 MB of kernel memory with the usual MTUs). 0, or -1 with `fault`.
 */
int sl_devargs_complete(const char *text, const struct sl_devargs *devargs, unsigned int mtu,
                        unsigned int queues, char *out, size_t size, struct sl_fault *fault);

#endif
