/* SPDX-License-Identifier: Apache-2.0 */
#include "esp/esp.h"

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
