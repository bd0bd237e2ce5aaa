/* SPDX-License-Identifier: Apache-2.0 */
/* What lies between Ethernet and the inner packet: from arbitrary bytes, the first of which chooses. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "esp/esp.h"
#include "net/eth.h"
#include "net/gre.h"
#include "net/mpls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int truth)
{
	if (!truth)
		abort();
}

static void try_eth(const uint8_t *bytes, size_t n)
{
	struct sl_eth eth;

	if (!sl_eth_parse(bytes, n, &eth))
		return;
	demand(eth.length <= n && (eth.length == 14 || eth.length == 18 || eth.length == 22) &&
	       eth.vlan < 4096 && eth.svlan < 4096);
}

static void try_mpls(const uint8_t *bytes, size_t n, bool explicit_null)
{
	struct sl_mpls mpls;

	if (sl_mpls_parse(bytes, n, explicit_null, &mpls) != SL_MPLS_OK)
		return;
	demand(mpls.length <= n && (explicit_null || mpls.length == 4));
	demand(sl_mpls_bottom(mpls.entry) && sl_mpls_label(mpls.entry) < 1u << 20);
}

static void try_trailer(const uint8_t *bytes, size_t n)
{
	struct sl_esp_trailer trailer;

	if (n < SL_ESP_TRAILER_MIN || !sl_esp_read_trailer(bytes, n, &trailer))
		return;
	demand(trailer.payload_len + 2u + bytes[n - 2] == n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *exact;

	if (size == 0)
		return 0;
	exact = malloc(size - 1);
	if (exact == NULL)
		return 0;
	memcpy(exact, data + 1, size - 1);
	switch (data[0] % 5) {
	case 0:
		try_eth(exact, size - 1);
		break;
	case 1:
		(void)sl_gre_parse(exact, size - 1);
		break;
	case 2:
	case 3:
		try_mpls(exact, size - 1, data[0] % 5 == 3);
		break;
	default:
		try_trailer(exact, size - 1);
		break;
	}
	free(exact);
	return 0;
}
