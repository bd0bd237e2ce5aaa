/* SPDX-License-Identifier: Apache-2.0 */
#include "stages/esp_in_udp.h"

#include "esp/esp.h"
#include "stages/packet.h"

#define SL_PORT_NATT 4500u /* RFC 3948 2.1 */

static bool shows_esp(const uint8_t *udp, unsigned int length)
{
	return length >= SL_UDP_LEN + SL_ESP_HEADER_LEN && sl_get16(udp + 2) == SL_PORT_NATT &&
	       sl_esp_spi(udp + SL_UDP_LEN) != 0;
}

bool sl_is_esp_in_udp(const struct rte_mbuf *m, uint16_t offset)
{
	const uint8_t *udp = rte_pktmbuf_mtod_offset(m, const uint8_t *, offset);
	unsigned int length = m->data_len - offset;

	return shows_esp(udp, length) && sl_get16(udp + 4) == length;
}

/* An inbound SA in UDP has this SPI and these addresses. Who does not know one cannot have fragments kept. */
static bool has_sa(const struct sl_worker *w, const struct sl_datagram_key *key, uint32_t spi)
{
	uint32_t id = __atomic_load_n(&w->tables->spi[spi & (SL_SPI_SLOTS - 1)], __ATOMIC_ACQUIRE) &
	              (SL_MAX_SAS - 1);
	const struct sl_sa_row *row = &w->tables->sa_in[id];
	size_t length = key->family == 4 ? 4 : 16;

	return id != 0 && __atomic_load_n(&row->generation, __ATOMIC_ACQUIRE) != 0 &&
	       row->spi == spi && row->udp_source_port != 0 && row->family == key->family &&
	       memcmp(row->source, key->source, length) == 0 &&
	       memcmp(row->destination, key->destination, length) == 0;
}

void sl_udp_pieces_to_kernel(struct sl_worker *w, struct sl_datagram *d, enum sl_drop_reason reason)
{
	w->reassembly.pieces -= d->count;
	for (unsigned int i = 0; i < d->count; i++) {
		struct rte_mbuf *m = d->piece[i].packet;
		const struct sl_interface_row *row = sl_interface(w, sl_packet(m)->interface);

		/* the row may be another interface's by now */
		if (sl_interface_live(row) && row->role == SL_ROLE_CORE) {
			sl_punt_frame(w, m);
			continue;
		}
		w->block->drops[reason]++;
		sl_free(m);
	}
	d->count = 0;
}

void sl_udp_to_kernel(struct sl_worker *w, struct rte_mbuf *m, struct sl_datagram *d)
{
	d->kind = SL_DATAGRAM_KERNELS;
	sl_udp_pieces_to_kernel(w, d, SL_DROP_reassembly_timeout);
	sl_punt_frame(w, m);
}

bool sl_udp_fragment(struct sl_worker *w, struct rte_mbuf *m, struct sl_datagram *d, bool first)
{
	uint16_t offset = sl_packet(m)->upper_offset;
	const uint8_t *udp = rte_pktmbuf_mtod_offset(m, const uint8_t *, offset);

	if (d->kind == SL_DATAGRAM_UNTOLD && first)
		d->kind = shows_esp(udp, m->data_len - offset) &&
		                          has_sa(w, &d->key, sl_esp_spi(udp + SL_UDP_LEN))
		                  ? SL_DATAGRAM_TUNNEL
		                  : SL_DATAGRAM_KERNELS;
	if (d->kind != SL_DATAGRAM_KERNELS)
		return true;
	sl_udp_to_kernel(w, m, d);
	return false;
}
