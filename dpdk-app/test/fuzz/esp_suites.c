/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As esp_open.c, by all suites, with and without extended sequence numbers: nobody forges a packet, and one
 * that was sealed from arbitrary bytes is opened to the same bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "esp/esp.h"
#include "esp/suite.h"

#define SUITES ((unsigned int)SL_ALG_NULL_SHA_512)
#define FRONT 4u /* may be used, and is restored */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct IMB_MGR *manager;

static const struct sl_sa_key *key_for(uint8_t which)
{
	static struct sl_sa_key *keys[2][SUITES];
	unsigned int suite = which % SUITES, esn = which / SUITES % 2;

	if (manager == NULL) {
		manager = alloc_mb_mgr(0);
		if (manager == NULL)
			abort();
		init_mb_mgr_auto(manager, NULL);
	}
	if (keys[esn][suite] == NULL) {
		struct sl_sa_row row = {
			.algorithm = (uint8_t)(suite + 1), .key = "fuzz", .esn = (uint8_t)esn};

		keys[esn][suite] = sl_sa_key_new(manager, &row);
	}
	if (keys[esn][suite] == NULL)
		abort();
	return keys[esn][suite];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sl_sa_key *key;
	struct sl_esp_job job;
	size_t n, body;
	uint8_t *packet;

	if (size < 1 + FRONT)
		return 0;
	key = key_for(data[0]);
	n = size - 1;
	if (!key->special || n < FRONT + key->front_len + key->icv_len + SL_ESP_TRAILER_MIN)
		return 0;
	body = (n - FRONT - key->front_len - key->icv_len) & ~(size_t)(key->align - 1u);
	if (body == 0)
		return 0;
	n = FRONT + key->front_len + body + key->icv_len;
	packet = malloc(n);
	if (packet == NULL)
		abort();
	memcpy(packet, data + 1, n);
	job = (struct sl_esp_job){key, packet + FRONT, body, data[size - 1], true};
	sl_esp_open_jobs(manager, &job, 1);
	if (job.done)
		abort();

	memcpy(packet, data + 1, n);
	sl_esp_seal_jobs(manager, &job, 1);
	if (!job.done)
		abort();
	sl_esp_open_jobs(manager, &job, 1);
	if (!job.done || memcmp(packet, data + 1, FRONT + SL_ESP_HEADER_LEN) != 0 ||
	    memcmp(job.esp + key->front_len, data + 1 + FRONT + key->front_len, body) != 0)
		abort();
	free(packet);
	return 0;
}
