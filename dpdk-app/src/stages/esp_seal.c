/* SPDX-License-Identifier: Apache-2.0 */
/* Encrypt what encap.c and host_policy.c have laid out. */
#include "esp/esp.h"
#include "esp/suite.h"
#include "stages/packet.h"
#include "stages/stage.h"

_Static_assert(SL_ESP_JOBS_MAX >= SL_BURST,
               "a burst of special keys is sealed and opened in one call");

static uint8_t *esp_of(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, uint8_t *, sl_packet(m)->upper_offset);
}

/* Those of special keys (esp/suite.h), together; what the library does not complete never leaves. */
static uint16_t seal_special(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	struct sl_esp_job jobs[SL_ESP_JOBS_MAX];
	unsigned int count = 0, job = 0;
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		const struct sl_packet *p = sl_packet(packets[i]);

		if (p->sa == 0 || !p->key->special)
			continue;
		jobs[count++] = (struct sl_esp_job){
			.key = p->key,
			.esp = esp_of(packets[i]),
			.length = (size_t)packets[i]->data_len - p->upper_offset -
		                  p->key->front_len - p->key->icv_len,
			.high = p->sequence_high,
		};
	}
	sl_esp_seal_jobs(w->crypto, jobs, count);
	for (uint16_t i = 0; i < n; i++) {
		const struct sl_packet *p = sl_packet(packets[i]);

		if (p->sa == 0 || !p->key->special || likely(jobs[job++].done))
			packets[kept++] = packets[i];
		else
			sl_drop(w, packets[i], SL_DROP_sa_not_ready);
	}
	return kept;
}

uint16_t sl_stage_esp_seal(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	bool special = false;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = packets[i];
		const struct sl_packet *p = sl_packet(m);

		if (p->sa == 0) /* tunnel without IPsec */
			continue;
		if (unlikely(p->key->special)) {
			special = true;
			continue;
		}
		sl_esp_seal(p->key, esp_of(m),
		            m->data_len - p->upper_offset - SL_ESP_FRONT_LEN - SL_ESP_ICV_LEN,
		            p->nonce);
	}
	return unlikely(special) ? seal_special(w, packets, n) : n;
}
