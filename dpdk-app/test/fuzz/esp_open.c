/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole ESP packet from arbitrary bytes: nobody forges one. And one that was sealed from arbitrary
 * bytes is opened to the same bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "esp/esp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sl_sa_key *key_for(uint8_t algorithm)
{
	static struct sl_sa_key *keys[4];
	static struct IMB_MGR *manager;
	unsigned int i = algorithm % 4;

	if (manager == NULL) {
		manager = alloc_mb_mgr(0);
		if (manager == NULL)
			abort();
		init_mb_mgr_auto(manager, NULL);
	}
	if (keys[i] == NULL) {
		struct sl_sa_row row = {.algorithm = (uint8_t)(SL_ALG_AES_GCM_128 + i),
		                        .key = "fuzz"};

		keys[i] = sl_sa_key_new(manager, &row);
	}
	return keys[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t nonce[SL_ESP_NONCE_LEN], *packet;
	const struct sl_sa_key *key;
	size_t n;

	if (size < 1 + SL_ESP_MIN_LEN)
		return 0;
	key = key_for(data[0]);
	n = size - 1;
	packet = malloc(n);
	if (key == NULL || packet == NULL)
		abort();
	memcpy(packet, data + 1, n);
	sl_esp_read_nonce(packet, key->salt, nonce);
	if (sl_esp_open(key, packet, n - SL_ESP_FRONT_LEN - SL_ESP_ICV_LEN, nonce))
		abort();

	memcpy(packet, data + 1, n);
	sl_esp_seal(key, packet, n - SL_ESP_FRONT_LEN - SL_ESP_ICV_LEN, nonce);
	if (!sl_esp_open(key, packet, n - SL_ESP_FRONT_LEN - SL_ESP_ICV_LEN, nonce) ||
	    memcmp(packet, data + 1, n - SL_ESP_ICV_LEN) != 0)
		abort();
	free(packet);
	return 0;
}
