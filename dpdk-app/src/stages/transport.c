/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transport labels: what the core's routers put above what they send to us, where the last of them but us
 * did not take it off. Not a stage of the chain: the few packets that are plain MPLS are brought here by
 * the one branch that sees their EtherType (rx.c).
 *
 * A transport label opens nothing: below it the packet meets the checks that it would have met without. Its
 * TTL counted the routers so far: what is below lives no longer than it would have (RFC 3443 5.3).
 */
#include "net/eth.h"
#include "net/mpls.h"
#include "stages/packet.h"
#include "stages/stage.h"

static bool is_explicit_null(uint32_t label)
{
	return label == SL_MPLS_IP4_EXPLICIT_NULL || label == SL_MPLS_IP6_EXPLICIT_NULL;
}

/* Is it one of ours, or explicit null? *reason: why it is not taken from this arrival. */
static bool is_transport(const struct sl_worker *w, const struct sl_packet *p, uint32_t label,
                         enum sl_drop_reason *reason)
{
	uint64_t row;

	*reason = SL_DROP_none;
	if (label < SL_MPLS_FIRST_UNRESERVED)
		return is_explicit_null(label);
	row = __atomic_load_n(&w->tables->label[label], __ATOMIC_ACQUIRE);
	if (sl_label_action(row) != SL_LABEL_POP)
		return false;
	*reason = sl_check_arrival(w, p, sl_label_accept(row));
	return true;
}

/*
 * The stack ended: an IP packet of the core, in an Ethernet frame as if that had been its payload all along.
 * `label` was the last one: explicit null says of which family the packet is (RFC 3032 2.1).
 */
static enum sl_drop_reason uncover(struct rte_mbuf *m, struct sl_packet *p, uint32_t label,
                                   uint8_t ttl)
{
	uint16_t front = (uint16_t)(p->upper_offset - SL_ETH_LEN);
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	uint8_t family;

	if (m->data_len == p->upper_offset)
		return SL_DROP_label_truncated;
	family = frame[p->upper_offset] >> 4;
	if ((family != 4 && family != 6) ||
	    (is_explicit_null(label) && family != (label == SL_MPLS_IP4_EXPLICIT_NULL ? 4 : 6)))
		return SL_DROP_inner_not_ip;
	memmove(frame + front, frame, 2 * SL_MAC_LEN);
	sl_put16(frame + front + 2 * SL_MAC_LEN, family == 4 ? SL_ETHERTYPE_IP4 : SL_ETHERTYPE_IP6);
	m->data_off = (uint16_t)(m->data_off + front);
	sl_end_at(m, (uint16_t)(m->data_len - front));
	p->l3_offset = SL_ETH_LEN;
	p->upper_offset = 0;
	p->family = family;
	p->ttl_source = ttl;
	p->lane = SL_LANE_CORE;
	memset(&p->arrival, 0, sizeof(p->arrival));
	return SL_DROP_none;
}

/* The label under those taken off: its TTL no higher than theirs. `ttl` 255: none was, or all that there is. */
static void lower_label_ttl(struct rte_mbuf *m, const struct sl_packet *p, uint8_t ttl)
{
	uint8_t *below = rte_pktmbuf_mtod_offset(m, uint8_t *, p->upper_offset + SL_MPLS_LEN - 1);

	if (ttl < *below)
		*below = ttl;
}

enum sl_drop_reason sl_pop_transport(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p)
{
	uint8_t ttl = UINT8_MAX; /* lowest of those taken off */

	for (unsigned int depth = 0;; depth++) {
		enum sl_drop_reason reason;
		uint32_t entry, label;

		if (m->data_len < p->upper_offset + SL_MPLS_LEN)
			return SL_DROP_label_truncated;
		entry = sl_get32(rte_pktmbuf_mtod_offset(m, const uint8_t *, p->upper_offset));
		label = sl_mpls_label(entry);
		if (!is_transport(w, p, label, &reason)) { /* the VPN label: label.c */
			lower_label_ttl(m, p, ttl);
			return SL_DROP_none;
		}
		if (reason != SL_DROP_none)
			return reason;
		if (depth == SL_MAX_CORE_LABELS)
			return SL_DROP_label_stack;
		if (sl_mpls_ttl(entry) == 0) /* never sent (RFC 3032 2.4.1) */
			return SL_DROP_label_ttl_expired;
		ttl = sl_mpls_ttl(entry) < ttl ? sl_mpls_ttl(entry) : ttl;
		p->upper_offset = (uint16_t)(p->upper_offset + SL_MPLS_LEN);
		sl_count_label(w, label, 1, (uint64_t)(m->data_len - p->upper_offset));
		if (sl_mpls_bottom(entry))
			return uncover(m, p, label, ttl);
	}
}
