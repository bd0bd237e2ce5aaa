/* SPDX-License-Identifier: Apache-2.0 */
#include "bfd/bfd_packet.h"

#include <string.h>

/* Second octet, after the state. */
#define POLL 0x20u
#define FINAL 0x10u
#define INDEPENDENT 0x08u
#define AUTHENTICATED 0x04u
#define DEMAND 0x02u
#define MULTIPOINT 0x01u

/* Shortest packet with A: the section's type and length at least. */
#define AUTHENTICATED_MIN 26u

static uint32_t read32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static void write32(uint8_t *bytes, uint32_t value)
{
	bytes[0] = (uint8_t)(value >> 24);
	bytes[1] = (uint8_t)(value >> 16);
	bytes[2] = (uint8_t)(value >> 8);
	bytes[3] = (uint8_t)value;
}

static void read_fields(const uint8_t *bytes, struct sl_bfd_packet *packet)
{
	memset(packet, 0, sizeof(*packet));
	packet->diag = bytes[0] & 0x1fu;
	packet->state = bytes[1] >> 6;
	packet->poll = (bytes[1] & POLL) != 0;
	packet->final = (bytes[1] & FINAL) != 0;
	packet->independent = (bytes[1] & INDEPENDENT) != 0;
	packet->authenticated = (bytes[1] & AUTHENTICATED) != 0;
	packet->demand = (bytes[1] & DEMAND) != 0;
	packet->detect_mult = bytes[2];
	packet->length = bytes[3];
	packet->my_discr = read32(bytes + 4);
	packet->your_discr = read32(bytes + 8);
	packet->desired_min_tx_us = read32(bytes + 12);
	packet->required_min_rx_us = read32(bytes + 16);
	packet->required_min_echo_rx_us = read32(bytes + 20);
}

enum sl_bfd_fault sl_bfd_decode(const uint8_t *bytes, size_t length, struct sl_bfd_packet *packet)
{
	if (length < SL_BFD_HEADER_BYTES)
		return SL_BFD_TRUNCATED;
	if (bytes[0] >> 5 != SL_BFD_VERSION)
		return SL_BFD_BAD_VERSION;
	read_fields(bytes, packet);
	if (packet->length < (packet->authenticated ? AUTHENTICATED_MIN : SL_BFD_HEADER_BYTES) ||
	    packet->length > length)
		return SL_BFD_BAD_LENGTH;
	if (packet->detect_mult == 0)
		return SL_BFD_BAD_MULT;
	if ((bytes[1] & MULTIPOINT) != 0)
		return SL_BFD_MULTIPOINT;
	if (packet->my_discr == 0)
		return SL_BFD_NO_DISCR;
	if (packet->your_discr == 0 && packet->state != SL_BFD_DOWN &&
	    packet->state != SL_BFD_ADMIN_DOWN)
		return SL_BFD_BAD_STATE;
	if (packet->authenticated) {
		packet->auth_type = bytes[SL_BFD_HEADER_BYTES];
		packet->auth_length = bytes[SL_BFD_HEADER_BYTES + 1];
		if (packet->auth_length < 2 ||
		    SL_BFD_HEADER_BYTES + packet->auth_length > packet->length)
			return SL_BFD_BAD_AUTH;
	}
	return SL_BFD_OK;
}

size_t sl_bfd_encode(const struct sl_bfd_packet *packet, uint8_t out[SL_BFD_HEADER_BYTES])
{
	size_t length = SL_BFD_HEADER_BYTES + (packet->authenticated ? SL_BFD_SHA1_BYTES : 0);

	out[0] = (uint8_t)(SL_BFD_VERSION << 5 | (packet->diag & 0x1fu));
	out[1] = (uint8_t)(packet->state << 6 | (packet->poll ? POLL : 0) |
	                   (packet->final ? FINAL : 0) | (packet->independent ? INDEPENDENT : 0) |
	                   (packet->authenticated ? AUTHENTICATED : 0) |
	                   (packet->demand ? DEMAND : 0));
	out[2] = packet->detect_mult;
	out[3] = (uint8_t)length;
	write32(out + 4, packet->my_discr);
	write32(out + 8, packet->your_discr);
	write32(out + 12, packet->desired_min_tx_us);
	write32(out + 16, packet->required_min_rx_us);
	write32(out + 20, packet->required_min_echo_rx_us);
	return length;
}
