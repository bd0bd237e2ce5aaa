/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ip4_fragment.h"

#include "net/ip4.h"

#define OPTION_END 0u
#define OPTION_NOP 1u
#define OPTION_COPIED 0x80u /* in its type: to stand in every fragment */

/* Header of the pieces but the first. Its length; 0: an option is malformed. */
static uint8_t later_header(const uint8_t *ip, uint8_t *header)
{
	size_t end = sl_ip4_header_len(ip), at = SL_IP4_LEN, to = SL_IP4_LEN;

	memcpy(header, ip, SL_IP4_LEN);
	while (at < end && ip[at] != OPTION_END) {
		size_t length = 1;

		if (ip[at] != OPTION_NOP) {
			if (end - at < 2 || ip[at + 1] < 2 || ip[at + 1] > end - at)
				return 0;
			length = ip[at + 1];
		}
		if (ip[at] & OPTION_COPIED) {
			memcpy(header + to, ip + at, length);
			to += length;
		}
		at += length;
	}
	while (to % 4 != 0)
		header[to++] = OPTION_END;
	header[0] = (uint8_t)(0x40u | to / 4);
	return (uint8_t)to;
}

enum sl_ip4_cut_result sl_ip4_cut(const uint8_t *ip, uint16_t mtu, struct sl_ip4_cut *cut)
{
	uint32_t before = (uint32_t)(sl_get16(ip + 6) & SL_IP4_OFFSET) * 8;
	uint16_t rest, room;

	cut->header_len = (uint8_t)sl_ip4_header_len(ip);
	cut->payload = (uint16_t)(sl_ip4_total_len(ip) - cut->header_len);
	if (before + cut->payload > UINT16_MAX)
		return SL_IP4_CUT_LENGTH;
	cut->later_len = later_header(ip, cut->later);
	if (cut->later_len == 0)
		return SL_IP4_CUT_OPTIONS;
	if (mtu < cut->header_len + 8)
		return SL_IP4_CUT_MTU;
	cut->first = (uint16_t)((mtu - cut->header_len) & ~7u);
	cut->each = (uint16_t)((mtu - cut->later_len) & ~7u);
	/* the last piece may have all of its room, multiple of eight or not */
	rest = (uint16_t)(cut->payload - cut->first);
	room = (uint16_t)(mtu - cut->later_len);
	cut->count = (uint16_t)(rest <= room ? 2 : 2 + (rest - room + cut->each - 1) / cut->each);
	return SL_IP4_CUT;
}

void sl_ip4_finish_piece(uint8_t *ip, const struct sl_ip4_cut *cut, uint16_t i)
{
	size_t header = sl_ip4_header_len(ip);
	uint16_t word = (uint16_t)(sl_get16(ip + 6) + sl_ip4_piece_offset(cut, i) / 8);

	/* the last piece is not the last of a datagram that the packet was not the last of */
	if (i + 1 < cut->count)
		word |= SL_IP4_MF;
	sl_put16(ip + 2, (uint16_t)(header + sl_ip4_piece_len(cut, i)));
	sl_put16(ip + 6, word);
	sl_put16(ip + 10, 0);
	sl_put16(ip + 10, (uint16_t)~sl_sum_fold(sl_sum(ip, header, 0)));
}
