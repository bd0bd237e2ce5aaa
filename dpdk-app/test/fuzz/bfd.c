/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BFD packets from arbitrary bytes, one after the other to a session. Each is | control 1 | length 1 | bytes |; the
 * control octet says how much time goes by before it, and whether it is mended so far that a session may take it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bfd/bfd_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LOCAL_DISCR 1u

static void demand(int truth)
{
	if (!truth)
		abort();
}

static uint32_t draw(void *context)
{
	(void)context;
	return LOCAL_DISCR; /* the first session's discriminator, and the least jitter */
}

/* What holds of a session whatever it is sent. */
static void check(const struct sl_bfd_session *s)
{
	demand(s->state <= SL_BFD_UP && s->remote_state <= SL_BFD_UP);
	demand(s->tx_due_ns == SL_BFD_NEVER || s->tx_interval_us >= s->tx_in_force_us);
	demand(s->tx_interval_us >= s->config.desired_min_tx_us);
	demand(s->state == SL_BFD_UP || s->desired_min_tx_us >= SL_BFD_SLOW_US);
	demand((s->remote_discr != 0) == (s->detect_due_ns != SL_BFD_NEVER));
	demand(s->state == SL_BFD_DOWN || s->remote_discr != 0);
	demand(s->polling || !s->poll_again);
}

static void check_output(const struct sl_bfd_session *s, const struct sl_bfd_output *out)
{
	uint8_t bytes[SL_BFD_HEADER_BYTES];
	struct sl_bfd_packet again;

	if (!out->send)
		return;
	demand(!(out->packet.poll && out->packet.final));
	demand(out->packet.state == s->state && out->packet.my_discr == LOCAL_DISCR);
	demand(sl_bfd_encode(&out->packet, bytes) == sizeof(bytes));
	demand(bytes[1] >> 6 == s->state);
	/* a peer takes it, but for what only the first packets of a session are */
	demand(sl_bfd_decode(bytes, sizeof(bytes), &again) == SL_BFD_OK ||
	       out->packet.your_discr == 0);
}

static void mend(uint8_t *bytes, size_t n)
{
	if (n < SL_BFD_HEADER_BYTES)
		return;
	bytes[0] = (uint8_t)(SL_BFD_VERSION << 5 | (bytes[0] & 0x1f));
	bytes[1] &= 0xfa; /* neither A nor M */
	bytes[2] |= 1;
	bytes[3] = SL_BFD_HEADER_BYTES;
	bytes[7] |= 1;
	memcpy(bytes + 8, (const uint8_t[4]){0, 0, 0, LOCAL_DISCR}, 4);
}

static void one(struct sl_bfd_session *s, uint8_t *bytes, size_t n, uint64_t *now_ns,
                uint8_t control)
{
	struct sl_bfd_packet packet;
	struct sl_bfd_output out;

	*now_ns += (uint64_t)(control >> 1) * 20000000u;
	for (int i = 0; i < 300 && sl_bfd_due(s) <= *now_ns; i++) {
		sl_bfd_expire(s, *now_ns, &out);
		check_output(s, &out);
		check(s);
	}
	demand(sl_bfd_due(s) > *now_ns); /* no interval is so short that it never catches up */
	if ((control & 1) != 0)
		mend(bytes, n);
	if (sl_bfd_decode(bytes, n, &packet) != SL_BFD_OK)
		return;
	demand(packet.length >= SL_BFD_HEADER_BYTES && packet.length <= n);
	demand(!packet.authenticated ||
	       SL_BFD_HEADER_BYTES + packet.auth_length <= (size_t)packet.length);
	if (sl_bfd_receive(s, &packet, bytes, *now_ns, &out))
		check_output(s, &out);
	check(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sl_bfd_world world = {.random = draw};
	static const struct sl_bfd_config config = {
		.desired_min_tx_us = 50000, .required_min_rx_us = 50000, .detect_mult = 3};
	struct sl_bfd_session session;
	uint64_t now_ns = 1000000000u;

	sl_bfd_start(&session, &world, &config, LOCAL_DISCR, now_ns);
	while (size >= 2) {
		size_t n = data[1] < size - 2 ? data[1] : size - 2;
		uint8_t *exact = malloc(n);

		if (exact == NULL)
			return 0;
		memcpy(exact, data + 2, n);
		one(&session, exact, n, &now_ns, data[0]);
		free(exact);
		data += 2 + n;
		size -= 2 + n;
	}
	return 0;
}
