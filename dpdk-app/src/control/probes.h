/* SPDX-License-Identifier: Apache-2.0 */
/* Path MTU probes on their way from the supervisor to the packet thread, which makes them: stages/probe.c. */
#ifndef SEALANE_CONTROL_PROBES_H
#define SEALANE_CONTROL_PROBES_H

#include "control/fault.h"
#include "worker.h"
#include "worker.pb-c.h"

/* Of one command. */
#define SL_PROBES_MAX 16u
/* Shorter ones are no IPv4 path's MTU (RFC 791). */
#define SL_PROBE_LEAST_BYTES 68u

/* What is out of range in the command, or NULL. */
const char *sl_probes_check(const Sealane__Worker__V1__SendProbes *in);
/*
 * For `first`, the thread that has what the kernel sends; it passes them on to the SA's owner. 0, or -1 with `fault`:
 * NO_MEMORY, and then none of them is sent.
 */
int sl_probes_send(const struct sl_worker *first, const Sealane__Worker__V1__SendProbes *in,
                   struct sl_fault *fault);

#endif
