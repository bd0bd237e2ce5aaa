/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that runs the packet path: it polls ports and the inject ring, and sleeps when there is
 * nothing to do. As a reader of `tables` it is online (its block's epoch holds the reclaim epoch it
 * saw) while it works and offline (0) while it sleeps.
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
	uint32_t port_ids[SL_MAX_PORTS]; /* stable ids */
	uint32_t stop;                   /* atomic: 1 = leave */
	bool launched;
	unsigned int lcore;
};

/* 0, or -1 when the lcore is busy. */
int sl_packet_thread_launch(struct sl_packet_thread *thread);

/* Ask it to leave, and wait until it has. */
void sl_packet_thread_stop(struct sl_packet_thread *thread);

/*
 * Wait until the thread holds no pointer that it took before this call: it is asleep, or has finished the
 * round it was in. 0, or -1 after a second without progress. `context` is a struct sl_packet_thread.
 */
int sl_packet_thread_quiesce(void *context);

#endif
