/* SPDX-License-Identifier: Apache-2.0 */
/* What the control thread counts for packet threads and drivers in segment `state`: ports and packet buffers. */
#ifndef SEALANE_CONTROL_COUNTERS_H
#define SEALANE_CONTROL_COUNTERS_H

#include "control/control.h"

/* At Start: counters of ports that had these ids before are zeroed, and the pools are what this worker has. */
void sl_counters_begin(struct sl_control *control);

/* Once a second: what a port's driver and the kernel have counted since, and a line in the log about frames lost. */
void sl_counters_port(struct sl_control *control, uint32_t id, uint64_t now_ns);

/* In every turn: every 10 ms, how many packet buffers are free. */
void sl_counters_pools(struct sl_control *control, uint64_t now_ns);

#endif
