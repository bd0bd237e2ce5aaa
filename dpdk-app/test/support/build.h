/* SPDX-License-Identifier: Apache-2.0 */
/* Packets for tests, built from the inside out: each call puts one header in front. */
#ifndef SEALANE_TEST_BUILD_H
#define SEALANE_TEST_BUILD_H

#include "esp/esp.h"
#include "esp/suite.h"
#include "support/world_tunnels.h"

struct build {
	uint8_t room[16384];
	size_t at, end; /* the packet so far: room[at..end) */
};

static inline uint8_t *build_bytes(struct build *b) { return b->room + b->at; }
static inline size_t build_len(const struct build *b) { return b->end - b->at; }

/* Start with `n` bytes of payload, 0x80 upwards. */
static inline void build_payload(struct build *b, size_t n)
{
	b->at = 512;
	b->end = 512 + n;
	for (size_t i = 0; i < n; i++)
		b->room[512 + i] = (uint8_t)(0x80 + i);
}

static inline uint8_t *build_front(struct build *b, size_t n)
{
	b->at -= n;
	memset(b->room + b->at, 0, n);
	return b->room + b->at;
}

/* IPv4 header around everything so far: DF, TTL, no options. */
static inline void build_ip4(struct build *b, const uint8_t *from, const uint8_t *to,
                             uint8_t protocol, uint8_t ttl)
{
	uint8_t *ip = build_front(b, 20);

	ip[0] = 0x45;
	sl_put16(ip + 2, (uint16_t)build_len(b));
	sl_put16(ip + 6, 0x4000);
	ip[8] = ttl;
	ip[9] = protocol;
	memcpy(ip + 12, from, 4);
	memcpy(ip + 16, to, 4);
	sl_put16(ip + 10, (uint16_t)~sl_sum_fold(sl_sum(ip, 20, 0)));
}

/* Make the checksum right again after a test has changed the outermost IPv4 header. */
static inline void build_sum4(struct build *b)
{
	uint8_t *ip = build_bytes(b);

	sl_put16(ip + 10, 0);
	sl_put16(ip + 10, (uint16_t)~sl_sum_fold(sl_sum(ip, (size_t)(ip[0] & 15) * 4, 0)));
}

/* IPv4 header as build_ip4(), but with this word of flags and fragment offset. */
static inline void build_ip4_flags(struct build *b, const uint8_t *from, const uint8_t *to,
                                   uint8_t protocol, uint16_t flags)
{
	build_ip4(b, from, to, protocol, 64);
	sl_put16(build_bytes(b) + 6, flags);
	build_sum4(b);
}

static inline void build_ip6(struct build *b, const uint8_t *from, const uint8_t *to, uint8_t next,
                             uint8_t hops)
{
	size_t n = build_len(b);
	uint8_t *ip = build_front(b, 40);

	ip[0] = 0x60;
	sl_put16(ip + 4, (uint16_t)n);
	ip[6] = next;
	ip[7] = hops;
	memcpy(ip + 8, from, 16);
	memcpy(ip + 24, to, 16);
}

/* Without a checksum, as ESP in UDP has it (RFC 3948 2.1). */
static inline void build_udp(struct build *b, uint16_t source, uint16_t destination)
{
	size_t n = build_len(b) + 8;
	uint8_t *udp = build_front(b, 8);

	memset(udp, 0, 8);
	sl_put16(udp, source);
	sl_put16(udp + 2, destination);
	sl_put16(udp + 4, (uint16_t)n);
}

static inline void build_label(struct build *b, uint32_t label, bool bottom, uint8_t ttl)
{
	sl_put32(build_front(b, 4), label << 12 | (bottom ? 0x100u : 0u) | ttl);
}

static inline void build_gre(struct build *b, uint16_t flags, uint16_t protocol)
{
	uint8_t *gre = build_front(b, 4);

	sl_put16(gre, flags);
	sl_put16(gre + 2, protocol);
}

/* ESP around payload and trailer, as the peer of inbound SA `sa` would send it. */
static inline void build_sealed(struct build *b, uint32_t sa, uint64_t sequence)
{
	const struct sl_sa_key *key = world.keys_in[sa];
	uint8_t nonce[SL_ESP_NONCE_LEN], *esp;
	size_t length = build_len(b);

	esp = build_front(b, key->front_len);
	sl_put32(esp, world.tables->sa_in[sa].spi);
	b->end += key->icv_len;
	if (key->special) {
		struct sl_esp_job job = {key, esp, length, (uint32_t)(sequence >> 32), false};

		sl_esp_write_number(key, esp, sequence);
		sl_esp_seal_jobs(world.worker.crypto, &job, 1);
		assert_true(job.done);
		return;
	}
	sl_esp_write_sequence(esp, sequence, key->salt, nonce);
	sl_esp_seal(key, esp, length, nonce);
}

/* A trailer with `padding` bytes more than needed. */
static inline void build_trailer(struct build *b, uint32_t sa, uint8_t next_header,
                                 unsigned int padding)
{
	unsigned int trailer = sl_esp_trailer_len(build_len(b), world.keys_in[sa]->align) + padding;

	sl_esp_write_trailer(b->room + b->end, trailer, next_header);
	b->end += trailer;
}

static inline void build_esp_padded(struct build *b, uint32_t sa, uint64_t sequence,
                                    uint8_t next_header, unsigned int padding)
{
	build_trailer(b, sa, next_header, padding);
	build_sealed(b, sa, sequence);
}

static inline void build_esp(struct build *b, uint32_t sa, uint64_t sequence, uint8_t next_header)
{
	build_esp_padded(b, sa, sequence, next_header, 0);
}

static inline void build_eth(struct build *b, const uint8_t *to, const uint8_t *from, uint16_t vlan,
                             uint16_t type)
{
	world_ethernet(build_front(b, vlan != 0 ? 18 : 14), to, from, vlan, type);
}

/* IPv4 packet HERE -> `to` from the CE, with its Ethernet header. */
static inline void build_from_ce4(struct build *b, const uint8_t *to, size_t payload, uint8_t ttl)
{
	build_payload(b, payload);
	build_ip4(b, HERE4, to, 17, ttl);
	build_eth(b, PE_CE_MAC, CE_MAC, 0, 0x0800);
}

static inline void build_from_ce6(struct build *b, const uint8_t *to, size_t payload, uint8_t hops)
{
	build_payload(b, payload);
	build_ip6(b, HERE6, to, 17, hops);
	build_eth(b, PE_CE_MAC, CE_MAC, 0, 0x86dd);
}

/* Outer IPv4 and Ethernet header of a packet from the remote PE. */
static inline void build_core4(struct build *b, uint8_t protocol)
{
	build_ip4(b, REMOTE4, LOCAL4, protocol, 60);
	build_eth(b, PE_CORE_MAC, P_MAC, 0, 0x0800);
}

/* Inner packet THERE -> `to` under `label`. */
static inline void build_labelled4(struct build *b, uint32_t label, const uint8_t *to)
{
	build_payload(b, 40);
	build_ip4(b, THERE4, to, 17, 33);
	build_label(b, label, true, 255);
}

/* The whole of it: MPLS-in-GRE-in-ESP from the remote PE. */
static inline void build_secured4(struct build *b, uint32_t sa, uint64_t sequence, uint32_t label,
                                  const uint8_t *to)
{
	build_labelled4(b, label, to);
	build_gre(b, 0, 0x8847);
	build_esp(b, sa, sequence, 47);
	build_core4(b, 50);
}

static inline void build_receive(struct build *b, uint32_t port)
{
	world_receive(port, build_bytes(b), build_len(b));
}

#endif
