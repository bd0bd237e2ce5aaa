/* SPDX-License-Identifier: Apache-2.0 */
/* What the sockets that the supervisor passes for BFD must be, and packets through them. */
#ifndef SEALANE_CONTROL_BFD_SOCKET_H
#define SEALANE_CONTROL_BFD_SOCKET_H

#include "bfd/bfd_table.h"
#include "control/fault.h"

/* A received packet. */
struct sl_bfd_datagram {
	size_t length;                 /* of the UDP payload, at most sizeof(bytes) */
	int ttl;                       /* or hop limit; -1: the kernel did not say */
	struct sl_bfd_address_key key; /* without its listener */
	uint8_t bytes[256];            /* a BFD packet's Length has 8 bits */
};

/*
 * Is `fd` a UDP socket on the port of single or multi hop that tells TTL and destination? `*family` is 4 or 6.
 * 0 with the descriptor made non-blocking, or -1 with `fault`.
 */
int sl_bfd_socket_check_listener(int fd, bool multihop, uint8_t *family, struct sl_fault *fault);

/*
 * Is `fd` a UDP socket that sends with TTL 255 from a port of 49152 on (RFC 5881 §4) and an address of the family?
 * 0 with the key's `local` and `interface` filled in, or -1 with `fault`.
 */
int sl_bfd_socket_check_sender(int fd, struct sl_bfd_address_key *key, struct sl_fault *fault);

/* The next packet of a listener. False: none waits. */
bool sl_bfd_socket_receive(int fd, struct sl_bfd_datagram *datagram);

/* False when the kernel did not take it. */
bool sl_bfd_socket_send(const struct sl_bfd_entry *entry, const uint8_t *bytes, size_t length);

#endif
