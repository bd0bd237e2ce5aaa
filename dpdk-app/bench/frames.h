/* SPDX-License-Identifier: Apache-2.0 */
/* The packets of the data-plane benchmark: made once, copied into mbufs by the source. */
#ifndef SEALANE_BENCH_FRAMES_H
#define SEALANE_BENCH_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "sealane/tables.h"

#define BENCH_FRAME_MAX 2048u

struct bench_frame {
	uint16_t length;
	uint32_t sa;       /* inbound: SA row */
	uint32_t sequence; /* inbound: ESP sequence number */
	uint8_t *bytes;    /* room for BENCH_FRAME_MAX while it is made */
};

struct sl_sa_key;

/*
 * A customer's UDP packet in an Ethernet frame of `length` bytes without FCS, to `destination`
 * (host order) by way of `mac`. With a `vlan` (0 = none) the frame is tagged, and 4 bytes longer. The
 * source port varies with `flow`.
 */
void bench_customer_frame(struct bench_frame *frame, uint16_t length, const uint8_t *mac,
                          uint16_t vlan, uint32_t destination, uint32_t flow);

/*
 * The frame a remote PE would send on inbound SA `sa`: MPLS-in-GRE in ESP over IPv4 around the IP
 * packet of a customer frame of `length` bytes.
 */
void bench_tunnel_frame(struct bench_frame *frame, uint16_t length, const uint8_t *mac,
                        const struct sl_sa_row *sa, const struct sl_sa_key *key, uint32_t sequence,
                        uint32_t label, uint32_t destination);

#endif
