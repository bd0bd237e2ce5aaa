/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <intel-ipsec-mb.h>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_ring.h>
#include <stdlib.h>
#include <string.h>

#include "control/control.h"
#include "control/log.h"
#include "control/packet_pool.h"
#include "net/eth.h"
#include "ports/devargs.h"
#include "stages/jumbo.h"
#include "tables/clock.h"
#include "tables/policer.h"

#define SL_RING_SIZE 1024u

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
	                         bytes);
	if (w->pool == NULL)
		return no_memory("packet buffers", fault);
	if (!jumbo)
		return 0;
	bytes = buffer_bytes(options->max_mtu);
	w->jumbo = sl_packet_pool("jumbo", buffer_count(options->memory_mb, 5, bytes), bytes);
	return w->jumbo != NULL ? 0 : no_memory("large packet buffers", fault);
}

static int make_rings(struct sl_worker *w, const struct sl_options *options, struct sl_fault *fault)
{
	if (make_pools(w, options, fault) != 0)
		return -1;
	w->punt = rte_ring_create("punt", SL_RING_SIZE, (int)rte_socket_id(),
	                          RING_F_SP_ENQ | RING_F_SC_DEQ);
	w->inject = rte_ring_create("inject", SL_RING_SIZE, (int)rte_socket_id(),
	                            RING_F_SP_ENQ | RING_F_SC_DEQ);
	w->acquire = rte_ring_create("acquire", SL_RING_SIZE, (int)rte_socket_id(),
	                             RING_F_SP_ENQ | RING_F_SC_DEQ);
	w->too_big = rte_ring_create("too_big", SL_RING_SIZE, (int)rte_socket_id(),
	                             RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (w->punt == NULL || w->inject == NULL || w->acquire == NULL || w->too_big == NULL)
		return no_memory("rings", fault);
	return 0;
}

static int make_tables(struct sl_worker *w, struct sl_fault *fault)
{
	/* Touched only where a port or a missing SA is: ordinary memory, not the little there may be in hugepages. */
	w->ports = calloc(SL_MAX_PORTS, sizeof(*w->ports));
	w->hold.asked_tsc = calloc(SL_MAX_NEXTHOPS, sizeof(*w->hold.asked_tsc));
	w->buckets = calloc(SL_MAX_INTERFACES * SL_INTERFACE_POLICERS, sizeof(*w->buckets));
	w->clock_scale = sl_clock_scale(rte_get_tsc_hz());
	w->tx = rte_zmalloc("tx queues", SL_MAX_PORTS * sizeof(*w->tx), RTE_CACHE_LINE_SIZE);
	w->crypto = alloc_mb_mgr(0);
	if (w->ports == NULL || w->hold.asked_tsc == NULL || w->buckets == NULL || w->tx == NULL ||
	    w->crypto == NULL)
		return no_memory("the packet thread", fault);
	for (uint32_t id = 0; id < SL_MAX_PORTS; id++)
		w->ports[id].dpdk_port = RTE_MAX_ETHPORTS;
	init_mb_mgr_auto(w->crypto, NULL);
	if (imb_get_errno(w->crypto) != 0)
		return sl_fail(fault, SL_FAULT_INTERNAL, "run on a CPU with AES-NI and PCLMULQDQ",
		               "cryptography does not start: %s",
		               imb_get_strerror(imb_get_errno(w->crypto)));
	return 0;
}

int sl_control_begin_state(struct sl_control *control, struct sl_fault *fault)
{
	struct sl_worker *w = control->worker;

	if (sl_state_commit_lcores(&control->segment, 1, fault) != 0)
		return -1;
	w->block = &control->segment.state->lcore[0].block;
	w->block->held = 0; /* went with the worker before */
	w->labels_backed = (uint32_t)control->segment.state->header.committed_labels;
	return 0;
}

int sl_control_make_worker(struct sl_control *control, struct sl_fault *fault)
{
	struct sl_worker *w = rte_zmalloc("worker", sizeof(*w), RTE_CACHE_LINE_SIZE);

	if (w == NULL)
		return no_memory("the packet thread", fault);
	control->worker = w;
	w->tables = control->tables;
	w->state = control->segment.state;
	w->keys_out = control->sas.keys[SL_OUT];
	w->keys_in = control->sas.keys[SL_IN];
	w->sa_index = &control->sas.outbound;
	w->index = 0;
	if (make_rings(w, control->options, fault) != 0 || make_tables(w, fault) != 0 ||
	    sl_control_begin_state(control, fault) != 0)
		return -1;
	control->thread = (struct sl_packet_thread){
		.worker = w,
		.idle_poll = control->options->idle_poll,
		.lcore = control->eal.packet_lcore,
	};
	control->sas.quiesce = sl_packet_thread_quiesce;
	control->sas.quiesce_context = &control->thread;
	control->captures = (struct sl_captures){.worker = w,
	                                         .quiesce = sl_packet_thread_quiesce,
	                                         .quiesce_context = &control->thread};
	sl_log(SL_LOG_INFO, "%u packet buffers of %u bytes in %s", w->pool->size,
	       rte_pktmbuf_data_room_size(w->pool),
	       control->eal.huge ? "hugepages" : "ordinary pages");
	if (w->jumbo != NULL)
		sl_log(SL_LOG_INFO, "%u large packet buffers of %u bytes", w->jumbo->size,
		       rte_pktmbuf_data_room_size(w->jumbo));
	return 0;
}

void sl_control_free_worker(struct sl_control *control)
{
	struct sl_worker *w = control->worker;

	if (w == NULL)
		return;
	if (w->crypto != NULL)
		free_mb_mgr(w->crypto);
	rte_ring_free(w->too_big);
	rte_ring_free(w->acquire);
	rte_ring_free(w->inject);
	rte_ring_free(w->punt);
	rte_mempool_free(w->jumbo);
	rte_mempool_free(w->pool);
	rte_free(w->tx);
	free(w->buckets);
	free(w->hold.asked_tsc);
	free(w->ports);
	rte_free(w);
	control->worker = NULL;
}
