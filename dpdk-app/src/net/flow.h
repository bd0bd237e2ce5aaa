/* SPDX-License-Identifier: Apache-2.0 */
/*
 * To which flow an IP packet belongs, as a number. Packets of one flow have one number, so that they go
 * one way and stay in order; those of different flows are as good as random to each other.
 *
 *   IPv4                          source, destination, protocol, ports
 *   IPv6, flow label not 0        source, destination, flow label    (RFC 6437 section 2, RFC 6438)
 *   IPv6, flow label 0            source, destination, protocol, ports
 *
 * Fragments, the first included, count without ports, so that those of one datagram go together. Ports
 * are those of TCP, UDP, UDP-Lite, DCCP and SCTP; behind extension headers that are not walked
 * (net/ip6.h) there are none.
 */
#ifndef SEALANE_NET_FLOW_H
#define SEALANE_NET_FLOW_H

#include <stddef.h>
#include <stdint.h>

/* A bijection in which every bit of the argument changes half of the result (splitmix64's finalizer). */
static inline uint64_t sl_mix64(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/*
 * Number of the flow of the packet at `ip`, which passed sl_ip4_check() or sl_ip6_check() for its
 * `length` bytes. `seed`: not known outside, so that nobody can send all his flows one way, and another
 * in each router, so that routers in a row choose independently.
 */
uint64_t sl_flow(const uint8_t *ip, size_t length, uint8_t family, uint64_t seed);

#endif
