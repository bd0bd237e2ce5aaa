/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BFD Control packets (RFC 5880 §4), the payload of UDP port 3784 (RFC 5881) or 4784 (RFC 5883).
 * All fields are in network order; intervals are microseconds.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |Vers |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                       My Discriminator                        |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                      Your Discriminator                       |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                    Desired Min TX Interval                    |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                   Required Min RX Interval                    |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                 Required Min Echo RX Interval                 |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * With A set, an authentication section follows; for keyed and meticulous keyed SHA1 (§4.4):
 *
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |   Auth Type   | Auth Len = 28 |  Auth Key ID  |   Reserved    |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                        Sequence Number                        |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                 Auth Key/Hash, 20 octets ...                  |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
#ifndef SEALANE_BFD_BFD_PACKET_H
#define SEALANE_BFD_BFD_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SL_BFD_VERSION 1u
#define SL_BFD_HEADER_BYTES 24u
#define SL_BFD_SHA1_BYTES 28u                                      /* the authentication section */
#define SL_BFD_MAX_BYTES (SL_BFD_HEADER_BYTES + SL_BFD_SHA1_BYTES) /* that we send */

#define SL_BFD_PORT 3784u          /* single hop, RFC 5881 §4 */
#define SL_BFD_MULTIHOP_PORT 4784u /* RFC 5883 §5 */

enum sl_bfd_state {
	SL_BFD_ADMIN_DOWN = 0,
	SL_BFD_DOWN = 1,
	SL_BFD_INIT = 2,
	SL_BFD_UP = 3,
};

/* Diagnostics, §4.1: why the session last changed its state. */
enum sl_bfd_diag {
	SL_BFD_DIAG_NONE = 0,
	SL_BFD_DIAG_EXPIRED = 1, /* Control Detection Time Expired */
	SL_BFD_DIAG_ECHO_FAILED = 2,
	SL_BFD_DIAG_NEIGHBOR_DOWN = 3, /* Neighbor Signaled Session Down */
	SL_BFD_DIAG_FORWARDING_RESET = 4,
	SL_BFD_DIAG_PATH_DOWN = 5,
	SL_BFD_DIAG_CONCATENATED_DOWN = 6,
	SL_BFD_DIAG_ADMIN_DOWN = 7,
	SL_BFD_DIAG_REVERSE_CONCATENATED_DOWN = 8,
};

enum sl_bfd_auth_type {
	SL_BFD_AUTH_NONE = 0,
	SL_BFD_AUTH_KEYED_SHA1 = 4,
	SL_BFD_AUTH_METICULOUS_SHA1 = 5,
};

/* A packet in host order. */
struct sl_bfd_packet {
	uint8_t diag;  /* 0..31; enum sl_bfd_diag, others are reserved */
	uint8_t state; /* enum sl_bfd_state */
	bool poll;
	bool final;
	bool independent; /* C: the sender's BFD shares no fate with its control plane */
	bool authenticated;
	bool demand;
	uint8_t detect_mult;
	uint8_t length; /* octets the packet says it has, authentication section included */
	uint32_t my_discr;
	uint32_t your_discr;
	uint32_t desired_min_tx_us;
	uint32_t required_min_rx_us;
	uint32_t required_min_echo_rx_us;
	uint8_t auth_type; /* 0 unless `authenticated` */
	uint8_t auth_length;
};

/* What §6.8.6 says to discard before any session is looked for, in its order. */
enum sl_bfd_fault {
	SL_BFD_OK = 0,
	SL_BFD_TRUNCATED,   /* fewer octets than the shortest packet */
	SL_BFD_BAD_VERSION, /* not 1 */
	SL_BFD_BAD_LENGTH,  /* below 24 (26 with A), or more than there is */
	SL_BFD_BAD_MULT,    /* Detect Mult 0 */
	SL_BFD_MULTIPOINT,  /* M set */
	SL_BFD_NO_DISCR,    /* My Discriminator 0 */
	SL_BFD_BAD_STATE,   /* Your Discriminator 0 in state Init or Up */
	SL_BFD_BAD_AUTH,    /* authentication section of other than its own length */
};

/*
 * Decode the packet at the start of bytes[0..length); octets behind its own length are ignored.
 * SL_BFD_OK with `packet` filled, else why it is discarded. Reads nothing outside `bytes`.
 */
enum sl_bfd_fault sl_bfd_decode(const uint8_t *bytes, size_t length, struct sl_bfd_packet *packet);

/*
 * Encode the mandatory section into out[0..24). `length`, `auth_type` and `auth_length` of the packet are
 * not looked at: Length is 24, plus 28 when `authenticated`. Returns Length; the authentication section is
 * sl_bfd_auth_seal()'s.
 */
size_t sl_bfd_encode(const struct sl_bfd_packet *packet, uint8_t out[SL_BFD_HEADER_BYTES]);

#endif
