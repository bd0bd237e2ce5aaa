/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "STATE.epoch": 16 hexadecimal digits, the epoch for which a state segment was last made. It tells a
 * segment that was lost from one that never was, so that keys whose sequence numbers are unknown are
 * not used again (policy-model 22).
 */
#ifndef SEALANE_SEGMENTS_EPOCH_MARK_H
#define SEALANE_SEGMENTS_EPOCH_MARK_H

#include <stdint.h>

#include "control/fault.h"

/* 0 when there is none or it does not read. */
uint64_t sl_epoch_mark_read(const char *state_path);

int sl_epoch_mark_write(const char *state_path, uint64_t epoch, struct sl_fault *fault);

#endif
