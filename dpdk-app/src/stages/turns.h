/* SPDX-License-Identifier: Apache-2.0 */
/* Which of an interface's queues sends next: strict priority, then deficit round robin. */
#ifndef SEALANE_STAGES_TURNS_H
#define SEALANE_STAGES_TURNS_H

#include "stages/queue.h"

/* A queue that has packets: it gets its turns, unless it has strict priority, or gets them already. */
void sl_turns_join(struct sl_egress *e, const struct sl_egress_row *row, uint32_t slot);

/* Slot of the queue that may send now; SL_INTERFACE_QUEUES: none has anything. */
uint32_t sl_turns_choose(struct sl_egress *e, const struct sl_egress_row *row);

/* A frame has gone out of the queue that was chosen: what it took of its turn. */
void sl_turns_sent(struct sl_egress *e, const struct sl_egress_row *row, uint32_t slot,
                   uint32_t bytes);

#endif
