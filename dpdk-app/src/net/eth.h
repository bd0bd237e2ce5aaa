/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ethernet II with at most two VLAN tags (IEEE 802.1Q).
 *
 *   0               6              12      14
 *  +---------------+---------------+-------+-----------
 *  | destination   | source        | type  | payload            untagged
 *  +---------------+---------------+-------+-----------
 *  | destination   | source        | 8100  | TCI 2 | type 2 | payload                   C-tag
 *  +---------------+---------------+-------+-----------
 *  | destination   | source        | 88a8  | TCI 2 | 8100   | TCI 2 | type 2 | payload  S-tag, C-tag
 *  +---------------+---------------+-------+-----------
 *
 *  TCI: priority 3 bits, DEI 1 bit, VLAN identifier 12 bits (0 = priority tag: no VLAN). In front of a C-tag 8100 is
 *  taken for 88a8: many devices send it so, and the kernel's packet sockets do not tell DPDK's driver which it was. An
 *  S-tag alone is left for the payload's type: such frames are no customer's.
 */
#ifndef SEALANE_NET_ETH_H
#define SEALANE_NET_ETH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "net/bytes.h"

#define SL_ETH_LEN 14u
#define SL_VLAN_LEN 4u
#define SL_MAC_LEN 6u

#define SL_ETHERTYPE_IP4 0x0800u
#define SL_ETHERTYPE_ARP 0x0806u
#define SL_ETHERTYPE_VLAN 0x8100u
#define SL_ETHERTYPE_IP6 0x86ddu
#define SL_ETHERTYPE_MPLS 0x8847u
#define SL_ETHERTYPE_SVLAN 0x88a8u

struct sl_eth {
	uint16_t type; /* EtherType of the payload */
	uint16_t
		svlan; /* VLAN identifier of the first of two tags, 0 = there is one at most, or it is a priority tag */
	uint16_t vlan;  /* of the last one, 0 = untagged or priority-tagged */
	uint8_t length; /* bytes in front of the payload: 14, 18 or 22 */
};

/* The rest of sl_eth_parse(), eth->type being that of a tag. */
static inline bool sl_eth_parse_tags(const uint8_t *frame, size_t length, struct sl_eth *eth)
{
	const uint8_t *tag = frame + SL_ETH_LEN;

	if (length < SL_ETH_LEN + SL_VLAN_LEN)
		return false;
	if (sl_get16(tag + 2) != SL_ETHERTYPE_VLAN) {
		if (eth->type == SL_ETHERTYPE_SVLAN)
			return true;
	} else {
		if (length < SL_ETH_LEN + 2 * SL_VLAN_LEN)
			return false;
		eth->svlan = sl_get16(tag) & 0x0fffu;
		eth->length = SL_ETH_LEN + SL_VLAN_LEN;
		tag += SL_VLAN_LEN;
	}
	eth->vlan = sl_get16(tag) & 0x0fffu;
	eth->type = sl_get16(tag + 2);
	eth->length = (uint8_t)(eth->length + SL_VLAN_LEN);
	return true;
}

/* Read the header of a frame of `length` bytes. False: the frame is shorter than its header. */
static inline bool sl_eth_parse(const uint8_t *frame, size_t length, struct sl_eth *eth)
{
	if (length < SL_ETH_LEN)
		return false;
	eth->type = sl_get16(frame + 12);
	eth->svlan = 0;
	eth->vlan = 0;
	eth->length = SL_ETH_LEN;
	if (eth->type != SL_ETHERTYPE_VLAN && eth->type != SL_ETHERTYPE_SVLAN)
		return true;
	return sl_eth_parse_tags(frame, length, eth);
}

/*
 * The same of a frame whose first tag the driver has taken off, and notes as `tci`: what sl_eth_parse() would say of the frame
 * with it, whatever tags there are behind it. Of which type it was is not known: it counts as 8100.
 */
static inline bool sl_eth_parse_stripped(const uint8_t *frame, size_t length, uint16_t tci,
                                         struct sl_eth *eth)
{
	if (length < SL_ETH_LEN)
		return false;
	eth->type = sl_get16(frame + 12);
	eth->svlan = 0;
	eth->vlan = tci & 0x0fffu;
	eth->length = SL_ETH_LEN;
	if (__builtin_expect(eth->type != SL_ETHERTYPE_VLAN, 1))
		return true;
	if (length < SL_ETH_LEN + SL_VLAN_LEN)
		return false;
	eth->svlan = eth->vlan;
	eth->vlan = sl_get16(frame + SL_ETH_LEN) & 0x0fffu;
	eth->type = sl_get16(frame + SL_ETH_LEN + 2);
	eth->length = SL_ETH_LEN + SL_VLAN_LEN;
	return true;
}

/* True for group addresses: multicast and broadcast (the I/G bit). */
static inline bool sl_mac_is_group(const uint8_t *mac) { return (mac[0] & 1u) != 0; }

static inline bool sl_mac_equal(const uint8_t *a, const uint8_t *b)
{
	uint32_t first[2];
	uint16_t last[2];

	memcpy(&first[0], a, 4);
	memcpy(&first[1], b, 4);
	memcpy(&last[0], a + 4, 2);
	memcpy(&last[1], b + 4, 2);
	return first[0] == first[1] && last[0] == last[1];
}

#endif
