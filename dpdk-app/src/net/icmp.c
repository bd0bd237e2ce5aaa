/* SPDX-License-Identifier: Apache-2.0 */
#include "net/icmp.h"

#include "net/checksum.h"
#include "net/ip4.h"
#include "net/ip6.h"

bool sl_icmp4_may_answer(uint8_t protocol, const uint8_t *upper, size_t length)
{
	if (protocol != SL_PROTO_ICMP)
		return true;
	if (length == 0)
		return false;
	switch (upper[0]) {
	case 3:  /* destination unreachable */
	case 4:  /* source quench */
	case 5:  /* redirect */
	case 11: /* time exceeded */
	case 12: /* parameter problem */
		return false;
	default:
		return true;
	}
}

bool sl_icmp6_may_answer(uint8_t protocol, const uint8_t *upper, size_t length)
{
	if (protocol != SL_PROTO_ICMP6)
		return true;
	return length != 0 && upper[0] >= 128 &&
	       upper[0] != 137; /* errors are below 128; 137: redirect */
}

void sl_icmp4_write(uint8_t *packet, size_t quote, uint8_t type, uint8_t code, uint16_t mtu,
                    const uint8_t source[4])
{
	uint8_t *icmp = packet + SL_IP4_LEN;

	memset(packet, 0, SL_ICMP4_FRONT_LEN);
	packet[0] = 0x45;
	packet[1] = 0xc0; /* internetwork control (RFC 1812 4.3.2.5) */
	sl_put16(packet + 2, (uint16_t)(SL_ICMP4_FRONT_LEN + quote));
	sl_put16(packet + 6,
	         SL_IP4_DF); /* never fragmented, so it needs no identification (RFC 6864) */
	packet[8] = SL_ICMP_TTL;
	packet[9] = SL_PROTO_ICMP;
	memcpy(packet + 12, source, 4);
	memcpy(packet + 16, packet + SL_ICMP4_FRONT_LEN + 12, 4);
	sl_put16(packet + 10, (uint16_t)~sl_sum_fold(sl_sum(packet, SL_IP4_LEN, 0)));

	icmp[0] = type;
	icmp[1] = code;
	sl_put16(icmp + 6, mtu);
	sl_put16(icmp + 2, (uint16_t)~sl_sum_fold(sl_sum(icmp, 8 + quote, 0)));
}

void sl_icmp6_write(uint8_t *packet, size_t quote, uint8_t type, uint8_t code, uint16_t mtu,
                    const uint8_t source[16])
{
	uint8_t *icmp = packet + SL_IP6_LEN;
	size_t length = 8 + quote;
	uint32_t sum;

	memset(packet, 0, SL_ICMP6_FRONT_LEN);
	packet[0] = 0x60;
	sl_put16(packet + 4, (uint16_t)length);
	packet[6] = SL_PROTO_ICMP6;
	packet[7] = SL_ICMP_TTL;
	memcpy(packet + 8, source, 16);
	memcpy(packet + 24, packet + SL_ICMP6_FRONT_LEN + 8, 16);

	icmp[0] = type;
	icmp[1] = code;
	sl_put32(icmp + 4, mtu);
	/* pseudo-header (RFC 8200 8.1): both addresses, length, next header */
	sum = sl_sum(packet + 8, 32, (uint32_t)length + SL_PROTO_ICMP6);
	sl_put16(icmp + 2, (uint16_t)~sl_sum_fold(sl_sum(icmp, length, sum)));
}
