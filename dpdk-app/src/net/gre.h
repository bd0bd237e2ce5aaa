/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GRE as RFC 4023 section 4.2 uses it for MPLS: no checksum, key or sequence number, version 0.
 *
 *   0                   1                   2                   3
 *  +-+-+-+-+-----------------+-----+-------------------------------+
 *  |C| |K|S|    Reserved0    | Ver |     Protocol Type = 0x8847    |
 *  +-+-+-+-+-----------------+-----+-------------------------------+
 */
#ifndef SEALANE_NET_GRE_H
#define SEALANE_NET_GRE_H

#include <stddef.h>
#include <stdint.h>

#include "net/bytes.h"
#include "net/eth.h"

#define SL_GRE_LEN 4u

enum sl_gre_result {
	SL_GRE_MPLS,     /* MPLS unicast follows after SL_GRE_LEN bytes */
	SL_GRE_HEADER,   /* truncated, or any flag, reserved bit or version other than 0 */
	SL_GRE_PROTOCOL, /* carries something else */
};

static inline enum sl_gre_result sl_gre_parse(const uint8_t *gre, size_t length)
{
	if (length < SL_GRE_LEN || sl_get16(gre) != 0)
		return SL_GRE_HEADER;
	return sl_get16(gre + 2) == SL_ETHERTYPE_MPLS ? SL_GRE_MPLS : SL_GRE_PROTOCOL;
}

/* The same of what nearly every packet has, in four bytes that are there. */
static inline bool sl_gre_is_mpls(const uint8_t *gre) { return sl_get32(gre) == SL_ETHERTYPE_MPLS; }

#endif
