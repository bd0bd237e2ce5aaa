/* SPDX-License-Identifier: Apache-2.0 */
/* Segment `tables`, as the worker has it: mapped read-only. */
#ifndef SEALANE_SEGMENTS_TABLES_SEGMENT_H
#define SEALANE_SEGMENTS_TABLES_SEGMENT_H

#include "control/fault.h"
#include "sealane/tables.h"

/*
 * Map the segment at `path`. Waits up to `wait_ms` for the file to exist and for its creator to
 * complete it; then checks magic, layout version, layout hash and size. NULL with `fault`
 * (SL_FAULT_SEGMENT) when it is not what this worker was built for.
 */
const struct sl_tables *sl_tables_attach(const char *path, unsigned int wait_ms,
                                         struct sl_fault *fault);

void sl_tables_detach(const struct sl_tables *tables);

#endif
