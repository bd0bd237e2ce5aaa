/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the stages. docs/packet-path.md draws it. */
#include "stages/capture.h"
#include "stages/fragment.h"
#include "stages/hold.h"
#include "stages/packet.h"
#include "stages/pass.h"
#include "stages/queue.h"
#include "stages/reassemble.h"
#include "stages/stage.h"

#define FROM_CE (1u << SL_LANE_IP | 1u << SL_LANE_CE)
#define UNDER_GRE (1u << SL_LANE_GRE | 1u << SL_LANE_MPLS)

/* Move the packets of some lanes (bits) to `out`, both in order; returns how many, and leaves *n others. */
static uint16_t split(struct rte_mbuf **packets, uint16_t *n, uint32_t lanes, struct rte_mbuf **out)
{
	uint16_t kept = 0, taken = 0;

	for (uint16_t i = 0; i < *n; i++)
		if ((lanes >> sl_packet(packets[i])->lane & 1u) != 0)
			out[taken++] = packets[i];
		else
			packets[kept++] = packets[i];
	*n = kept;
	return taken;
}

static void enter_tunnels(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	n = sl_stage_encap(w, packets, n);
	if (unlikely(w->capture != NULL))
		sl_capture_into_tunnel(w, packets, n);
	n = sl_stage_esp_seal(w, packets, n);
	if (unlikely(w->capture != NULL))
		sl_capture_sealed(w, packets, n);
	sl_stage_tx(w, packets, n);
}

/* Packets that fit, by the next hops they have. */
static void leave(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	struct rte_mbuf *tunnel[SL_BURST];
	uint16_t t;

	t = split(packets, &n, 1u << SL_LANE_TUNNEL, tunnel);
	enter_tunnels(w, tunnel, t);
	n = sl_stage_link(w, packets, n);
	sl_stage_tx(w, packets, n);
}

/* The same, all of which leave by what they have in common mostly; `lanes`: of any of them. */
static void leave_alike(struct sl_worker *w, uint32_t lanes, struct rte_mbuf **packets, uint16_t n)
{
	if (likely(lanes == 1u << SL_LANE_TUNNEL))
		enter_tunnels(w, packets, n);
	else if (likely(lanes == 1u << SL_LANE_SENT))
		sl_stage_tx(w, packets, n);
	else
		leave(w, packets, n);
}

/* IP packets with a VRF or a next hop: one lookup, then out. */
static void forward(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	n = sl_stage_lookup(w, packets, n);
	n = sl_stage_nexthop(w, packets, n);
	if (unlikely(w->oversized != 0))
		sl_fragment(w, packets, n, leave);
	else
		leave_alike(w, w->lanes, packets, n);
}

/* The ICMP errors of this burst. They cause none themselves, so this ends. */
static void answer(struct sl_worker *w)
{
	struct rte_mbuf *packets[SL_BURST];
	uint16_t n = w->icmp_count;

	for (uint16_t i = 0; i < n; i++)
		packets[i] = w->icmp[i];
	w->icmp_count = 0;
	if (n != 0)
		forward(w, packets, n);
}

/* Packets from the core, which no SA claims (their route found) or which one does; `found`: all of them have theirs. */
static void open_tunnels(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n, bool found)
{
	if (unlikely(!found)) {
		if (w->unclaimed)
			n = sl_stage_local(w, packets, n);
		n = sl_stage_esp_sa(w, packets, n);
	}
	n = sl_stage_esp_open(w, packets, n);
	if (unlikely(w->opened_tcp))
		n = sl_stage_host_tcp(w, packets, n);
	if (unlikely((w->lanes & UNDER_GRE) != 0)) {
		n = sl_stage_decap(w, packets, n);
		n = sl_stage_label(w, packets, n);
	}
	if (unlikely(w->capture != NULL))
		sl_capture_labelled(w, packets, n);
	forward(w, packets, n);
	answer(w);
	if (unlikely(w->capture != NULL))
		sl_capture_burst_end(w);
}

/* What came from CEs; `lanes`: of any of the burst. */
static void from_ces(struct sl_worker *w, uint32_t lanes, struct rte_mbuf **packets, uint16_t n)
{
	if (unlikely((lanes & 1u << SL_LANE_CE) != 0))
		n = sl_stage_ce(w, packets, n);
	if (unlikely(w->policed))
		n = sl_stage_police(w, packets, n);
	forward(w, packets, n);
}

void sl_pipeline_receive(struct sl_worker *w, uint32_t port, struct rte_mbuf **frames, uint16_t n)
{
	struct rte_mbuf *ce[SL_BURST];
	uint32_t lanes;
	uint16_t c;

	if (unlikely(w->capture != NULL))
		sl_capture_received(w, port, frames, n);
	n = sl_stage_rx(w, port, frames, n);
	lanes = w->lanes;
	if (likely((lanes & ~FROM_CE) == 0)) {
		from_ces(w, lanes, frames, n);
		n = 0;
	} else if (unlikely((lanes & FROM_CE) != 0)) {
		c = split(frames, &n, FROM_CE, ce);
		from_ces(w, lanes, ce, c);
	}
	if (unlikely((lanes & 1u << SL_LANE_CORE) != 0)) {
		n = sl_stage_core(w, frames, n);
		if (unlikely(w->unclaimed))
			n = sl_stage_lookup(w, frames, n);
	}
	open_tunnels(w, frames, n, likely((lanes & 1u << SL_LANE_CORE) == 0));
}

static void send_probes(struct sl_worker *w, struct rte_mbuf **probes, uint16_t n)
{
	n = sl_stage_probe(w, probes, n);
	n = sl_stage_esp_seal(w, probes, n);
	sl_stage_tx(w, probes, n);
}

void sl_pipeline_inject(struct sl_worker *w, struct rte_mbuf **frames, uint16_t n)
{
	struct rte_mbuf *host[SL_BURST], *probe[SL_BURST];
	uint16_t h = 0, kept = 0, probes = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct sl_packet *p = sl_packet(frames[i]);
		const struct sl_interface_row *row = sl_interface(w, p->interface);

		p->vrf = row->vrf;
		if (unlikely(p->punt == SL_PUNT_PROBE))
			probe[probes++] = frames[i];
		else if (p->interface == 0 || p->interface >= SL_MAX_INTERFACES ||
		         !sl_interface_live(row))
			sl_drop(w, frames[i], SL_DROP_inject_no_interface);
		else if (row->role == SL_ROLE_HOST)
			host[h++] = frames[i];
		else
			frames[kept++] = frames[i];
	}
	kept = sl_stage_host_policy(w, frames, kept);
	kept = sl_stage_esp_seal(w, frames, kept);
	sl_stage_inject(w, frames, kept);
	if (unlikely(probes != 0))
		send_probes(w, probe, probes);
	h = sl_stage_host(w, host, h);
	forward(w, host, h);
	answer(w);
}

/* Each goes on where the thread that passed it left off. */
static void resume(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	struct rte_mbuf *some[SL_BURST];

	if (unlikely(w->capture != NULL))
		sl_capture_taken(w, packets, n);
	enter_tunnels(w, some, split(packets, &n, 1u << SL_LANE_TUNNEL, some));
	sl_stage_tx_passed(w, some, split(packets, &n, 1u << SL_LANE_PORT, some));
	sl_pipeline_inject(w, some, split(packets, &n, 1u << SL_LANE_HOST, some));
	w->unclaimed = true; /* there may be fragments */
	open_tunnels(w, packets, n, false);
}

uint32_t sl_pipeline_take(struct sl_worker *w)
{
	struct rte_mbuf *packets[SL_BURST];
	uint32_t found = 0;

	for (unsigned int from = 0; from < w->threads; from++) {
		uint16_t n = sl_pass_take(w, from, packets);

		if (n > 0)
			resume(w, packets, n);
		found += n;
	}
	return found;
}

/* As if it had just come from its CE or the host. */
static void forward_held(struct sl_worker *w, struct rte_mbuf *packet)
{
	sl_packet(packet)->lane = SL_LANE_IP;
	forward(w, &packet, 1);
	answer(w);
}

uint32_t sl_pipeline_release(struct sl_worker *w)
{
	if (unlikely(w->reassembly.datagrams != 0))
		sl_reassembly_look(w);
	if (likely(w->hold.count == 0) || w->now_tsc < w->hold.next_look_tsc)
		return 0;
	return sl_hold_look(w, forward_held);
}

void sl_pipeline_end(struct sl_worker *w)
{
	sl_hold_end(w);
	sl_reassembly_end(w);
	sl_queues_end(w);
}
