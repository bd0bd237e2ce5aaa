/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 and IPv6 headers, extension headers, flows, ICMP: from arbitrary bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/flow.h"
#include "net/icmp.h"
#include "net/ip4.h"
#include "net/ip6.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A parser may promise no more bytes than there are. */
static void demand(int truth)
{
	if (!truth)
		abort();
}

static void try_ip4(uint8_t *ip, size_t n)
{
	uint64_t flow;
	size_t header;

	if (sl_ip4_check(ip, n) != SL_IP_OK)
		return;
	header = sl_ip4_header_len(ip);
	demand(header >= 20 && header <= sl_ip4_total_len(ip) && sl_ip4_total_len(ip) <= n);
	(void)sl_icmp4_may_answer(ip[9], ip + header, n - header);
	flow = sl_flow(ip, n, 4, 7);
	if (ip[8] > 0)
		sl_ip4_decrement_ttl(ip);
	sl_ip4_set_dscp(ip, ip[0] & 0x3f);
	demand(sl_ip4_check(ip, n) == SL_IP_OK);
	/* what routers on the way change is no part of a flow */
	demand(sl_flow(ip, n, 4, 7) == flow);
}

static void try_ip6(const uint8_t *ip, size_t n)
{
	struct sl_ip6_upper upper;

	if (sl_ip6_check(ip, n) != SL_IP_OK)
		return;
	n = sl_ip6_total_len(ip);
	(void)sl_flow(ip, n, 6, 7);
	if (!sl_ip6_walk(ip, n, &upper))
		return;
	demand(upper.offset >= 40 && upper.offset <= n);
	demand(upper.first || upper.fragment);
	(void)sl_icmp6_may_answer(upper.protocol, ip + upper.offset, n - upper.offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size);

	if (exact == NULL)
		return 0;
	memcpy(exact, data, size);
	try_ip6(exact, size);
	try_ip4(exact, size);
	free(exact);
	return 0;
}
