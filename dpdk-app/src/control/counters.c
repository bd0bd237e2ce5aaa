/* SPDX-License-Identifier: Apache-2.0 */
#include "control/counters.h"

#include <inttypes.h>

#include "control/log.h"

/* Counting takes some microseconds. */
#define SL_POOLS_NS 10000000u
/* Trouble that may last for hours is told once a minute. */
#define SL_AGAIN_NS 60000000000ull

/* The counters that the port has had, or zeros. Before packet threads count. */
static void begin_port(const struct sl_control *control, uint32_t id)
{
	struct sl_state *state = control->segment.state;
	const char *name = control->tables->port_name[id].name;
	uint64_t hash = sl_name_hash(name, sizeof(control->tables->port_name[id].name));

	if (state->header.port[id].name == hash)
		return;
	state->header.port[id] = (struct sl_port_counters){.name = hash};
	for (uint64_t i = 0; i < state->header.committed_lcores && i < SL_MAX_LCORES; i++)
		state->lcore[i].block.tx_full[id] = 0;
}

static struct rte_mempool *pool_of(const struct sl_control *control, uint32_t pool)
{
	const struct sl_worker *w = control->workers.thread[0];

	return pool == SL_POOL_LARGE ? w->jumbo : w->pool;
}

void sl_counters_begin(struct sl_control *control)
{
	struct sl_state *state = control->segment.state;

	for (uint32_t id = 1; id < SL_MAX_PORTS; id++)
		if (control->ports[id].exists)
			begin_port(control, id);
	for (uint32_t i = 0; i < SL_POOLS; i++) {
		struct rte_mempool *pool = pool_of(control, i);

		state->header.pool[i] = (struct sl_pool_state){0};
		if (pool == NULL)
			continue;
		state->header.pool[i].size = pool->size;
		state->header.pool[i].free = rte_mempool_avail_count(pool);
		state->header.pool[i].least = state->header.pool[i].free;
	}
}

void sl_counters_port(struct sl_control *control, uint32_t id, uint64_t now_ns)
{
	struct sl_port_info *port = &control->ports[id];
	struct sl_port_losses *losses = &port->losses;
	struct sl_state_header *header = &control->segment.state->header;
	uint64_t lost;

	if (!control->started)
		begin_port(control, id);
	lost = sl_port_lost(port, &header->port[id]);
	if (lost == 0)
		return;
	header->control_drops[SL_DROP_rx_lost] += lost;
	losses->unlogged += lost;
	if (now_ns < losses->next_log_ns)
		return;
	losses->next_log_ns = now_ns + SL_AGAIN_NS;
	sl_log(SL_LOG_WARNING, "port %" PRIu32 " %s lost %" PRIu64 " frames", id, port->name,
	       losses->unlogged);
	losses->unlogged = 0;
}

static void look_at_pool(struct sl_control *control, uint32_t i, uint64_t now_ns)
{
	struct sl_pool_state *state = &control->segment.state->header.pool[i];

	state->free = rte_mempool_avail_count(pool_of(control, i));
	state->least = RTE_MIN(state->least, state->free);
	if (state->free != 0 || now_ns < control->next_empty_log_ns)
		return;
	control->next_empty_log_ns = now_ns + SL_AGAIN_NS;
	sl_log(SL_LOG_WARNING, "none of %" PRIu64 " %spacket buffers is free", state->size,
	       i == SL_POOL_LARGE ? "large " : "");
}

void sl_counters_pools(struct sl_control *control, uint64_t now_ns)
{
	if (now_ns < control->next_pools_ns)
		return;
	control->next_pools_ns = now_ns + SL_POOLS_NS;
	for (uint32_t i = 0; i < SL_POOLS; i++)
		if (pool_of(control, i) != NULL)
			look_at_pool(control, i, now_ns);
}
