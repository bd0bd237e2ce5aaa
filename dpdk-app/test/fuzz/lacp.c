/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LACPDUs from arbitrary bytes to the members of one group. Each is | control 1 | time 1 | length 1 | bytes |; the control
 * octet says to which member, whether the frame is mended so far that it is a LACPDU, whether it means us, and whether the
 * member's link goes or comes before it; the time is 1 to 8 steps of a tenth of a second to a minute and a half.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lacp/lacp.h"

#define MEMBERS 3u
#define SECOND_NS 1000000000ull

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};

static struct {
	struct sl_lacp lacp;
	uint64_t now_ns;
	uint64_t sent_ns[MEMBERS][6]; /* the last LACPDUs of each, oldest first */
} run;

static void demand(int truth)
{
	if (!truth)
		abort();
}

static int same_partner(const struct sl_lacp_end *a, const struct sl_lacp_end *b)
{
	return a->system_priority == b->system_priority && a->key == b->key &&
	       memcmp(a->system, b->system, sizeof(a->system)) == 0;
}

/* What holds of a group after a step, whatever it was sent. */
static void check(void)
{
	const struct sl_lacp_end *partner = NULL;

	for (unsigned int i = 0; i < MEMBERS; i++) {
		const struct sl_lacp_port *port = &run.lacp.port[i];
		uint8_t state = port->actor.state;

		demand((state & SL_LACP_DISTRIBUTING) == 0 || (state & SL_LACP_COLLECTING) != 0);
		demand((state & SL_LACP_COLLECTING) == 0 || (state & SL_LACP_SYNCHRONIZATION) != 0);
		demand((state & SL_LACP_COLLECTING) == 0 || port->receive == SL_LACP_RX_CURRENT);
		demand((state & SL_LACP_SYNCHRONIZATION) == 0 || port->selected);
		demand(!port->selected || port->link_up);
		demand((port->receive == SL_LACP_PORT_DISABLED) == !port->link_up);
		demand(!sl_lacp_distributes(&run.lacp, i) || sl_lacp_collects(&run.lacp, i));
		if (!port->selected)
			continue;
		demand(partner == NULL || same_partner(partner, &port->partner));
		partner = &port->partner;
	}
}

static void say(unsigned int i)
{
	uint8_t frame[SL_LACP_FRAME];
	struct sl_lacp_pdu pdu;

	if (!sl_lacp_send(&run.lacp, i, mac, frame, run.now_ns))
		return;
	demand(run.lacp.port[i].link_up);
	demand(sl_lacp_decode(&pdu, frame, sizeof(frame)));
	demand(memcmp(pdu.actor.system, mac, sizeof(mac)) == 0);
	demand(pdu.actor.state == run.lacp.port[i].actor.state);
	/* Three in a second, and three more when the next one begins: the seventh is in another. */
	demand(run.now_ns - run.sent_ns[i][0] > SECOND_NS);
	memmove(&run.sent_ns[i][0], &run.sent_ns[i][1], 5 * sizeof(uint64_t));
	run.sent_ns[i][5] = run.now_ns;
}

static void pass(uint8_t time)
{
	static const uint64_t step_ns[] = {SECOND_NS / 10, SECOND_NS / 10, SECOND_NS,
	                                   90 * SECOND_NS};

	for (unsigned int n = 0; n <= (time & 7u); n++) {
		run.now_ns += step_ns[time >> 3 & 3];
		sl_lacp_step(&run.lacp, run.now_ns);
		for (unsigned int i = 0; i < MEMBERS; i++)
			say(i);
		check();
	}
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* As much of it as there is. */
static void mend(uint8_t *frame, size_t n, const struct sl_lacp_end *meant)
{
	static const uint8_t head[] = {0x88, 0x09, 1, 1, 1, 20};
	uint8_t whole[SL_LACP_FRAME] = {0};
	size_t there = n < sizeof(whole) ? n : sizeof(whole);

	memcpy(whole, frame, there);
	memcpy(whole + 12, head, sizeof(head));
	whole[36] = 2;
	whole[37] = 20;
	if (meant != NULL) {
		put16(whole + 38, meant->system_priority);
		memcpy(whole + 40, meant->system, sizeof(meant->system));
		put16(whole + 46, meant->key);
		put16(whole + 48, meant->port_priority);
		put16(whole + 50, meant->port);
		whole[52] = meant->state;
	}
	memcpy(frame, whole, there);
}

static void one(uint8_t control, uint8_t time, uint8_t *frame, size_t n)
{
	unsigned int i = (control & 3u) % MEMBERS;

	if ((control & 4) != 0)
		sl_lacp_link(&run.lacp, i, !run.lacp.port[i].link_up);
	pass(time);
	if ((control & 8) != 0)
		mend(frame, n, (control & 16) != 0 ? &run.lacp.port[i].actor : NULL);
	sl_lacp_receive(&run.lacp, i, frame, n, run.now_ns);
	pass(0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&run, 0, sizeof(run));
	run.now_ns = 10 * SECOND_NS;
	sl_lacp_init(&run.lacp, mac, 7, MEMBERS, size == 0 || (data[0] & 32) == 0);
	for (unsigned int i = 0; i < MEMBERS; i++)
		sl_lacp_link(&run.lacp, i, true);
	while (size >= 3) {
		size_t n = data[2] < size - 3 ? data[2] : size - 3;
		uint8_t *exact = malloc(n);

		if (exact == NULL)
			return 0;
		memcpy(exact, data + 3, n);
		one(data[0], data[1], exact, n);
		free(exact);
		data += 3 + n;
		size -= 3 + n;
	}
	return 0;
}
