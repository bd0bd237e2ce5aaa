/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues of CE interfaces, a part of segment `tables`. What leaves by an interface waits in one of its queues: frames of the
 * kernel, and packets by class. Slots of queues are numbers of classes; the kernel's comes behind them.
 */
#ifndef SEALANE_EGRESS_H
#define SEALANE_EGRESS_H

#include "layout.h"

#define SL_QUEUE_KERNEL SL_MAX_CLASSES

/*
 * By interface row. Words and bytes are atomic, each may be stored while packets flow; `change` is stored last. A
 * queue that no class leads to any more has limit and quantum as well, until it is empty.
 */
struct sl_egress_row {
	uint64_t cost;  /* 2^-28 ns that a byte of a frame takes: sl_policer_cost(); 0 = no rate */
	uint64_t depth; /* 2^-12 ns by which sending may be behind the rate, to be made up for */
	uint32_t
		generation; /* raised when the interface row becomes an interface's; 0 = it never did */
	uint32_t change;                       /* raised with each change of what is below */
	uint32_t limit[SL_INTERFACE_QUEUES];   /* packets */
	uint32_t quantum[SL_INTERFACE_QUEUES]; /* bytes in a round of deficit round robin */
	/* slots of strict priority, in their order; SL_QUEUE_NONE behind the last */
	uint8_t strict[SL_INTERFACE_QUEUES];
	uint8_t queue_of_class[SL_MAX_CLASSES]; /* slot */
	uint8_t reserved[15];
};
SL_SIZE(struct sl_egress_row, 128);
#define SL_QUEUE_NONE 0xffu

#define SL_EGRESS_MIN_QUANTUM 64u
#define SL_EGRESS_MAX_QUANTUM (1u << 24)
#define SL_EGRESS_MAX_LIMIT 65535u

static inline uint32_t sl_queue_index(uint32_t interface, uint32_t slot)
{
	return (interface & (SL_MAX_INTERFACES - 1)) * SL_INTERFACE_QUEUES + slot;
}

#endif
