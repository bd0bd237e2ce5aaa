/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <string.h>

#include "esp/esp.h"
#include "net/bytes.h"
#include "net/checksum.h"

#define ETHERNET 14u
#define TAG 4u /* 802.1Q */
#define IPV4 20u
#define GRE 4u
#define LABEL 4u

static void ethernet(uint8_t *at, const uint8_t *mac)
{
	static const uint8_t sender[6] = {0x02, 0, 0, 0, 0xbe, 0xef};

	memcpy(at, mac, 6);
	memcpy(at + 6, sender, 6);
	sl_put16(at + 12, 0x0800);
}

static void ipv4(uint8_t *at, uint16_t length, uint8_t protocol, uint32_t source, uint32_t to)
{
	memset(at, 0, IPV4);
	at[0] = 0x45;
	sl_put16(at + 2, length);
	sl_put16(at + 6, 0x4000);
	at[8] = 64;
	at[9] = protocol;
	sl_put32(at + 12, source);
	sl_put32(at + 16, to);
	sl_put16(at + 10, (uint16_t)~sl_sum_fold(sl_sum(at, IPV4, 0)));
}

static void customer_packet(uint8_t *at, uint16_t length, uint32_t destination, uint32_t flow)
{
	ipv4(at, length, 17, 0x0a010002, destination);
	sl_put16(at + 20, (uint16_t)(1024 + flow % 60000));
	sl_put16(at + 22, 9);
	sl_put16(at + 24, (uint16_t)(length - IPV4));
	sl_put16(at + 26, 0);
	for (uint16_t i = IPV4 + 8; i < length; i++)
		at[i] = (uint8_t)i;
}

void bench_customer_frame(struct bench_frame *frame, uint16_t length, const uint8_t *mac,
                          uint16_t vlan, uint32_t destination, uint32_t flow)
{
	uint16_t tag = vlan == 0 ? 0 : TAG;

	frame->length = (uint16_t)(length + tag);
	ethernet(frame->bytes, mac);
	if (vlan != 0) {
		sl_put16(frame->bytes + ETHERNET + 2, 0x0800);
		sl_put16(frame->bytes + ETHERNET, vlan);
		sl_put16(frame->bytes + ETHERNET - 2, 0x8100);
	}
	customer_packet(frame->bytes + ETHERNET + tag, (uint16_t)(length - ETHERNET), destination,
	                flow);
}

void bench_tunnel_frame(struct bench_frame *frame, uint16_t length, const uint8_t *mac,
                        const struct sl_sa_row *sa, const struct sl_sa_key *key, uint32_t sequence,
                        uint32_t label, uint32_t destination)
{
	uint8_t *ip = frame->bytes + ETHERNET, *esp = ip + IPV4;
	uint8_t *payload = esp + SL_ESP_FRONT_LEN;
	uint16_t inner = (uint16_t)(length - ETHERNET);
	unsigned int carried = GRE + LABEL + inner, trailer = sl_esp_trailer_len(carried, 4);
	uint16_t total = (uint16_t)(IPV4 + SL_ESP_FRONT_LEN + carried + trailer + SL_ESP_ICV_LEN);
	uint8_t nonce[16];

	ethernet(frame->bytes, mac);
	ipv4(ip, total, 50, sl_get32(sa->source), sl_get32(sa->destination));
	sl_put32(esp, sa->spi);
	sl_esp_write_sequence(esp, sequence, key->salt, nonce);
	sl_put32(payload, 0x00008847);
	sl_put32(payload + GRE, label << 12 | 1u << 8 | 255u);
	customer_packet(payload + GRE + LABEL, inner, destination, sequence);
	sl_esp_write_trailer(payload + carried, trailer, 47);
	sl_esp_seal(key, esp, carried + trailer, nonce);
	frame->length = (uint16_t)(ETHERNET + total);
	frame->sequence = sequence;
}
