/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <intel-ipsec-mb.h>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/budget.h"
#include "control/control.h"
#include "control/log.h"
#include "control/packet_pool.h"
#include "net/eth.h"
#include "ports/devargs.h"
#include "stages/jumbo.h"
#include "stages/queue.h"
#include "tables/clock.h"
#include "tables/policer.h"

#define SL_WORDS_RING 1024u /* of numbers in the place of packets */

/*
 * Bytes of one packet buffer: headroom for the longest template, then whatever a port of this MTU may
 * bring; AF_PACKET's driver insists on room for a whole ring frame behind DPDK's own headroom. The rest
 * behind a frame of max_mtu holds padding and ICV of ESP.
 */
static uint16_t buffer_bytes(unsigned int max_mtu)
{
	unsigned int frame = RTE_MAX(sl_af_packet_frame(max_mtu),
	                             max_mtu + SL_ETH_LEN + 2 * SL_VLAN_LEN + SL_JUMBO_TAIL);

	return (uint16_t)RTE_ALIGN(SL_HEADROOM + frame, RTE_CACHE_LINE_SIZE);
}

/* How many buffers are `sixteenths` of the memory. */
static unsigned int buffer_count(unsigned int memory_mb, unsigned int sixteenths, uint16_t bytes)
{
	uint64_t element = sizeof(struct rte_mbuf) + sizeof(struct sl_packet) + bytes + 128;

	return (unsigned int)(((uint64_t)memory_mb << 20) * sixteenths / 16 / element);
}

static int no_memory(const char *what, struct sl_fault *fault)
{
	return sl_fail(fault, SL_FAULT_NO_MEMORY, "start the worker with more --memory-mb",
	               "no memory for %s: %s", what, rte_strerror(rte_errno));
}

/*
 * Ten sixteenths of the memory are packets; ports, rings and drivers have the rest. With a port of a large MTU half of
 * them are large buffers, for its large frames alone (stages/jumbo.h).
 */
static int make_pools(struct sl_worker *w, const struct sl_options *options, struct sl_fault *fault)
{
	bool jumbo = options->max_mtu > SL_DEFAULT_MAX_MTU;
	uint16_t bytes = buffer_bytes(RTE_MIN(options->max_mtu, SL_DEFAULT_MAX_MTU));

	w->pool = sl_packet_pool("packets", buffer_count(options->memory_mb, jumbo ? 5 : 10, bytes),
	                         bytes, options->lcores);
	if (w->pool == NULL)
		return no_memory("packet buffers", fault);
	if (!jumbo)
		return 0;
	bytes = buffer_bytes(options->max_mtu);
	w->jumbo = sl_packet_pool("jumbo", buffer_count(options->memory_mb, 5, bytes), bytes,
	                          options->lcores);
	return w->jumbo != NULL ? 0 : no_memory("large packet buffers", fault);
}

/* A ring for `size` packets between two threads; its name ends in `to` and, where there is one, `from`. */
static struct rte_ring *make_ring(const char *name, unsigned int to, unsigned int from,
                                  unsigned int size)
{
	char text[RTE_RING_NAMESIZE];

	(void)snprintf(text, sizeof(text), "%s %u %u", name, to, from);
	return rte_ring_create(text, size, (int)rte_socket_id(),
	                       RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
}

static int make_rings(struct sl_worker *w, const struct sl_budget *budget, struct sl_fault *fault)
{
	w->punt = make_ring("punt", w->index, 0, budget->punt);
	w->inject = make_ring("inject", w->index, 0, budget->inject);
	w->acquire = make_ring("acquire", w->index, 0, SL_WORDS_RING);
	w->too_big = make_ring("too_big", w->index, 0, SL_WORDS_RING);
	if (w->punt == NULL || w->inject == NULL || w->acquire == NULL || w->too_big == NULL)
		return no_memory("rings", fault);
	return 0;
}

/* A ring from each thread to each other one. */
static int connect_threads(const struct sl_workers *workers, const struct sl_budget *budget,
                           struct sl_fault *fault)
{
	for (unsigned int from = 0; from < workers->count; from++) {
		for (unsigned int to = 0; to < workers->count; to++) {
			struct sl_pass *pass;

			if (from == to)
				continue;
			pass = rte_zmalloc("pass", sizeof(*pass), RTE_CACHE_LINE_SIZE);
			if (pass == NULL)
				return no_memory("rings between packet threads", fault);
			workers->thread[from]->pass_to[to] = pass;
			workers->thread[to]->pass_from[from] = pass;
			pass->ring = make_ring("pass", to, from, budget->pass_ring);
			if (pass->ring == NULL)
				return no_memory("rings between packet threads", fault);
		}
	}
	return 0;
}

static int make_tables(struct sl_worker *w, struct sl_fault *fault)
{
	/* Touched only where a missing SA is: ordinary memory, not the little there may be in hugepages. */
	w->hold.asked_tsc = calloc(SL_MAX_NEXTHOPS, sizeof(*w->hold.asked_tsc));
	w->tx = rte_zmalloc("tx queues", SL_MAX_PORTS * sizeof(*w->tx), RTE_CACHE_LINE_SIZE);
	w->crypto = alloc_mb_mgr(0);
	if (w->hold.asked_tsc == NULL || w->tx == NULL || w->crypto == NULL)
		return no_memory("the packet thread", fault);
	init_mb_mgr_auto(w->crypto, NULL);
	if (imb_get_errno(w->crypto) != 0)
		return sl_fail(fault, SL_FAULT_INTERNAL, "run on a CPU with AES-NI and PCLMULQDQ",
		               "cryptography does not start: %s",
		               imb_get_strerror(imb_get_errno(w->crypto)));
	return 0;
}

static void forget_held(struct sl_lcore_block *block)
{
	block->held = 0;
	for (uint32_t i = 0; i < SL_MAX_INTERFACES * SL_INTERFACE_QUEUES; i++)
		if (block->queue[i].depth != 0)
			block->queue[i].depth = 0;
}

int sl_control_begin_state(struct sl_control *control, struct sl_fault *fault)
{
	struct sl_state *state = control->segment.state;

	if (sl_state_commit_lcores(&control->segment, control->workers.count, fault) != 0)
		return -1;
	/* What threads before held went with them, those of a worker that had more, too. */
	for (uint64_t i = 0; i < state->header.committed_lcores && i < SL_MAX_LCORES; i++)
		forget_held(&state->lcore[i].block);
	for (unsigned int i = 0; i < control->workers.count; i++) {
		struct sl_worker *w = control->workers.thread[i];

		w->block = &state->lcore[i].block;
		w->labels_backed = (uint32_t)state->header.committed_labels;
	}
	return 0;
}

/* How the buffers are divided; said, because less may wait than in other workers. */
static int make_budget(struct sl_control *control, const struct sl_worker *shared,
                       struct sl_fault *fault)
{
	const struct sl_options *options = control->options;
	struct sl_budget *budget = &control->budget;
	const unsigned int buffers[SL_POOLS] = {shared->pool->size,
	                                        shared->jumbo != NULL ? shared->jumbo->size : 0};

	if (sl_budget_make(budget, buffers, options->memory_mb, options->lcores, fault) != 0)
		return -1;
	sl_log(SL_LOG_INFO,
	       "%u packet buffers of %u bytes in %s: %u for queues of interfaces, %u wait at most, "
	       "%u for ports",
	       buffers[0], rte_pktmbuf_data_room_size(shared->pool),
	       control->eal.huge ? "hugepages" : "ordinary pages", buffers[0] / SL_QUEUES_SHARE,
	       budget->waits, budget->ports[0]);
	if (shared->jumbo != NULL)
		sl_log(SL_LOG_INFO, "%u large packet buffers of %u bytes: %u for ports", buffers[1],
		       rte_pktmbuf_data_room_size(shared->jumbo), budget->ports[1]);
	if (budget->full_mb > options->memory_mb)
		sl_log(SL_LOG_INFO,
		       "of %u packets for SAs, %u fragments and %u packets for the kernel each "
		       "packet "
		       "thread has room for %u, %u and %u: --memory-mb of %u has room for all",
		       SL_HOLD_MAX, SL_REASSEMBLY_HELD, SL_PUNT_MOST, budget->waiting.hold,
		       budget->waiting.reassembly, budget->punt, budget->full_mb);
	return 0;
}

/* What all packet threads share. */
static int make_shared(struct sl_control *control, struct sl_worker *shared, struct sl_fault *fault)
{
	*shared = (struct sl_worker){.tables = control->tables,
	                             .state = control->segment.state,
	                             .keys_out = control->sas.keys[SL_OUT],
	                             .keys_in = control->sas.keys[SL_IN],
	                             .takes_udp = &control->sas.takes_udp,
	                             .sa_index = &control->sas.outbound,
	                             .clock_scale = sl_clock_scale(rte_get_tsc_hz()),
	                             .threads = control->options->lcores};
	if (make_pools(shared, control->options, fault) != 0 ||
	    make_budget(control, shared, fault) != 0)
		return -1;
	shared->waiting = control->budget.waiting;
	/* touched only where a port is */
	shared->ports = calloc(SL_MAX_PORTS, sizeof(*shared->ports));
	shared->buckets =
		calloc(SL_MAX_INTERFACES * SL_INTERFACE_POLICERS, sizeof(*shared->buckets));
	shared->egress = calloc(SL_MAX_INTERFACES, sizeof(*shared->egress));
	if (shared->ports == NULL || shared->buckets == NULL || shared->egress == NULL)
		return no_memory("ports", fault);
	for (uint32_t id = 0; id < SL_MAX_PORTS; id++)
		shared->ports[id].dpdk_port = RTE_MAX_ETHPORTS;
	return 0;
}

static int make_thread(struct sl_control *control, const struct sl_worker *shared,
                       struct sl_fault *fault)
{
	struct sl_worker *w = rte_zmalloc("worker", sizeof(*w), RTE_CACHE_LINE_SIZE);
	unsigned int index = control->workers.count;

	if (w == NULL)
		return no_memory("the packet thread", fault);
	*w = *shared;
	w->index = index;
	control->workers.thread[control->workers.count++] = w;
	control->threads.thread[control->threads.count++] = (struct sl_packet_thread){
		.worker = w,
		.idle_poll = control->options->idle_poll,
		.lcore = control->eal.packet_lcore[index],
	};
	return make_rings(w, &control->budget, fault) != 0 || make_tables(w, fault) != 0 ? -1 : 0;
}

int sl_control_make_workers(struct sl_control *control, struct sl_fault *fault)
{
	static struct sl_worker shared;

	control->sas.threads = control->options->lcores;
	if (make_shared(control, &shared, fault) != 0) {
		rte_mempool_free(shared.jumbo);
		rte_mempool_free(shared.pool);
		return -1;
	}
	for (unsigned int i = 0; i < control->options->lcores; i++)
		if (make_thread(control, &shared, fault) != 0)
			return -1;
	if (connect_threads(&control->workers, &control->budget, fault) != 0 ||
	    sl_control_begin_state(control, fault) != 0)
		return -1;
	control->sas.quiesce = sl_packet_threads_quiesce;
	control->sas.quiesce_context = &control->threads;
	control->captures = (struct sl_captures){.workers = &control->workers,
	                                         .quiesce = sl_packet_threads_quiesce,
	                                         .quiesce_context = &control->threads};
	return 0;
}

static void free_thread(struct sl_worker *w)
{
	if (w->crypto != NULL)
		free_mb_mgr(w->crypto);
	for (unsigned int to = 0; to < SL_MAX_LCORES; to++) {
		if (w->pass_to[to] == NULL)
			continue;
		rte_ring_free(w->pass_to[to]->ring);
		rte_free(w->pass_to[to]);
	}
	rte_ring_free(w->too_big);
	rte_ring_free(w->acquire);
	rte_ring_free(w->inject);
	rte_ring_free(w->punt);
	rte_free(w->tx);
	free(w->hold.asked_tsc);
	rte_free(w);
}

static void free_ports(struct sl_port *ports)
{
	for (uint32_t id = 0; ports != NULL && id < SL_MAX_PORTS; id++)
		for (uint32_t svlan = 0; svlan < RTE_DIM(ports[id].by_svlan); svlan++)
			free(ports[id].by_svlan[svlan]);
	free(ports);
}

void sl_control_free_workers(struct sl_control *control)
{
	struct sl_workers *workers = &control->workers;

	if (workers->count == 0)
		return;
	rte_mempool_free(workers->thread[0]->jumbo);
	rte_mempool_free(workers->thread[0]->pool);
	free(workers->thread[0]->egress);
	free(workers->thread[0]->buckets);
	free_ports(workers->thread[0]->ports);
	while (workers->count > 0)
		free_thread(workers->thread[--workers->count]);
}
