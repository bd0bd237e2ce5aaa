/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a label means to packets that came in one way, and how many there were: mostly that of the packet before. Asked by
 * label.c, and about nearly every packet by esp_open.c, which has just opened it.
 */
#ifndef SEALANE_STAGES_LABEL_RUN_H
#define SEALANE_STAGES_LABEL_RUN_H

#include "net/mpls.h"
#include "stages/congestion.h"
#include "stages/stage.h"

struct sl_label_run {
	uint32_t label;   /* 0 = none yet: explicit null never gets here */
	uint64_t arrival; /* sl_arrival_key() */
	enum sl_drop_reason reason;
	enum sl_lane lane;
	uint64_t leaf; /* SL_LANE_DIRECT, SL_LANE_SWAP */
	uint32_t vrf;
	uint32_t flags; /* of the VRF */
	bool plain;     /* accepted, IP packets are looked up in the VRF, and keep their TTL */
	uint64_t packets, bytes;
};

/* Look the label up and check its accepted set against the packet's arrival. Counts the run that ends. */
void sl_label_run_begin(struct sl_worker *w, const struct sl_packet *p, uint32_t label,
                        struct sl_label_run *run);

/* Its packets to the counters of VRF and label. */
void sl_label_run_count(struct sl_worker *w, const struct sl_label_run *run);

/*
 * Is this what nearly every packet is: a label at the bottom of the stack, into a VRF, and under it IPv4 without options
 * and nothing of the outer header that it has to take over? Then the total length of the inner packet, else 0. At `stack`
 * are `room` bytes, an IPv4 header's at least behind the label; `arrival` is sl_arrival_key(p). Nothing of the packet is
 * written.
 */
static __rte_always_inline uint32_t sl_label_plain(struct sl_worker *w, struct rte_mbuf *m,
                                                   const struct sl_packet *p, const uint8_t *stack,
                                                   uint32_t room, uint64_t arrival,
                                                   struct sl_label_run *run)
{
	uint32_t entry = sl_get32(stack), total;
	const uint8_t *ip = stack + SL_MPLS_LEN;

	if (unlikely(!sl_mpls_bottom(entry) || sl_mpls_ttl(entry) == 0))
		return 0;
	if (unlikely(sl_mpls_label(entry) != run->label || arrival != run->arrival))
		sl_label_run_begin(w, p, sl_mpls_label(entry), run);
	if (unlikely(!run->plain) || (unlikely(run->flags != 0) &&
	                              unlikely(sl_tc_of_dscp(w, ip[1] >> 2) != sl_mpls_tc(entry))))
		return 0;
	total = sl_ip4_plain(ip, room - SL_MPLS_LEN);
	if (unlikely(sl_ecn_outer_counts(sl_outer_ecn(m, p), ip[1] & SL_TOS_ECN)))
		return 0;
	return total;
}

/* Go on with the packet of `total` bytes under the label at `stack_offset`: sl_label_plain() said so. */
static __rte_always_inline void sl_label_pop_plain(struct rte_mbuf *m, struct sl_packet *p,
                                                   const uint8_t *stack, uint32_t stack_offset,
                                                   uint32_t total, struct sl_label_run *run)
{
	uint32_t inner = stack_offset + SL_MPLS_LEN;

	p->label = sl_get32(stack);
	p->vrf = run->vrf;
	p->leaf = SL_LEAF_NONE; /* takes the key's place again */
	p->l3_offset = (uint16_t)inner;
	p->family = 4;
	p->lane = SL_LANE_IP;
	sl_end_at(m, (uint16_t)(inner + total));
	run->packets++;
	run->bytes += total;
}

#endif
