/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Privileges: wanted while ports are made, given up in every thread before the first packet. Linux
 * keeps capabilities per thread, and EAL has threads of its own.
 */
#ifndef SEALANE_CONTROL_PRIVILEGES_H
#define SEALANE_CONTROL_PRIVILEGES_H

#include <stdbool.h>

#include "control/fault.h"

/*
 * Before any other thread exists, so that all inherit it: no new privileges by exec, an empty bounding
 * set, and no core dump (keys are in memory). What the system refuses is logged: it leaves the worker
 * less protected, not less correct.
 */
void sl_privileges_prepare(void);

/* True when the calling thread has the capability (CAP_* of linux/capability.h) in effect. */
bool sl_privileges_have(unsigned int capability);

/*
 * Drop every capability in every thread of this process, then read /proc/self/task to see that none is
 * left. 0, or -1 with `fault` (SL_FAULT_INTERNAL). Control thread only.
 */
int sl_privileges_drop(struct sl_fault *fault);

#endif
