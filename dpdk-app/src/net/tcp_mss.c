/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tcp_mss.h"

#include "net/checksum.h"

#define TCP_LEN 20u
#define TCP_SYN 0x02u

#define OPTION_END 0u
#define OPTION_NOP 1u
#define OPTION_MSS 2u
#define OPTION_MSS_LEN 4u
#define OPTION_AO 29u

/* Bytes of the option at `at`, 0: malformed, or the end of the options. */
static size_t option_len(const uint8_t *tcp, size_t at, size_t end)
{
	if (tcp[at] == OPTION_END)
		return 0;
	if (tcp[at] == OPTION_NOP)
		return 1;
	if (end - at < 2 || tcp[at + 1] < 2 || tcp[at + 1] > end - at)
		return 0;
	return tcp[at + 1];
}

static bool has_ao(const uint8_t *tcp, size_t end)
{
	size_t length;

	for (size_t at = TCP_LEN; at < end; at += length) {
		length = option_len(tcp, at, end);
		if (length == 0)
			return false;
		if (tcp[at] == OPTION_AO)
			return true;
	}
	return false;
}

/* The value may begin at an odd byte: then its bytes are swapped in the words of the sum (RFC 1071 2 B). */
static uint16_t in_sum(uint16_t value, size_t at)
{
	return at % 2 == 0 ? value : (uint16_t)(value << 8 | value >> 8);
}

static void lower(uint8_t *tcp, size_t at, uint16_t mss)
{
	uint16_t before = sl_get16(tcp + at);

	sl_put16(tcp + at, mss);
	sl_put16(tcp + 16,
	         sl_checksum_update(sl_get16(tcp + 16), in_sum(before, at), in_sum(mss, at)));
}

bool sl_tcp_clamp_mss(uint8_t *tcp, size_t length, uint16_t mss)
{
	size_t end, option;
	bool lowered = false;

	if (length < TCP_LEN || !(tcp[13] & TCP_SYN))
		return false;
	end = (size_t)(tcp[12] >> 4) * 4;
	if (end < TCP_LEN || end > length || has_ao(tcp, end))
		return false;
	for (size_t at = TCP_LEN; at < end; at += option) {
		option = option_len(tcp, at, end);
		if (option == 0)
			break;
		if (tcp[at] == OPTION_MSS && option == OPTION_MSS_LEN &&
		    sl_get16(tcp + at + 2) > mss) {
			lower(tcp, at + 2, mss);
			lowered = true;
		}
	}
	return lowered;
}
