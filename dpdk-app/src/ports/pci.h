/* SPDX-License-Identifier: Apache-2.0 */
/* Who drives a PCI device: DPDK's drivers need it away from the kernel's. */
#ifndef SEALANE_PORTS_PCI_H
#define SEALANE_PORTS_PCI_H

#include "control/fault.h"

/*
 * Look a PCI address up in `sysfs` ("/sys", or a tree made by a test). 0 when DPDK can probe it: bound to
 * vfio-pci, uio_pci_generic or igb_uio, or to a kernel driver that DPDK's shares the device with. Else
 * -1 with `fault`: SL_FAULT_DEVICE_UNKNOWN, or SL_FAULT_DEVICE_BOUND.
 */
int sl_pci_check(const char *sysfs, const char *address, struct sl_fault *fault);

#endif
