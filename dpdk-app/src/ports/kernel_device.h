/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel interface that is used as a port through AF_PACKET or AF_XDP. Every function works in the
 * network namespace of the calling thread (netns.h).
 */
#ifndef SEALANE_PORTS_KERNEL_DEVICE_H
#define SEALANE_PORTS_KERNEL_DEVICE_H

#include <stdbool.h>

#include "control/fault.h"

/*
 * Claim an interface for this process, so that no two workers receive the same frames: AF_PACKET itself
 * would let them. The claim is an abstract unix socket, whose names are per network namespace; it ends
 * with the process. Returns its descriptor, or -1 with `fault`: SL_FAULT_DEVICE_UNKNOWN when there is no
 * such interface, SL_FAULT_DEVICE_BUSY when another worker has it, SL_FAULT_NO_PRIVILEGE.
 */
int sl_kernel_device_claim(const char *iface, struct sl_fault *fault);

/*
 * For an interface that another worker is about to let go of: a descriptor that claims nothing, or -1 with
 * `fault`; and the claim, by that descriptor and from any namespace: 0, or -1 with `fault` (SL_FAULT_DEVICE_BUSY).
 */
int sl_kernel_device_claim_later(struct sl_fault *fault);
int sl_kernel_device_claim_now(int fd, const char *iface, struct sl_fault *fault);

/*
 * Set the interface's MTU (when it differs) and have it receive all multicast, or everything when
 * `promiscuous`. 0, or -1 with `fault`.
 */
int sl_kernel_device_prepare(const char *iface, unsigned int mtu, bool promiscuous,
                             struct sl_fault *fault);

#endif
