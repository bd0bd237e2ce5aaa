/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ESP in transport mode (RFC 4303). The packets of AES-GCM (RFC 4106) and AES-GMAC (RFC 4543), which have
 * these sizes; what other suites and extended sequence numbers do differently is in suite.h:
 *
 *   0                   1                   2                   3
 *  +---------------------------------------------------------------+
 *  |                  Security Parameters Index                    |  0
 *  +---------------------------------------------------------------+
 *  |                      Sequence Number                          |  4
 *  +---------------------------------------------------------------+
 *  |                           IV (8)                              |  8
 *  +---------------------------------------------------------------+
 *  |       Payload: GRE or label stack, inner IP packet            |  16
 *  ~               +-----------------------------------------------+
 *  |               |     Padding 0-3: 1, 2, 3 ...                  |
 *  +---------------+---------------+-------------------------------+
 *  |                               |  Pad Length   |  Next Header  |  end on a multiple of 4
 *  +-------------------------------+-------------------------------+
 *  |             Integrity Check Value (16)                        |
 *  +---------------------------------------------------------------+
 *
 * Nonce: salt 4 | IV 8. The IV is the 64-bit sequence counter in network order.
 * AES-GCM: payload to Next Header is encrypted, AAD = SPI | sequence number.
 * AES-GMAC: nothing is encrypted, AAD = SPI to Next Header, the IV included (RFC 4543 3.3, erratum 1821).
 */
#ifndef SEALANE_ESP_ESP_H
#define SEALANE_ESP_ESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "esp/sa_key.h"
#include "net/bytes.h"

#define SL_ESP_HEADER_LEN 8u
#define SL_ESP_IV_LEN 8u
#define SL_ESP_FRONT_LEN (SL_ESP_HEADER_LEN + SL_ESP_IV_LEN) /* all in front of the payload */
#define SL_ESP_ICV_LEN 16u
#define SL_ESP_TRAILER_MIN 2u /* pad length, next header */
#define SL_ESP_ALIGN 4u       /* of payload and trailer (RFC 4303 2.4) */
#define SL_ESP_MIN_LEN (SL_ESP_FRONT_LEN + SL_ESP_TRAILER_MIN + SL_ESP_ICV_LEN)
/* of any suite: without IV, and with the shortest ICV */
#define SL_ESP_LEAST_LEN (SL_ESP_HEADER_LEN + SL_ESP_TRAILER_MIN + SL_ESP_ICV_LEN)
#define SL_ESP_NONCE_LEN 12u

static inline uint32_t sl_esp_spi(const uint8_t *esp) { return sl_get32(esp); }
static inline uint32_t sl_esp_sequence(const uint8_t *esp) { return sl_get32(esp + 4); }

/*
 * Padding + pad length + next header behind `payload` bytes, so that they end on a multiple of `align`, a
 * power of two: 2 to align + 1. As sent; any pad length is accepted.
 */
static inline unsigned int sl_esp_trailer_len(size_t payload, unsigned int align)
{
	unsigned int over = (unsigned int)(payload + SL_ESP_TRAILER_MIN) & (align - 1);

	return SL_ESP_TRAILER_MIN + ((align - over) & (align - 1));
}

/* Write a trailer of `length` (sl_esp_trailer_len()) bytes at `at`. */
static inline void sl_esp_write_trailer(uint8_t *at, unsigned int length, uint8_t next_header)
{
	unsigned int padding = length - SL_ESP_TRAILER_MIN;

	for (unsigned int i = 0; i < padding; i++)
		at[i] = (uint8_t)(i + 1);
	at[padding] = (uint8_t)padding;
	at[padding + 1] = next_header;
}

/* Trailer of 0 to 3 bytes of padding as it is in memory, the first octet lowest (x86); zeros behind it. */
static inline uint64_t sl_esp_short_trailer(unsigned int padding, uint8_t next_header)
{
	unsigned int bits = 8 * padding;

	return (0x030201u & ((1u << bits) - 1)) | (uint64_t)(padding | (uint32_t)next_header << 8)
	                                                  << bits;
}

/* Write sequence number and IV behind the SPI at `esp`, and the 12-byte nonce. */
static inline void sl_esp_write_sequence(uint8_t *esp, uint64_t sequence, const uint8_t *salt,
                                         uint8_t *nonce)
{
	sl_put32(esp + 4, (uint32_t)sequence);
	sl_put64(esp + SL_ESP_HEADER_LEN, sequence);
	memcpy(nonce, salt, SL_SALT_LEN);
	sl_put64(nonce + SL_SALT_LEN, sequence);
}

/* The same in any suite: the nonce is suite.c's, and so is the IV of AES-CBC. */
static inline void sl_esp_write_number(const struct sl_sa_key *key, uint8_t *esp, uint64_t sequence)
{
	sl_put32(esp + 4, (uint32_t)sequence);
	if (key->front_len == SL_ESP_FRONT_LEN)
		sl_put64(esp + SL_ESP_HEADER_LEN, sequence);
}

/* The nonce of a received packet: salt and the IV as carried. */
static inline void sl_esp_read_nonce(const uint8_t *esp, const uint8_t *salt, uint8_t *nonce)
{
	memcpy(nonce, salt, SL_SALT_LEN);
	memcpy(nonce + SL_SALT_LEN, esp + SL_ESP_HEADER_LEN, SL_ESP_IV_LEN);
}

/*
 * Encrypt in place and write the ICV. `esp`: ESP header, IV, then `length` bytes (payload and
 * trailer), then room for 16 bytes of ICV. The caller has made the nonce from the IV.
 */
static inline void sl_esp_seal(const struct sl_sa_key *key, uint8_t *esp, size_t length,
                               const uint8_t *nonce)
{
	struct gcm_context_data context;
	uint8_t *payload = esp + SL_ESP_FRONT_LEN;

	if (__builtin_expect(key->authenticate_only, 0))
		key->seal(&key->gcm, &context, payload, payload, 0, nonce, esp,
		          SL_ESP_FRONT_LEN + length, payload + length, SL_ESP_ICV_LEN);
	else
		key->seal(&key->gcm, &context, payload, payload, length, nonce, esp,
		          SL_ESP_HEADER_LEN, payload + length, SL_ESP_ICV_LEN);
}

/*
 * Check the ICV in constant time and decrypt in place; layout as for sl_esp_seal(). Returns false
 * when the packet is forged or modified: the bytes are then of no use and must not be looked at.
 */
static inline bool sl_esp_open(const struct sl_sa_key *key, uint8_t *esp, size_t length,
                               const uint8_t *nonce)
{
	struct gcm_context_data context;
	uint8_t *payload = esp + SL_ESP_FRONT_LEN;
	uint64_t icv[2], carried[2];

	if (__builtin_expect(key->authenticate_only, 0))
		key->open(&key->gcm, &context, payload, payload, 0, nonce, esp,
		          SL_ESP_FRONT_LEN + length, (uint8_t *)icv, SL_ESP_ICV_LEN);
	else
		key->open(&key->gcm, &context, payload, payload, length, nonce, esp,
		          SL_ESP_HEADER_LEN, (uint8_t *)icv, SL_ESP_ICV_LEN);
	/* in a time that does not depend on where they differ */
	memcpy(carried, payload + length, sizeof(carried));
	return ((icv[0] ^ carried[0]) | (icv[1] ^ carried[1])) == 0;
}

/* What the trailer of an opened packet says. */
struct sl_esp_trailer {
	uint16_t payload_len; /* bytes in front of padding */
	uint8_t next_header;
};

/*
 * Read the trailer at the end of `length` >= 2 opened bytes. False: the padding is longer than what
 * is there, or is not the series 1, 2, 3 ... (RFC 4303 2.4).
 */
bool sl_esp_read_trailer(const uint8_t *payload, size_t length, struct sl_esp_trailer *trailer);

#define SL_ESP_SHORT_PADDING 3u

/*
 * Bytes of padding, 0 to SL_ESP_SHORT_PADDING, in an opened packet of at least five bytes that ends at `end`; more: it is
 * longer than that or not the series 1, 2, 3, and sl_esp_read_trailer() says what it is.
 */
static inline uint32_t sl_esp_short_padding(const uint8_t *end)
{
	static const uint32_t mask[] = {0xff000000u, 0xffff0000u, 0xffffff00u, 0xffffffffu};
	static const uint32_t right[] = {0x00000000u, 0x01010000u, 0x02020100u, 0x03030201u};
	uint32_t last, padding;

	memcpy(&last, end - 5, sizeof(last)); /* up to the pad length, which is the highest: x86 */
	padding = last >> 24;
	if (__builtin_expect(padding > SL_ESP_SHORT_PADDING, 0))
		return padding;
	return __builtin_expect((last & mask[padding]) == right[padding], 1) ? padding : UINT8_MAX;
}

#endif
