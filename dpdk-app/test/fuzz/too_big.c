/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP messages about packets that are too large, from arbitrary bytes in a buffer of their very size. The first octet
 * says the family, and whether checksum and quoted header are mended.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/checksum.h"
#include "net/protocol.h"
#include "net/too_big.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t addresses[32] = {192, 0, 2, 9, 192, 0, 2, 1};

static void demand(int truth)
{
	if (!truth)
		abort();
}

static void mend(uint8_t *icmp, size_t n, uint8_t family, uint8_t how)
{
	static const uint8_t protocols[] = {50, 17, 47, 137};
	uint32_t sum = 0;

	icmp[0] = family == 4 ? 3 : 2;
	icmp[1] = 4;
	if (n >= 28 && family == 4) {
		icmp[8] = 0x45;
		icmp[14] = 0x40;
		icmp[15] = 0;
		icmp[17] = protocols[how & 3];
	} else if (n >= 48 && family == 6) {
		icmp[8] = 0x60;
		icmp[14] = protocols[how & 3];
	}
	icmp[2] = icmp[3] = 0;
	if (family == 6)
		sum = sl_sum(addresses, 32, (uint32_t)n + SL_PROTO_ICMP6);
	sl_put16(icmp + 2, (uint16_t)~sl_sum_fold(sl_sum(icmp, n, sum)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t family = size > 0 && data[0] & 1 ? 6 : 4;
	size_t n = size > 0 ? size - 1 : 0, address = family == 4 ? 4 : 16;
	struct sl_too_big said;
	uint8_t *icmp;

	if (n == 0)
		return 0;
	icmp = malloc(n);
	if (icmp == NULL)
		return 0;
	memcpy(icmp, data + 1, n);
	if (n >= 8 && data[0] & 2)
		mend(icmp, n, family, data[0] >> 2);
	if (sl_is_too_big(icmp, n, family) &&
	    sl_read_too_big(icmp, n, family, addresses, &said) == SL_TOO_BIG_ESP) {
		demand(said.source >= icmp + 8 && said.source + address <= icmp + n);
		demand(said.destination >= icmp + 8 && said.destination + address <= icmp + n);
		demand((said.source_port == 0 && said.destination_port == 0) ||
		       said.source_port == 4500 || said.destination_port == 4500);
		demand(sl_sum_fold(
			       sl_sum(icmp, n,
		                      family == 4 ? 0 : sl_sum(addresses, 32, (uint32_t)n + 58))) ==
		       0xffff);
	}
	free(icmp);
	return 0;
}
