/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LACPDU (IEEE 802.1AX-2008 5.4.2.2), big endian:
 *
 *    0 01:80:c2:00:00:02   6 source   12 0x8809   14 subtype 1   15 version
 *   16 TLV 1 (actor), 20 bytes   36 TLV 2 (partner), 20 bytes   56 TLV 3 (collector), 16 bytes   72 TLV 0
 *   within 1 and 2: 2 system priority   4 system   10 key   12 port priority   14 port   16 state
 */
#include <string.h>

#include "lacp/lacp.h"

#define SL_AT_TYPE 12u
#define SL_AT_SUBTYPE 14u
#define SL_AT_VERSION 15u
#define SL_AT_ACTOR 16u
#define SL_AT_PARTNER 36u
#define SL_AT_COLLECTOR 56u
#define SL_SUBTYPE_LACP 1u
#define SL_END_LENGTH 20u
#define SL_COLLECTOR_LENGTH 16u

static const uint8_t slow_protocols[6] = {0x01, 0x80, 0xc2, 0x00, 0x00, 0x02};

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static bool get_end(struct sl_lacp_end *end, const uint8_t *tlv, uint8_t type)
{
	if (tlv[0] != type || tlv[1] != SL_END_LENGTH)
		return false;
	end->system_priority = get16(tlv + 2);
	memcpy(end->system, tlv + 4, sizeof(end->system));
	end->key = get16(tlv + 10);
	end->port_priority = get16(tlv + 12);
	end->port = get16(tlv + 14);
	end->state = tlv[16];
	return true;
}

static void put_end(uint8_t *tlv, const struct sl_lacp_end *end, uint8_t type)
{
	tlv[0] = type;
	tlv[1] = SL_END_LENGTH;
	put16(tlv + 2, end->system_priority);
	memcpy(tlv + 4, end->system, sizeof(end->system));
	put16(tlv + 10, end->key);
	put16(tlv + 12, end->port_priority);
	put16(tlv + 14, end->port);
	tlv[16] = end->state;
}

bool sl_lacp_decode(struct sl_lacp_pdu *pdu, const uint8_t *frame, size_t length)
{
	/* A later version has these fields where they are (5.4.2.2 b). */
	return length >= SL_LACP_FRAME && get16(frame + SL_AT_TYPE) == 0x8809 &&
	       frame[SL_AT_SUBTYPE] == SL_SUBTYPE_LACP && frame[SL_AT_VERSION] >= 1 &&
	       get_end(&pdu->actor, frame + SL_AT_ACTOR, 1) &&
	       get_end(&pdu->partner, frame + SL_AT_PARTNER, 2);
}

void sl_lacp_encode(const struct sl_lacp_pdu *pdu, const uint8_t source[6],
                    uint8_t frame[SL_LACP_FRAME])
{
	memset(frame, 0, SL_LACP_FRAME);
	memcpy(frame, slow_protocols, sizeof(slow_protocols));
	memcpy(frame + 6, source, 6);
	put16(frame + SL_AT_TYPE, 0x8809);
	frame[SL_AT_SUBTYPE] = SL_SUBTYPE_LACP;
	frame[SL_AT_VERSION] = 1;
	put_end(frame + SL_AT_ACTOR, &pdu->actor, 1);
	put_end(frame + SL_AT_PARTNER, &pdu->partner, 2);
	frame[SL_AT_COLLECTOR] = 3; /* CollectorMaxDelay 0: frames are given on at once */
	frame[SL_AT_COLLECTOR + 1] = SL_COLLECTOR_LENGTH;
}
