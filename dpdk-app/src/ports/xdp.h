/* SPDX-License-Identifier: Apache-2.0 */
/* What an AF_XDP port leaves on its interface when its worker ends. */
#ifndef SEALANE_PORTS_XDP_H
#define SEALANE_PORTS_XDP_H

#include "control/fault.h"

/*
 * Detach libbpf's "xsk_def_prog" from `iface` of the calling thread's network namespace, if it is there. A
 * worker has no privilege left to detach it when it ends, and a new AF_XDP socket cannot be made while the
 * old program, whose socket map has lost its owner, is in place. A program of any other name stays: it
 * is somebody's. The caller holds the claim on the interface. 0, or -1 with `fault`.
 */
int sl_xdp_detach_stale(const char *iface, struct sl_fault *fault);

#endif
