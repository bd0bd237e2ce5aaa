/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ip6.h"

#define SL_IP6_MAX_EXTENSIONS 8u

/*
 * Options area of Hop-by-Hop and Destination Options headers: type 1, length 1, data; Pad1 is a lone
 * 0. The two high bits of a type say what a node does that does not know it: 00 = skip.
 */
static bool options_skippable(const uint8_t *options, size_t length)
{
	size_t at = 0;

	while (at < length) {
		if (options[at] == 0) {
			at++;
			continue;
		}
		if (options[at] >> 6 != 0 || length - at < 2 || length - at - 2 < options[at + 1])
			return false;
		at += 2u + options[at + 1];
	}
	return true;
}

/* Bytes of the extension header at `header`, of which `length` exist; 0 = not walked. */
static size_t extension_len(const uint8_t *header, size_t length, uint8_t protocol, bool first)
{
	size_t bytes;

	if (length < 8)
		return 0;
	bytes = protocol == SL_PROTO_FRAGMENT ? 8 : 8 + (size_t)header[1] * 8;
	if (bytes > length)
		return 0;
	switch (protocol) {
	case SL_PROTO_HOPOPTS:
		return first && options_skippable(header + 2, bytes - 2) ? bytes : 0;
	case SL_PROTO_DSTOPTS:
		return options_skippable(header + 2, bytes - 2) ? bytes : 0;
	case SL_PROTO_ROUTING:
		return header[3] == 0 ? bytes : 0; /* Segments Left */
	default:
		return bytes;
	}
}

static bool is_extension(uint8_t protocol)
{
	return protocol == SL_PROTO_HOPOPTS || protocol == SL_PROTO_DSTOPTS ||
	       protocol == SL_PROTO_ROUTING || protocol == SL_PROTO_FRAGMENT;
}

bool sl_ip6_walk(const uint8_t *ip, size_t length, struct sl_ip6_upper *upper)
{
	size_t offset = SL_IP6_LEN;
	uint8_t protocol = ip[6];

	upper->fragment = false;
	upper->first = true;
	for (unsigned int i = 0; is_extension(protocol); i++) {
		const uint8_t *header = ip + offset;
		size_t bytes;

		if (i == SL_IP6_MAX_EXTENSIONS)
			return false;
		bytes = extension_len(header, length - offset, protocol, i == 0);
		if (bytes == 0)
			return false;
		offset += bytes;
		if (protocol == SL_PROTO_FRAGMENT) {
			/* what follows is reassembled elsewhere: the chain ends here */
			upper->fragment = true;
			upper->first = sl_get16(header + 2) >> 3 == 0;
			protocol = header[0];
			break;
		}
		protocol = header[0];
	}
	upper->offset = (uint16_t)offset;
	upper->protocol = protocol;
	return true;
}
