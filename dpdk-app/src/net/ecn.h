/* SPDX-License-Identifier: Apache-2.0 */
/* Explicit congestion notification: the codepoints (RFC 3168 5) and the egress of a tunnel (RFC 6040 4.2). */
#ifndef SEALANE_NET_ECN_H
#define SEALANE_NET_ECN_H

#include <stdbool.h>
#include <stdint.h>

enum sl_ecn { SL_ECN_NOT_ECT = 0, SL_ECN_ECT1 = 1, SL_ECN_ECT0 = 2, SL_ECN_CE = 3 };

/*
 * RFC 6040 figure 4: what goes on when a packet `inner` arrives in an outer header `outer`.
 *
 *     inner \ outer   Not-ECT   ECT(0)    ECT(1)    CE
 *     Not-ECT         Not-ECT   Not-ECT   Not-ECT   drop
 *     ECT(0)          ECT(0)    ECT(0)    ECT(1)    CE
 *     ECT(1)          ECT(1)    ECT(1)    ECT(1)    CE
 *     CE              CE        CE        CE        CE
 *
 * In four of the sixteen the packet does not go on as it is: always with `outer` CE, but for a packet that has
 * it already, and of ECT(0) in ECT(1). One bit for each; then the outer codepoint is the result, or, where the
 * inner one is Not-ECT, the packet is dropped.
 */
static inline bool sl_ecn_outer_counts(uint8_t outer, uint8_t inner)
{
	return (0x7040u >> (outer << 2 | inner) & 1u) != 0;
}

#endif
