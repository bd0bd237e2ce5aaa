/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Link state of the kernel interface behind an AF_PACKET port. DPDK's driver says "up" for ever; the kernel is asked
 * by the driver's own packet socket, which needs no privilege, lies in the interface's namespace, and knows
 * the interface by its index: one of the same name that was made since is another.
 */
#ifndef SEALANE_PORTS_KERNEL_LINK_H
#define SEALANE_PORTS_KERNEL_LINK_H

#include <stdbool.h>

/* Up, and with a carrier. False also when the interface is gone. */
bool sl_kernel_link_up(int packet_socket);

#endif
