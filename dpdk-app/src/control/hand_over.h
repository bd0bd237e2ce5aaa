/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One worker after another without a packet lost, where the ports' driver allows it. docs/worker.md draws it.
 * Control thread only.
 */
#ifndef SEALANE_CONTROL_HAND_OVER_H
#define SEALANE_CONTROL_HAND_OVER_H

#include "control/control.h"

/* Longest that a standby waits for TakeOver: who started it is gone, or has forgotten it. */
#define SL_STANDBY_SECONDS 120u

/*
 * In the worker that forwards: have every port give this worker its frames although another opens it now, which
 * has `lcores` packet threads. 0, or -1 with `fault` (SL_FAULT_STATE) naming the first port that cannot, or what differs.
 */
int sl_hand_over_prepare(struct sl_control *control, uint32_t lcores, struct sl_fault *fault);

/*
 * In the worker that forwards and shall end: what the ports receive from now on is the standby's; returns when what
 * came before has been forwarded. Ports are nobody's after that, and their devices still open.
 */
void sl_hand_over_give(struct sl_control *control);

/* In the standby: become the writer of segment `state`, and expand the keys of all SAs. 0, or -1 with `fault`. */
int sl_hand_over_take(struct sl_control *control, struct sl_fault *fault);

#endif
