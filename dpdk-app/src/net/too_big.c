/* SPDX-License-Identifier: Apache-2.0 */
#include "net/too_big.h"

#include "net/checksum.h"
#include "net/ip4.h"
#include "net/ip6.h"

#define SL_ICMP_LEN 8u
#define SL_UDP_LEN 8u
#define SL_ESP_FIELDS_LEN 8u /* SPI, sequence number */
#define SL_PORT_NATT 4500u   /* RFC 3948 2.1 */

/* What is quoted, without its IP header. */
struct quote {
	const uint8_t *ip, *upper;
	size_t length; /* bytes at `upper` */
	uint8_t protocol;
	bool like_ours; /* the IP header is one that this PE writes */
};

bool sl_is_too_big(const uint8_t *icmp, size_t length, uint8_t family)
{
	if (length < SL_ICMP_LEN)
		return false;
	return family == 4 ? icmp[0] == 3 && icmp[1] == 4 : icmp[0] == 2;
}

static bool checksum_right(const uint8_t *icmp, size_t length, uint8_t family,
                           const uint8_t *addresses)
{
	uint32_t sum = sl_sum(icmp, length, 0);

	if (family == 6)
		sum = sl_sum(addresses, 32, sum + (uint32_t)length + SL_PROTO_ICMP6);
	return sl_sum_fold(sum) == 0xffff;
}

/* False: there is no header of this family. */
static bool find_quote(const uint8_t *ip, size_t length, uint8_t family, struct quote *quote)
{
	size_t header = family == 4 ? SL_IP4_LEN : SL_IP6_LEN;

	if (length < header || ip[0] >> 4 != family)
		return false;
	quote->ip = ip;
	quote->protocol = family == 4 ? ip[9] : ip[6];
	/* no options, DF, no fragment */
	quote->like_ours = family == 6 || (ip[0] == 0x45 && (sl_get16(ip + 6) & 0x7fff) == 0x4000);
	quote->upper = ip + header;
	quote->length = length - header;
	return true;
}

/* ESP in UDP, as opposed to IKE, which has no SPI there but zeros, and to what is too short to tell. */
static bool is_esp_in_udp(const struct quote *quote)
{
	const uint8_t *udp = quote->upper;

	return quote->length >= SL_UDP_LEN + 4 &&
	       (sl_get16(udp) == SL_PORT_NATT || sl_get16(udp + 2) == SL_PORT_NATT) &&
	       sl_get32(udp + SL_UDP_LEN) != 0;
}

static enum sl_too_big_kind kind_of(const struct quote *quote)
{
	switch (quote->protocol) {
	case SL_PROTO_ESP:
		return SL_TOO_BIG_ESP;
	case SL_PROTO_UDP:
		return is_esp_in_udp(quote) ? SL_TOO_BIG_ESP : SL_TOO_BIG_OTHER;
	case SL_PROTO_GRE:
	case SL_PROTO_MPLS:
		return SL_TOO_BIG_IN_CLEAR;
	default:
		return SL_TOO_BIG_OTHER;
	}
}

static void read_fields(const uint8_t *icmp, uint8_t family, const struct quote *quote,
                        const uint8_t *esp, struct sl_too_big *read)
{
	bool in_udp = quote->protocol == SL_PROTO_UDP;

	read->mtu = family == 4 ? sl_get16(icmp + 6) : sl_get32(icmp + 4);
	read->length =
		(uint32_t)(family == 4 ? sl_ip4_total_len(quote->ip) : sl_ip6_total_len(quote->ip));
	read->source = quote->ip + (family == 4 ? 12 : 8);
	read->destination = quote->ip + (family == 4 ? 16 : 24);
	read->source_port = in_udp ? sl_get16(quote->upper) : 0;
	read->destination_port = in_udp ? sl_get16(quote->upper + 2) : 0;
	read->spi = sl_get32(esp);
	read->sequence = sl_get32(esp + 4);
}

enum sl_too_big_kind sl_read_too_big(const uint8_t *icmp, size_t length, uint8_t family,
                                     const uint8_t *addresses, struct sl_too_big *read)
{
	size_t quoted = length - SL_ICMP_LEN, extended = 0, udp;
	enum sl_too_big_kind kind;
	struct quote quote;

	/* RFC 4884 4.1: in units of four bytes; what follows are extensions, and nothing of them counts here */
	if (family == 4)
		extended = (size_t)icmp[5] * 4;
	if (!find_quote(icmp + SL_ICMP_LEN, quoted, family, &quote))
		return SL_TOO_BIG_OTHER;
	kind = kind_of(&quote);
	if (kind == SL_TOO_BIG_OTHER)
		return kind;
	if (extended > quoted || !checksum_right(icmp, length, family, addresses))
		return SL_TOO_BIG_UNLIKE;
	if (extended != 0 && !find_quote(icmp + SL_ICMP_LEN, extended, family, &quote))
		return SL_TOO_BIG_UNLIKE;
	if (kind == SL_TOO_BIG_IN_CLEAR)
		return kind;
	udp = quote.protocol == SL_PROTO_UDP ? SL_UDP_LEN : 0;
	if (!quote.like_ours || quote.length < udp + SL_ESP_FIELDS_LEN)
		return SL_TOO_BIG_UNLIKE;
	read_fields(icmp, family, &quote, quote.upper + udp, read);
	return SL_TOO_BIG_ESP;
}
