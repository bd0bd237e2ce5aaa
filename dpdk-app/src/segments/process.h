/* SPDX-License-Identifier: Apache-2.0 */
/* Who a process is: {pid, start time}, since a pid alone is reused. */
#ifndef SEALANE_SEGMENTS_PROCESS_H
#define SEALANE_SEGMENTS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* Field 22 of /proc/PID/stat, clock ticks since boot; 0 when there is no such process. */
uint64_t sl_process_start_time(uint32_t pid);

/* True while the process that had this pid and start time runs (a zombie does not). */
bool sl_process_alive(uint32_t pid, uint64_t start_time);

#endif
