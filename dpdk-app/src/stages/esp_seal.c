/* SPDX-License-Identifier: Apache-2.0 */
/* Encrypt what encap.c has laid out. */
#include "esp/esp.h"
#include "stages/packet.h"
#include "stages/stage.h"

uint16_t sl_stage_esp_seal(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	(void)w; /* all it needs was noted by encap.c */
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = packets[i];
		const struct sl_packet *p = sl_packet(m);

		if (p->sa == 0) /* tunnel without IPsec */
			continue;
		sl_esp_seal(p->key, rte_pktmbuf_mtod_offset(m, uint8_t *, p->upper_offset),
		            m->data_len - p->upper_offset - SL_ESP_FRONT_LEN - SL_ESP_ICV_LEN,
		            p->nonce);
	}
	return n;
}
