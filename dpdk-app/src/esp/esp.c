/* SPDX-License-Identifier: Apache-2.0 */
#include "esp/esp.h"

void sl_esp_seal(const struct sl_sa_key *key, uint8_t *esp, size_t length, const uint8_t *nonce)
{
	struct gcm_context_data context;
	uint8_t *payload = esp + SL_ESP_FRONT_LEN;

	if (key->authenticate_only)
		key->seal(&key->gcm, &context, payload, payload, 0, nonce, esp,
		          SL_ESP_FRONT_LEN + length, payload + length, SL_ESP_ICV_LEN);
	else
		key->seal(&key->gcm, &context, payload, payload, length, nonce, esp,
		          SL_ESP_HEADER_LEN, payload + length, SL_ESP_ICV_LEN);
}

/* Equal? In a time that does not depend on where they differ. */
static bool icv_equal(const uint8_t *a, const uint8_t *b)
{
	uint64_t difference = (sl_get64(a) ^ sl_get64(b)) | (sl_get64(a + 8) ^ sl_get64(b + 8));

	return difference == 0;
}

bool sl_esp_open(const struct sl_sa_key *key, uint8_t *esp, size_t length, const uint8_t *nonce)
{
	struct gcm_context_data context;
	uint8_t *payload = esp + SL_ESP_FRONT_LEN;
	uint8_t icv[SL_ESP_ICV_LEN];

	if (key->authenticate_only)
		key->open(&key->gcm, &context, payload, payload, 0, nonce, esp,
		          SL_ESP_FRONT_LEN + length, icv, SL_ESP_ICV_LEN);
	else
		key->open(&key->gcm, &context, payload, payload, length, nonce, esp,
		          SL_ESP_HEADER_LEN, icv, SL_ESP_ICV_LEN);
	return icv_equal(icv, payload + length);
}

bool sl_esp_read_trailer(const uint8_t *payload, size_t length, struct sl_esp_trailer *trailer)
{
	size_t padding = payload[length - 2];
	const uint8_t *first;

	if (padding + SL_ESP_TRAILER_MIN > length)
		return false;
	trailer->payload_len = (uint16_t)(length - SL_ESP_TRAILER_MIN - padding);
	trailer->next_header = payload[length - 1];
	first = payload + trailer->payload_len;
	for (size_t i = 0; i < padding; i++)
		if (first[i] != (uint8_t)(i + 1))
			return false;
	return true;
}
