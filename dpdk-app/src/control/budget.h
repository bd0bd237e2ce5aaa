/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where packet buffers may wait, and how many, so that there are always some for what ports receive. Of each pool:
 *
 *   a quarter           queues of CE interfaces (stages/queue.h)
 *   a quarter at most   held packets, fragments, and rings between threads
 *   the rest            rings of ports, the pool's caches, and packets being forwarded
 *
 * docs/adr/0035-packet-buffers.md.
 */
#ifndef SEALANE_CONTROL_BUDGET_H
#define SEALANE_CONTROL_BUDGET_H

#include "control/fault.h"
#include "worker.h"

/* One less than a power of two is what a ring has room for. */
#define SL_PUNT_MOST 1023u
#define SL_INJECT_MOST 1023u

struct sl_budget {
	struct sl_waiting waiting; /* of each packet thread */
	unsigned int punt;         /* on the ring from each packet thread to the control thread */
	unsigned int inject;       /* on the ring from the control thread */
	unsigned int pass_ring;    /* on the ring between two packet threads; 0: there is one */
	unsigned int waits;        /* all of these together */
	unsigned int ports[SL_POOLS]; /* left to the rings of ports */
	unsigned int full_mb; /* memory with which nothing of these is less than it may be */
};

/*
 * For pools of so many buffers (0: there is no such pool), which is what `memory_mb` gives, and for so many packet threads. 0, or
 * -1 with `fault`: these are too few for any work.
 */
int sl_budget_make(struct sl_budget *budget, const unsigned int buffers[SL_POOLS],
                   unsigned int memory_mb, unsigned int threads, struct sl_fault *fault);

/* Buffers that a pool keeps for one thread, of so many packet threads. */
unsigned int sl_budget_cache(unsigned int buffers, unsigned int threads);

/* Memory that gives `missing` buffers more to ports than `memory_mb` does, of a pool of `buffers`. */
unsigned int sl_budget_more_mb(unsigned int memory_mb, unsigned int buffers, unsigned int missing);

#endif
