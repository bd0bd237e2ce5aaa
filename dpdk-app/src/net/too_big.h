/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a router says that could not pass on a packet of ours: "fragmentation needed" (RFC 792, RFC 1191 4; type 3,
 * code 4) and "packet too big" (RFC 4443 3.2; type 2), and which tunnel packet it quotes.
 *
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +---------------+---------------+-------------------------------+
 *  |    3          |    4          |           Checksum            |  ICMP
 *  +---------------+---------------+-------------------------------+
 *  |    unused     | Length, RFC 4884, 0: not |     Next-Hop MTU   |
 *  +---------------+---------------+-------------------------------+
 *  |    2          |  Code, ignored|           Checksum            |  ICMPv6
 *  +---------------+---------------+-------------------------------+
 *  |                              MTU                              |
 *  +---------------------------------------------------------------+
 *  |  as much of the packet as fits: IPv4 header and 8 bytes at least, which with ESP are SPI and sequence number
 */
#ifndef SEALANE_NET_TOO_BIG_H
#define SEALANE_NET_TOO_BIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sl_too_big_kind {
	SL_TOO_BIG_OTHER, /* about no tunnel packet, or too little of it is there to tell: the kernel's */
	SL_TOO_BIG_UNLIKE, /* about one that this PE cannot have sent: cut short, options, a fragment,
	                      * without DF; or the message is malformed */
	SL_TOO_BIG_IN_CLEAR, /* about MPLS-in-GRE or MPLS-in-IP without IPsec */
	SL_TOO_BIG_ESP,      /* the fields below are there */
};

/* All in host byte order but the addresses. */
struct sl_too_big {
	uint32_t mtu;    /* of the link that the packet did not fit, bytes of IP packet */
	uint32_t length; /* of the packet quoted, as its IP header says */
	uint32_t spi, sequence;
	const uint8_t *source, *destination;    /* of the packet quoted: 4 or 16 bytes */
	uint16_t source_port, destination_port; /* 0: ESP was not in UDP */
};

/* Of the `length` bytes at `icmp`, behind an IPv4 (`family` 4) or IPv6 header. */
bool sl_is_too_big(const uint8_t *icmp, size_t length, uint8_t family);

/*
 * Read the message at `icmp`, of `length` bytes, that sl_is_too_big() says is one. `addresses` are source and
 * destination of the packet it came in, 8 or 32 bytes. `read` is filled for SL_TOO_BIG_ESP alone.
 */
enum sl_too_big_kind sl_read_too_big(const uint8_t *icmp, size_t length, uint8_t family,
                                     const uint8_t *addresses, struct sl_too_big *read);

#endif
