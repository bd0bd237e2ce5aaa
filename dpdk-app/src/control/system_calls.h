/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After start the worker makes the system calls of a list alone (seccomp, ADR 25): no program, process,
 * namespace, mount, or other process's memory, whatever a packet or a command made of it.
 */
#ifndef SEALANE_CONTROL_SYSTEM_CALLS_H
#define SEALANE_CONTROL_SYSTEM_CALLS_H

#include "control/fault.h"

/*
 * Restrict every thread of this process, and all that they start, for good. Another call from then on
 * is logged and ends the process by SIGSYS. A kernel without seccomp is logged, and leaves the worker less
 * protected. 0, or -1 with `fault` (SL_FAULT_INTERNAL). Control thread only, no new privileges being set.
 */
int sl_system_calls_restrict(struct sl_fault *fault);

#endif
