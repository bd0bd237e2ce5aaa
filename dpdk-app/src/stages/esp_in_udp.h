/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ESP in UDP (RFC 3948 2.1), as opposed to IKE, which has four zero bytes there, and keepalives of one byte:
 *
 *  |          Source port          |   Destination port, 4500      |
 *  |            Length             |   Checksum: not looked at     |
 *  |                  SPI, not 0, and so on                        |
 *
 * A fragment that is not the first one shows none of this, so it waits for that one. A first one that does not show an SPI of an SA
 * in UDP between these addresses makes the datagram the kernel's (IKE, and all else), whose fragments it gets as they came.
 */
#ifndef SEALANE_STAGES_ESP_IN_UDP_H
#define SEALANE_STAGES_ESP_IN_UDP_H

#include "stages/ip_header.h"

#define SL_UDP_LEN 8u

/* What a datagram in fragments is known to be. */
enum sl_datagram_kind {
	SL_DATAGRAM_TUNNEL, /* to be put together */
	SL_DATAGRAM_UNTOLD, /* UDP, whose first fragment has not come */
	SL_DATAGRAM_KERNELS,
};

/* Is UDP at this offset, to the packet's end, ESP? Its SA is looked for later. */
bool sl_is_esp_in_udp(const struct rte_mbuf *m, uint16_t offset);

/*
 * A fragment of UDP: is it, or may it be, ESP's? False: it is the kernel's by now, with all that waited for it.
 */
bool sl_udp_fragment(struct sl_worker *w, struct rte_mbuf *m, struct sl_datagram *d, bool first);

/* It is the kernel's, this fragment and those that wait. */
void sl_udp_to_kernel(struct sl_worker *w, struct rte_mbuf *m, struct sl_datagram *d);

/* The kernel gets those that wait, where their interface is still the core's; else they are dropped. */
void sl_udp_pieces_to_kernel(struct sl_worker *w, struct sl_datagram *d,
                             enum sl_drop_reason reason);

#endif
