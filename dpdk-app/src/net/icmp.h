/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP and ICMPv6 errors (RFC 792, RFC 1191, RFC 1812 4.3.2; RFC 4443).
 *
 *   | IPv4 header 20 | type 1 | code 1 | checksum 2 | unused 2 | next-hop MTU 2 | quote: ≤ 548 |   ≤ 576
 *   | IPv6 header 40 | type 1 | code 1 | checksum 2 | MTU 4, or unused          | quote: ≤ 1232 |  ≤ 1280
 *
 * The quote is the packet in error from its IP header on, as much as fits. The second word's length
 * attribute (RFC 4884) stays 0, which says "no extensions" to every receiver.
 */
#ifndef SEALANE_NET_ICMP_H
#define SEALANE_NET_ICMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SL_ICMP4_FRONT_LEN 28u /* IPv4 and ICMP header */
#define SL_ICMP6_FRONT_LEN 48u
#define SL_ICMP4_MAX_LEN 576u
#define SL_ICMP6_MAX_LEN 1280u
#define SL_ICMP_TTL 64u

/* Length of the quote of a packet of `length` bytes. */
static inline size_t sl_icmp4_quote_len(size_t length)
{
	return length < SL_ICMP4_MAX_LEN - SL_ICMP4_FRONT_LEN
	               ? length
	               : SL_ICMP4_MAX_LEN - SL_ICMP4_FRONT_LEN;
}
static inline size_t sl_icmp6_quote_len(size_t length)
{
	return length < SL_ICMP6_MAX_LEN - SL_ICMP6_FRONT_LEN
	               ? length
	               : SL_ICMP6_MAX_LEN - SL_ICMP6_FRONT_LEN;
}

/*
 * May an ICMP error be sent about the upper layer of a packet (RFC 1122 3.2.2, RFC 4443 2.4 e)?
 * `upper` are the `length` bytes behind its IP headers. Not about ICMP errors, nor redirects; and not
 * about ICMP whose type cannot be read.
 */
bool sl_icmp4_may_answer(uint8_t protocol, const uint8_t *upper, size_t length);
bool sl_icmp6_may_answer(uint8_t protocol, const uint8_t *upper, size_t length);

/*
 * Write IP and ICMP header into the SL_ICMP?_FRONT_LEN bytes at `packet`, behind which `quote` bytes of
 * the packet in error stand. From `source` (network order) to the quoted packet's source. `mtu` is 0
 * unless the error tells one.
 */
void sl_icmp4_write(uint8_t *packet, size_t quote, uint8_t type, uint8_t code, uint16_t mtu,
                    const uint8_t source[4]);
void sl_icmp6_write(uint8_t *packet, size_t quote, uint8_t type, uint8_t code, uint16_t mtu,
                    const uint8_t source[16]);

#endif
