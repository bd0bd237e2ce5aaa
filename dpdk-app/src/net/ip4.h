/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPv4 header (RFC 791).
 *
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-------+-------+-----------+---+-------------------------------+
 *  |Version|  IHL  |   DSCP    |ECN|         Total Length          |  0
 *  +-------+-------+-----------+---+-----+-------------------------+
 *  |        Identification         |Flags|     Fragment Offset     |  4
 *  +---------------+---------------+-----+-------------------------+
 *  |      TTL      |   Protocol    |        Header Checksum        |  8
 *  +---------------+---------------+-------------------------------+
 *  |                        Source Address                         |  12
 *  +---------------------------------------------------------------+
 *  |                     Destination Address                       |  16
 *  +---------------------------------------------------------------+
 *  |                    Options (IHL > 5)                          |  20
 *  +---------------------------------------------------------------+
 */
#ifndef SEALANE_NET_IP4_H
#define SEALANE_NET_IP4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/bytes.h"
#include "net/checksum.h"
#include "net/protocol.h"

#define SL_IP4_LEN 20u
#define SL_IP4_DF 0x4000u /* flags and offset word */
#define SL_IP4_MF 0x2000u
#define SL_IP4_OFFSET 0x1fffu

static inline size_t sl_ip4_header_len(const uint8_t *ip) { return (size_t)(ip[0] & 0x0fu) * 4; }
static inline uint16_t sl_ip4_total_len(const uint8_t *ip) { return sl_get16(ip + 2); }
static inline bool sl_ip4_is_fragment(const uint8_t *ip)
{
	return (sl_get16(ip + 6) & (SL_IP4_MF | SL_IP4_OFFSET)) != 0;
}
static inline bool sl_ip4_is_later_fragment(const uint8_t *ip)
{
	return (sl_get16(ip + 6) & SL_IP4_OFFSET) != 0;
}

/*
 * Does a header of 20 bytes sum to 0xffff? One's-complement arithmetic is arithmetic modulo 0xffff
 * (RFC 1071 section 2), in which the order of bytes does not matter and 2^32 is 1: so the plain sum of
 * five words must be a multiple, and 0 it cannot be, the version being in it.
 */
static inline bool sl_ip4_sum_good(const uint8_t *ip)
{
	uint32_t w[5];

	memcpy(w, ip, sizeof(w));
	return ((uint64_t)w[0] + w[1] + w[2] + w[3] + w[4]) % 0xffffu == 0;
}

/*
 * Check version, header length, total length and header checksum of the packet at `ip`, of which
 * `length` bytes exist (RFC 1812 5.2.2). Options are accepted and not looked at. Bytes beyond the
 * total length are link padding: the caller trims them.
 * Returns SL_IP_OK, SL_IP_TRUNCATED, SL_IP_HEADER or SL_IP_CHECKSUM.
 */
static inline enum sl_ip_result sl_ip4_check(const uint8_t *ip, size_t length)
{
	size_t header, total;
	bool good;

	if (length < SL_IP4_LEN)
		return SL_IP_TRUNCATED;
	header = sl_ip4_header_len(ip);
	total = sl_ip4_total_len(ip);
	if (ip[0] >> 4 != 4 || header < SL_IP4_LEN || total < header)
		return SL_IP_HEADER;
	if (total > length)
		return SL_IP_TRUNCATED;
	good = __builtin_expect(header == SL_IP4_LEN, 1)
	               ? sl_ip4_sum_good(ip)
	               : sl_sum_fold(sl_sum(ip, header, 0)) == 0xffffu;
	return good ? SL_IP_OK : SL_IP_CHECKSUM;
}

/*
 * Decrement the TTL (which is > 0) and update the checksum: sl_checksum_update() for a word that becomes 0x0100 less, in
 * memory's order of bytes.
 */
static inline void sl_ip4_decrement_ttl(uint8_t *ip)
{
	uint16_t raw;
	uint32_t sum;

	memcpy(&raw, ip + 10, sizeof(raw));
	sum = raw + 1u;
	raw = (uint16_t)(sum + (sum >= 0xffffu));
	memcpy(ip + 10, &raw, sizeof(raw));
	ip[8]--;
}

/* Store another TTL and update the checksum. */
static inline void sl_ip4_set_ttl(uint8_t *ip, uint8_t ttl)
{
	uint16_t before = sl_get16(ip + 8);
	uint16_t after = (uint16_t)((uint32_t)ttl << 8 | (before & 0xffu));

	sl_put16(ip + 8, after);
	sl_put16(ip + 10, sl_checksum_update(sl_get16(ip + 10), before, after));
}

/* Store another DSCP (6 bits), leave ECN, and update the checksum. */
static inline void sl_ip4_set_dscp(uint8_t *ip, uint8_t dscp)
{
	uint16_t before = sl_get16(ip);
	uint16_t after = (uint16_t)((before & 0xff03u) | (uint32_t)dscp << 2);

	sl_put16(ip, after);
	sl_put16(ip + 10, sl_checksum_update(sl_get16(ip + 10), before, after));
}

/* Store another ECN (2 bits), leave DSCP, and update the checksum. */
static inline void sl_ip4_set_ecn(uint8_t *ip, uint8_t ecn)
{
	uint16_t before = sl_get16(ip);
	uint16_t after = (uint16_t)((before & 0xfffcu) | ecn);

	sl_put16(ip, after);
	sl_put16(ip + 10, sl_checksum_update(sl_get16(ip + 10), before, after));
}

/* Classes of addresses in host order that decide what is done with a packet (RFC 1812 5.3.7, RFC 6890). */
static inline bool sl_ip4_is_multicast(uint32_t a) { return a >> 28 == 0xeu; }
static inline bool sl_ip4_is_local_multicast(uint32_t a)
{
	return a >> 8 == 0xe00000u;
} /* 224.0.0.0/24 */
static inline bool sl_ip4_is_linklocal(uint32_t a) { return a >> 16 == 0xa9feu; }
static inline bool sl_ip4_is_broadcast(uint32_t a) { return a == 0xffffffffu; }
/* 0.0.0.0/8, 127.0.0.0/8, 240.0.0.0/4: never a unicast address on a wire. */
static inline bool sl_ip4_is_martian(uint32_t a)
{
	return a >> 24 == 0 || a >> 24 == 127 || a >> 28 == 0xfu;
}
/* Neither martian nor multicast: what nearly every address is, so asked first. By the first octet alone: */
static inline bool sl_ip4_octet_is_unicast(uint32_t first)
{
	return first - 1 < 223 && first != 127;
}
static inline bool sl_ip4_is_unicast(uint32_t a) { return sl_ip4_octet_is_unicast(a >> 24); }

/* sl_ip4_plain_header(); `summed`, a constant: whatever the sum. */
static inline uint32_t sl_ip4_plain_shape(const uint8_t *ip, uint32_t length, bool summed)
{
	uint64_t first, second, sum;
	uint32_t third, total;
	bool carry;

	if (__builtin_expect(length < SL_IP4_LEN || ip[0] != 0x45, 0))
		return 0;
	total = sl_ip4_total_len(ip);
	if (__builtin_expect(total - SL_IP4_LEN > length - SL_IP4_LEN, 0))
		return 0;
	/* as in sl_ip4_sum_good(), and 2^64 is 1 too: what is carried out of it goes in again */
	memcpy(&first, ip, sizeof(first));
	memcpy(&second, ip + 8, sizeof(second));
	memcpy(&third, ip + 16, sizeof(third));
	carry = __builtin_add_overflow(first, second, &sum);
	carry = __builtin_add_overflow(sum, (uint64_t)third + carry, &sum);
	return __builtin_expect(summed || (sum + carry) % 0xffffu == 0, 1) ? total : 0;
}

/*
 * Is this what nearly every packet is: a header without options that sl_ip4_check() finds good? Then its total length, else
 * 0, and somebody has to look closer. Branches that packet after packet does not take cost less than the arithmetic in
 * their place would.
 */
static inline uint32_t sl_ip4_plain_header(const uint8_t *ip, uint32_t length)
{
	return sl_ip4_plain_shape(ip, length, false);
}

/* From and to an address that is routed? */
static inline bool sl_ip4_plain_ends(const uint8_t *ip)
{
	return sl_ip4_octet_is_unicast(ip[12]) && sl_ip4_octet_is_unicast(ip[16]);
}

/* Both: the total length, else 0. */
static inline uint32_t sl_ip4_plain(const uint8_t *ip, uint32_t length)
{
	uint32_t total = sl_ip4_plain_header(ip, length);

	return __builtin_expect(total != 0, 1) && __builtin_expect(sl_ip4_plain_ends(ip), 1) ? total
	                                                                                     : 0;
}

#endif
