/* SPDX-License-Identifier: Apache-2.0 */
/* The maximum segment size that a TCP SYN announces (RFC 9293 3.7.1), lowered on its way. */
#ifndef SEALANE_NET_TCP_MSS_H
#define SEALANE_NET_TCP_MSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Lower every MSS option of the SYN or SYN/ACK at `tcp`, of which `length` bytes exist, to `mss`, and adjust the
 * checksum. Never raises one and never adds one. False: nothing was changed, as the segment is no SYN, has no
 * greater MSS, is malformed, or has an Authentication Option (RFC 5925), which a change would make invalid.
 */
bool sl_tcp_clamp_mss(uint8_t *tcp, size_t length, uint16_t mss);

#endif
