/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BFD packets of other implementations, captured on the wire between them and a worker (test/interop/bfd), with what
 * tshark 4.0.17 reads in them: FRR 8.4.4, BIRD 2.0.12; the last of the plain ones was built by Scapy 2.5.0.
 */
#ifndef SEALANE_TEST_VECTORS_BFD_H
#define SEALANE_TEST_VECTORS_BFD_H

#include "bfd/bfd_packet.h"

#define BFD_SECRET "a key of 20 octets!!"

struct bfd_vector {
	const char *hex;
	struct sl_bfd_packet packet;
};

static const struct bfd_vector bfd_vectors[] = {
	/* FRR: Init */
	{"20800318cdd15b9248029d64000f4240000f42400000c350",
         {.state = SL_BFD_INIT,
          .detect_mult = 3,
          .length = 24,
          .my_discr = 0xcdd15b92,
          .your_discr = 0x48029d64,
          .desired_min_tx_us = 1000000,
          .required_min_rx_us = 1000000,
          .required_min_echo_rx_us = 50000}},
	/* FRR: Up, Poll */
	{"20e00318cdd15b9248029d64000493e0000493e00000c350",
         {.state = SL_BFD_UP,
          .poll = true,
          .detect_mult = 3,
          .length = 24,
          .my_discr = 0xcdd15b92,
          .your_discr = 0x48029d64,
          .desired_min_tx_us = 300000,
          .required_min_rx_us = 300000,
          .required_min_echo_rx_us = 50000}},
	/* FRR: Up, Final */
	{"20d00318cdd15b9248029d64000dbba0000493e00000c350",
         {.state = SL_BFD_UP,
          .final = true,
          .detect_mult = 3,
          .length = 24,
          .my_discr = 0xcdd15b92,
          .your_discr = 0x48029d64,
          .desired_min_tx_us = 900000,
          .required_min_rx_us = 300000,
          .required_min_echo_rx_us = 50000}},
	/* BIRD: Init, keyed SHA1 */
	{"20840334c7d046a80675398d000f4240000493e000000000"
         "041c0700aeadf834b44a1918cb1a7410760a05db2b7e45c4d99f48f7",
         {.state = SL_BFD_INIT,
          .authenticated = true,
          .detect_mult = 3,
          .length = 52,
          .my_discr = 0xc7d046a8,
          .your_discr = 0x0675398d,
          .desired_min_tx_us = 1000000,
          .required_min_rx_us = 300000,
          .auth_type = SL_BFD_AUTH_KEYED_SHA1,
          .auth_length = 28}},
	/* Scapy: AdminDown, C and D, every field with a value of its own */
	{"280aff18fffefdfc01020304112233445566778899aabbcc",
         {.diag = SL_BFD_DIAG_REVERSE_CONCATENATED_DOWN,
          .state = SL_BFD_ADMIN_DOWN,
          .independent = true,
          .demand = true,
          .detect_mult = 255,
          .length = 24,
          .my_discr = 0xfffefdfc,
          .your_discr = 0x01020304,
          .desired_min_tx_us = 0x11223344,
          .required_min_rx_us = 0x55667788,
          .required_min_echo_rx_us = 0x99aabbcc}},
};

/* BIRD's, with BFD_SECRET as key 7. */
static const struct {
	const char *hex;
	uint8_t type;
	uint32_t sequence;
} bfd_sealed[] = {
	{"20840334c7d046a80675398d000f4240000493e000000000"
         "041c0700aeadf834b44a1918cb1a7410760a05db2b7e45c4d99f48f7",
         SL_BFD_AUTH_KEYED_SHA1, 0xaeadf834},
	{"20d40334c7d046a80675398d000493e0000493e000000000"
         "041c0700aeadf83408e0a7aca87e7d191a001dea2a6b98b7d3ecef85",
         SL_BFD_AUTH_KEYED_SHA1, 0xaeadf834},
	{"20e403347a05a7904fa6286d000493e0000493e000000000"
         "051c0700c7a944b6dc59e7e1550be310b4726ce1cf6c80532a65f680",
         SL_BFD_AUTH_METICULOUS_SHA1, 0xc7a944b6},
	{"20c403347a05a7904fa6286d000493e0000493e000000000"
         "051c0700c7a944b78231c543d7733c485f60fedf43065f270aef11bc",
         SL_BFD_AUTH_METICULOUS_SHA1, 0xc7a944b7},
};

#endif
