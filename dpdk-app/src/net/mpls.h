/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MPLS label stack entry (RFC 3032, TC: RFC 5462).
 *
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +---------------------------------------+-----+-+---------------+
 *  |                Label                  | TC  |S|      TTL      |
 *  +---------------------------------------+-----+-+---------------+
 */
#ifndef SEALANE_NET_MPLS_H
#define SEALANE_NET_MPLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/bytes.h"

#define SL_MPLS_LEN 4u
#define SL_MPLS_IP4_EXPLICIT_NULL 0u
#define SL_MPLS_IP6_EXPLICIT_NULL 2u
#define SL_MPLS_FIRST_UNRESERVED 16u

/* Parts of an entry in host order. */
static inline uint32_t sl_mpls_label(uint32_t entry) { return entry >> 12; }
static inline uint8_t sl_mpls_tc(uint32_t entry) { return (uint8_t)(entry >> 9 & 7u); }
static inline bool sl_mpls_bottom(uint32_t entry) { return (entry >> 8 & 1u) != 0; }
static inline uint8_t sl_mpls_ttl(uint32_t entry) { return (uint8_t)entry; }

/* Bottom-of-stack entry. */
static inline uint32_t sl_mpls_entry(uint32_t label, uint32_t tc, uint32_t ttl)
{
	return label << 12 | (tc & 7u) << 9 | 1u << 8 | ttl;
}

/* The label in place of another's: TC and S as they were, TTL less one (which must not be 0 or 1). */
static inline uint32_t sl_mpls_swap(uint32_t entry, uint32_t label)
{
	return label << 12 | ((entry & 0xfffu) - 1u);
}

/* Put TC and, unless it is 0, TTL into `n` entries, of which TC is 0. */
static inline void sl_mpls_mark(uint8_t *stack, unsigned int n, uint8_t tc, uint8_t ttl)
{
	for (; n != 0; n--, stack += SL_MPLS_LEN) {
		stack[2] = (uint8_t)(stack[2] | (tc & 7u) << 1);
		if (ttl != 0)
			stack[3] = ttl;
	}
}

enum sl_mpls_result {
	SL_MPLS_OK,
	SL_MPLS_TRUNCATED, /* the stack ends before its bottom */
	SL_MPLS_STACK,     /* not exactly one label, explicit null allowed above it or not */
};

/* The VPN label found. */
struct sl_mpls {
	uint32_t entry; /* host order */
	uint8_t length; /* bytes of the stack: 4, or 8 with an explicit null */
};

/*
 * Read a label stack that must be one label, at its bottom. With `explicit_null` one IPv4 or IPv6
 * explicit null (RFC 4182) is tolerated above it and popped; alone it is not a VPN label.
 */
static inline enum sl_mpls_result sl_mpls_parse(const uint8_t *stack, size_t length,
                                                bool explicit_null, struct sl_mpls *mpls)
{
	uint32_t label;

	if (length < SL_MPLS_LEN)
		return SL_MPLS_TRUNCATED;
	mpls->entry = sl_get32(stack);
	mpls->length = SL_MPLS_LEN;
	label = sl_mpls_label(mpls->entry);
	if (!sl_mpls_bottom(mpls->entry)) {
		if (!explicit_null ||
		    (label != SL_MPLS_IP4_EXPLICIT_NULL && label != SL_MPLS_IP6_EXPLICIT_NULL))
			return SL_MPLS_STACK;
		if (length < 2 * SL_MPLS_LEN)
			return SL_MPLS_TRUNCATED;
		mpls->entry = sl_get32(stack + SL_MPLS_LEN);
		mpls->length = 2 * SL_MPLS_LEN;
		label = sl_mpls_label(mpls->entry);
		if (!sl_mpls_bottom(mpls->entry))
			return SL_MPLS_STACK;
	}
	if (label == SL_MPLS_IP4_EXPLICIT_NULL || label == SL_MPLS_IP6_EXPLICIT_NULL)
		return SL_MPLS_STACK;
	return SL_MPLS_OK;
}

#endif
