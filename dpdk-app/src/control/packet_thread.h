/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads that run the packet path: each polls its queues of the ports, its inject ring and what the other
 * threads pass to it, and sleeps when there is nothing to do. As a reader of `tables` it is online (its
 * block's epoch holds the reclaim epoch it saw) while it works, and offline (0) while it sleeps, unless another
 * thread has packets of it.
 */
#ifndef SEALANE_CONTROL_PACKET_THREAD_H
#define SEALANE_CONTROL_PACKET_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "worker.h"

struct sl_packet_thread {
	struct sl_worker *worker;
	bool idle_poll;                  /* never sleep */
	uint32_t port_count;             /* fixed while it runs */
	uint32_t port_ids[SL_MAX_PORTS]; /* stable ids of the ports that it has a queue of */
	uint32_t lag_count;              /* of these, those whose LACPDUs it sends */
	uint32_t lag_ids[SL_MAX_PORTS];
	uint32_t stop; /* atomic: 1 = leave */
	bool launched;
	unsigned int lcore;
};

struct sl_packet_threads {
	unsigned int count;
	struct sl_packet_thread thread[SL_MAX_LCORES];
};

/* 0, or -1 when an lcore is busy: the threads before it run. */
int sl_packet_threads_launch(struct sl_packet_threads *threads);

/*
 * Ask them to leave, and wait until they have; then bring what they passed to each other to its end. No packet is
 * lost.
 */
void sl_packet_threads_stop(struct sl_packet_threads *threads);

/*
 * Wait until no thread holds a pointer that it took before this call: it is asleep, or has finished the
 * round it was in. 0, or -1 after a second without progress. `context` is a struct sl_packet_threads.
 */
int sl_packet_threads_quiesce(void *context);

/* Wait until every thread has looked at all of its queues once more, from first to last. 0, or -1 as above. */
int sl_packet_threads_look(const struct sl_packet_threads *threads);

#endif
