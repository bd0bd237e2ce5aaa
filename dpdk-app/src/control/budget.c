/* SPDX-License-Identifier: Apache-2.0 */
#include "control/budget.h"

#include <stdio.h>

#include "stages/queue.h"

#define SL_CACHE_MOST 256u
/* A pool's cache grows to half more than its size before it gives anything back. */
#define SL_CACHE_GROWS(size) ((size) + (size) / 2)
/* What a thread has in its hands at a time: a burst from each port, and the pieces of packets that are cut. */
#define SL_IN_HAND 256u
/* The part of a pool that may wait in lists and rings. */
#define SL_WAITING_SHARE 4u
/* Of what they may be lists and rings are this part at least: all fragments of a datagram, a burst. */
#define SL_LEAST 32u
_Static_assert(SL_REASSEMBLY_HELD / SL_LEAST >= SL_REASSEMBLY_PIECES, "one datagram has room");
_Static_assert(SL_PUNT_MOST / SL_LEAST + 1 >= SL_BURST, "and a burst");

static unsigned int pass_most(unsigned int threads)
{
	if (threads == 1)
		return 0;
	return threads == 2 ? SL_PASS_RING - 1 : SL_PASS_MOST;
}

/* Buffers that wait when all there is room for does. */
static unsigned int all(const struct sl_waiting *waiting, unsigned int punt, unsigned int inject,
                        unsigned int threads)
{
	return threads * (waiting->hold + waiting->reassembly + waiting->pass + punt) + inject;
}

unsigned int sl_budget_cache(unsigned int buffers, unsigned int threads)
{
	return RTE_MIN(SL_CACHE_MOST, buffers / 8 / (threads + 1));
}

/* The pool's caches, and what is being forwarded. */
static unsigned int in_use(unsigned int buffers, unsigned int threads)
{
	return (threads + 1) * SL_CACHE_GROWS(sl_budget_cache(buffers, threads)) +
	       threads * SL_IN_HAND;
}

static unsigned int scale(unsigned int most, unsigned int room, unsigned int full)
{
	return (unsigned int)((uint64_t)most * room / full);
}

static unsigned int times(unsigned int memory_mb, uint64_t wanted, uint64_t there_are)
{
	return (unsigned int)((memory_mb * wanted + there_are - 1) / there_are);
}

unsigned int sl_budget_more_mb(unsigned int memory_mb, unsigned int buffers, unsigned int missing)
{
	/* a quarter of what comes in addition is for ports, at the very least */
	return times(memory_mb, buffers + 4ull * missing, buffers);
}

int sl_budget_make(struct sl_budget *budget, const unsigned int buffers[SL_POOLS],
                   unsigned int memory_mb, unsigned int threads, struct sl_fault *fault)
{
	struct sl_waiting most = {SL_HOLD_MAX, SL_REASSEMBLY_HELD, pass_most(threads)};
	unsigned int full = all(&most, SL_PUNT_MOST, SL_INJECT_MOST, threads), fewest = buffers[0];
	unsigned int room, least;
	char remedy[96];

	for (unsigned int i = 1; i < SL_POOLS; i++)
		if (buffers[i] != 0)
			fewest = RTE_MIN(fewest, buffers[i]);
	room = RTE_MIN(fewest / SL_WAITING_SHARE, full);
	/* what is in hand has a quarter, too */
	least = RTE_MAX(full / SL_LEAST, threads * SL_IN_HAND);
	budget->full_mb = times(memory_mb, (uint64_t)full * SL_WAITING_SHARE, fewest);
	if (fewest / SL_WAITING_SHARE < least) {
		(void)snprintf(remedy, sizeof(remedy),
		               "start the worker with --memory-mb %u or more, or fewer --lcores",
		               times(memory_mb, ((uint64_t)least + 1) * SL_WAITING_SHARE, fewest));
		return sl_fail(fault, SL_FAULT_NO_MEMORY, remedy,
		               "%u packet buffers are too few for %u packet threads", fewest,
		               threads);
	}
	*budget = (struct sl_budget){.waiting = {.hold = scale(most.hold, room, full),
	                                         .reassembly = scale(most.reassembly, room, full),
	                                         .pass = scale(most.pass, room, full)},
	                             .punt = scale(SL_PUNT_MOST, room, full),
	                             .inject = scale(SL_INJECT_MOST, room, full),
	                             .full_mb = budget->full_mb};
	/* a thread that stands still takes half of what may wait for all others */
	budget->pass_ring = threads > 2 ? budget->waiting.pass / 2 : budget->waiting.pass;
	budget->waits = all(&budget->waiting, budget->punt, budget->inject, threads);
	for (unsigned int i = 0; i < SL_POOLS; i++)
		if (buffers[i] != 0)
			budget->ports[i] = buffers[i] - buffers[i] / SL_QUEUES_SHARE -
			                   budget->waits - in_use(buffers[i], threads);
	return 0;
}
