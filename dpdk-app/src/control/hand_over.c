/* SPDX-License-Identifier: Apache-2.0 */
#include "control/hand_over.h"

#include <inttypes.h>
#include <rte_ethdev.h>

#include "control/log.h"

/*
 * A ring of 1024 frames is empty after 32 rounds of its packet thread, which nobody can tell how long take on a busy
 * machine. A worker that does not get to it in this time has other troubles.
 */
#define SL_DRAIN_NS 5000000000u

int sl_hand_over_prepare(struct sl_control *control, uint32_t lcores, struct sl_fault *fault)
{
	/* The program of a port's group shares frames out to as many members as there are here. */
	if (lcores != control->workers.count)
		return sl_fail(fault, SL_FAULT_STATE, "stop this worker before the next one starts",
		               "the next worker has %" PRIu32 " packet threads, this one %u",
		               lcores, control->workers.count);
	for (uint32_t id = 1; id < SL_MAX_PORTS; id++)
		if (control->ports[id].exists &&
		    sl_port_direct(&control->ports[id], SL_PORT_FIRST, fault) != 0)
			return -1;
	return 0;
}

static uint64_t frames_received(const struct sl_control *control)
{
	struct rte_eth_stats stats;
	uint64_t frames = 0;

	for (uint32_t id = 1; id < SL_MAX_PORTS; id++)
		if (control->ports[id].exists &&
		    rte_eth_stats_get(control->ports[id].dpdk_port, &stats) == 0)
			frames += stats.ipackets;
	return frames;
}

/* Frames of the kernel's go out, too: the standby reads the TAPs no sooner than it starts. */
static void read_taps(struct sl_control *control)
{
	sl_control_online(control);
	for (uint32_t i = 1; i < SL_MAX_INTERFACES; i++)
		(void)sl_kernel_path_read(&control->kernel, i);
	sl_control_offline(control);
}

/* The ports bring nothing more: until every packet thread has looked at all of its queues and found nothing. */
static void drain(struct sl_control *control)
{
	uint64_t deadline = sl_monotonic_ns() + SL_DRAIN_NS, before;
	bool looked;

	do {
		before = frames_received(control);
		read_taps(control);
		looked = sl_packet_threads_look(&control->threads) == 0;
		while (sl_kernel_path_punt(&control->kernel, sl_monotonic_ns()) > 0)
			;
		/* What threads have passed to each other they bring to its end when they stop. */
		if (looked && frames_received(control) == before &&
		    sl_kernel_path_injected(&control->kernel) &&
		    !sl_kernel_path_waits(&control->kernel))
			return;
	} while (sl_monotonic_ns() < deadline);
	sl_log(SL_LOG_WARNING, "the ports still had frames when the next worker took over");
}

void sl_hand_over_give(struct sl_control *control)
{
	struct sl_fault fault;

	for (uint32_t id = 1; id < SL_MAX_PORTS; id++) {
		if (!control->ports[id].exists)
			continue;
		/* PrepareHandOver could, so this can. */
		if (sl_port_direct(&control->ports[id], SL_PORT_NEXT, &fault) != 0)
			sl_log_fault(SL_LOG_ERROR, &fault);
	}
	if (control->started)
		drain(control);
	for (uint32_t id = 1; id < SL_MAX_PORTS; id++)
		if (control->ports[id].exists)
			sl_port_disclaim(&control->ports[id]);
}

int sl_hand_over_take(struct sl_control *control, struct sl_fault *fault)
{
	for (uint32_t id = 1; id < SL_MAX_PORTS; id++)
		if (control->ports[id].exists && sl_port_claim(&control->ports[id], fault) != 0)
			return -1;
	if (sl_state_take_over(&control->segment, control->options->state, control->tables,
	                       fault) != 0)
		return -1;
	sl_control_online(control); /* a reader of the tables by this segment from now on */
	if (sl_control_begin_state(control, fault) != 0)
		return -1;
	if (sl_key_index_load(&control->sas.index, control->segment.state) != 0)
		return sl_fail(fault, SL_FAULT_NO_MEMORY, "give the machine more memory",
		               "no memory for the index of keys");
	control->standing_by = false;
	sl_log(SL_LOG_INFO, "took over: %u SAs ready", sl_sa_store_attach(&control->sas));
	return 0;
}
