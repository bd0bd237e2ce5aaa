/* SPDX-License-Identifier: Apache-2.0 */
/* What stages share: bytes of a packet, counters, the ways out. */
#ifndef SEALANE_STAGES_PACKET_H
#define SEALANE_STAGES_PACKET_H

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/ip4.h"
#include "net/ip6.h"
#include "stages/poison.h"
#include "worker.h"

/*
 * 0: nothing is taken for what nearly every packet is, so that each goes the long way from stage to stage.
 * test/eal_plain.c compares the two.
 */
#ifndef SL_PLAIN
#define SL_PLAIN 1
#endif

/* The IP header, and how many bytes there are from it on. */
static inline uint8_t *sl_l3(struct rte_mbuf *m, const struct sl_packet *p)
{
	return rte_pktmbuf_mtod_offset(m, uint8_t *, p->l3_offset);
}
static inline uint16_t sl_l3_len(const struct rte_mbuf *m, const struct sl_packet *p)
{
	return (uint16_t)(m->data_len - p->l3_offset);
}

/* DSCP of the packet; it is an IP packet. */
static inline uint8_t sl_dscp(struct rte_mbuf *m, const struct sl_packet *p)
{
	const uint8_t *ip = sl_l3(m, p);

	return p->family == 4 ? (uint8_t)(ip[1] >> 2) : sl_ip6_dscp(ip);
}

/* Make the packet end `length` bytes after the IP header (which it reaches): link padding, ESP trailer. */
static inline void sl_end_at(struct rte_mbuf *m, uint16_t length)
{
	m->data_len = length;
	m->pkt_len = length;
	sl_poison_around(m);
}

/*
 * Let the frame begin `front` bytes before the IP header: drops what was there or takes headroom.
 * Returns the new first byte, or NULL when the mbuf has not that much room.
 */
static inline uint8_t *sl_begin_before_l3(struct rte_mbuf *m, struct sl_packet *p, uint16_t front)
{
	uint32_t l3 = (uint32_t)m->data_off + p->l3_offset;
	uint16_t length = sl_l3_len(m, p);

	if (unlikely(l3 < front))
		return NULL;
	m->data_off = (uint16_t)(l3 - front);
	p->l3_offset = front;
	sl_end_at(m, (uint16_t)(front + length));
	return rte_pktmbuf_mtod(m, uint8_t *);
}

#define SL_LINK_MIN 14u
#define SL_LINK_MAX 22u /* with two tags */
/* The header of a link, SL_LINK_MIN to SL_LINK_MAX bytes, without a call: the first eight, the last eight, those between. */
static inline void sl_put_link_header(uint8_t *to, const uint8_t *from, unsigned int length)
{
	memcpy(to, from, 8);
	memcpy(to + length - 8, from + length - 8, 8);
	if (unlikely(length > 16))
		memcpy(to + 8, from + 8, 8);
}

/* How the packet came, as one word: to be compared with another packet's. */
static inline uint32_t sl_arrival_word(const struct sl_packet *p)
{
	uint32_t word;

	_Static_assert(sizeof(word) == sizeof(p->arrival), "an arrival is one word");
	memcpy(&word, &p->arrival, sizeof(word));
	return word;
}

/* The same with the input interface where that counts: what of two packets decides alike. */
static inline uint64_t sl_arrival_key(const struct sl_packet *p)
{
	uint64_t key = sl_arrival_word(p);

	if (unlikely(p->arrival.protection == SL_PROT_MPLS_OTHER_SP))
		key |= (uint64_t)p->interface << 32;
	return key;
}

/* Why the accepted set `accept` refuses the way the packet came; SL_DROP_none: it does not. */
enum sl_drop_reason sl_check_arrival(const struct sl_worker *w, const struct sl_packet *p,
                                     uint32_t accept);

/*
 * Plain MPLS of our own SP, stack at upper_offset: take off the transport labels that are ours. The packet
 * is then one of lane CORE as if it had come without them, or has its next label at upper_offset.
 */
enum sl_drop_reason sl_pop_transport(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p);

/* Count a packet of this many bytes for a label, where its counter exists. */
static inline void sl_count_label(struct sl_worker *w, uint32_t label, uint64_t packets,
                                  uint64_t bytes)
{
	if (label >= __atomic_load_n(&w->labels_backed, __ATOMIC_ACQUIRE))
		return;
	w->block->label[label].packets += packets;
	w->block->label[label].bytes += bytes;
}

static inline const struct sl_interface_row *sl_interface(const struct sl_worker *w, uint32_t id)
{
	return &w->tables->interface[id & (SL_MAX_INTERFACES - 1)];
}
static inline uint32_t sl_interface_flags(const struct sl_interface_row *row)
{
	return __atomic_load_n(&row->flags, __ATOMIC_RELAXED);
}
static inline bool sl_interface_live(const struct sl_interface_row *row)
{
	return __atomic_load_n(&row->state, __ATOMIC_ACQUIRE) == SL_ROW_LIVE;
}
static inline struct sl_interface_counters *sl_interface_counters(struct sl_worker *w, uint32_t id)
{
	return &w->block->interface[id & (SL_MAX_INTERFACES - 1)];
}
static inline struct sl_vrf_counters *sl_vrf_counters(struct sl_worker *w, uint32_t vrf)
{
	return &w->block->vrf[vrf & (SL_MAX_VRFS - 1)];
}
static inline uint32_t sl_vrf_flags(const struct sl_worker *w, uint32_t vrf)
{
	return __atomic_load_n(&w->tables->vrf[vrf & (SL_MAX_VRFS - 1)].flags, __ATOMIC_RELAXED);
}
/* TC of a DSCP (0..63), and the DSCP that a TC (0..7) stands for: the core's map (RFC 3270 3.1). */
static inline uint8_t sl_tc_of_dscp(const struct sl_worker *w, unsigned int dscp)
{
	return __atomic_load_n(&w->tables->header.traffic_class.tc_of_dscp[dscp], __ATOMIC_RELAXED);
}
static inline uint8_t sl_dscp_of_tc(const struct sl_worker *w, uint8_t tc)
{
	return __atomic_load_n(&w->tables->header.traffic_class.dscp_of_tc[tc], __ATOMIC_RELAXED);
}
/* Active version of a next hop; row 0 (never live) when it has none. */
static inline uint32_t sl_nexthop_active(const struct sl_worker *w, uint32_t nexthop)
{
	return __atomic_load_n(&w->tables->nexthop[nexthop & (SL_MAX_NEXTHOPS - 1)].active,
	                       __ATOMIC_ACQUIRE) &
	       (SL_MAX_VERSIONS - 1);
}

/* Of a next hop whose active version will be asked for soon. */
static inline void sl_prefetch_nexthop(const struct sl_worker *w, uint64_t leaf)
{
	rte_prefetch0(&w->tables->nexthop[sl_leaf_nexthop(leaf) & (SL_MAX_NEXTHOPS - 1)]);
}

/*
 * The packet's route has several ways: put the one of its flow into p->leaf. Returns the active version,
 * 0 when no way has one, or (p->leaf still names the group) when there is no such group.
 */
uint32_t sl_multipath(const struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p);

/* The group of a leaf that names one; NULL when there is none under its number. */
const struct sl_group_row *sl_find_group(const struct sl_worker *w, uint64_t leaf);

/*
 * TTL and MTU of a packet that leaves by version p->version (ttl_mtu.c). False: it ended here. One that is to be fragmented
 * goes on, counted in w->oversized.
 */
bool sl_take_hop(struct sl_worker *w, struct rte_mbuf *m, struct sl_packet *p);

/* Lower the MSS of a TCP SYN to what its way and the way back to its source carry. */
void sl_clamp_mss(const struct sl_worker *w, struct rte_mbuf *m, const struct sl_packet *p);

/* Count a drop without ending the packet. */
void sl_count_drop(struct sl_worker *w, const struct sl_packet *p, enum sl_drop_reason reason);

/* Give the frame to the kernel on the TAP of the interface it came in by, untagged. */
void sl_punt_frame(struct sl_worker *w, struct rte_mbuf *m);
/* Give the IP packet to the kernel on the host TAP of `vrf`. */
void sl_punt_packet(struct sl_worker *w, struct rte_mbuf *m, uint32_t vrf);
/* Ask the supervisor for the neighbour behind a glean next hop; the packet is dropped and counted. */
void sl_punt_resolve(struct sl_worker *w, struct rte_mbuf *m, const struct sl_version_row *version);
/* Ask the supervisor for an SA for the tunnel of a next hop. False: too many requests are on their way. */
bool sl_punt_acquire(struct sl_worker *w, uint32_t nexthop);
/* Tell the supervisor that packets of outbound SA row `sa` do not pass beyond `mtu` bytes. False: the ring is full. */
bool sl_punt_too_big(struct sl_worker *w, uint32_t sa, uint16_t mtu);

/* ICMP errors that the packet path sends about packets it drops. */
enum sl_icmp_error {
	SL_ICMP_TIME_EXCEEDED,
	SL_ICMP_NET_UNREACHABLE,
	SL_ICMP_HOST_UNREACHABLE,
	SL_ICMP_TOO_BIG,
};
/*
 * Drop the packet (IP header at l3_offset, as received) for `reason` and answer its source by an
 * ICMP error where that is allowed; `mtu` is told by SL_ICMP_TOO_BIG. The answer is left in w->icmp.
 */
void sl_icmp_error(struct sl_worker *w, struct rte_mbuf *m, enum sl_drop_reason reason,
                   enum sl_icmp_error error, uint16_t mtu);

#endif
