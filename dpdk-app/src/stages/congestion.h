/* SPDX-License-Identifier: Apache-2.0 */
/* The egress of a tunnel and explicit congestion notification (RFC 6040). */
#ifndef SEALANE_STAGES_CONGESTION_H
#define SEALANE_STAGES_CONGESTION_H

#include "net/ecn.h"
#include "stages/packet.h"

/* ECN of the IP header around the label, which is still noted as the packet's. Of plain MPLS: Not-ECT. */
static inline uint8_t sl_outer_ecn(struct rte_mbuf *m, const struct sl_packet *p)
{
	const uint8_t *ip = sl_l3(m, p);

	if (unlikely(p->arrival.encap == SL_ENCAP_NONE))
		return SL_ECN_NOT_ECT;
	return (p->family == 4 ? ip[1] : sl_ip6_traffic_class(ip)) & SL_TOS_ECN;
}

/*
 * Congestion that the outer header reports goes on in the inner one (RFC 6040 4.2); to a sender that
 * does not know ECN it is told by a loss.
 */
static inline enum sl_drop_reason sl_take_ecn(struct rte_mbuf *m, const struct sl_packet *p,
                                              uint8_t outer)
{
	uint8_t *ip = sl_l3(m, p);
	uint8_t inner = (p->family == 4 ? ip[1] : sl_ip6_traffic_class(ip)) & SL_TOS_ECN;

	if (likely(!sl_ecn_outer_counts(outer, inner)))
		return SL_DROP_none;
	if (inner == SL_ECN_NOT_ECT)
		return SL_DROP_ecn_not_ect;
	if (p->family == 4)
		sl_ip4_set_ecn(ip, outer);
	else
		sl_ip6_set_ecn(ip, outer);
	return SL_DROP_none;
}

#endif
