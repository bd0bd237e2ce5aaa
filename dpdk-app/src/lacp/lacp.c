/* SPDX-License-Identifier: Apache-2.0 */
#include "lacp/lacp.h"

#include <string.h>

#define SL_SECOND_NS 1000000000ull
/* 5.4.4 */
#define SL_FAST_PERIODIC_NS (1 * SL_SECOND_NS)
#define SL_SLOW_PERIODIC_NS (30 * SL_SECOND_NS)
#define SL_SHORT_TIMEOUT_NS (3 * SL_SECOND_NS)
#define SL_LONG_TIMEOUT_NS (90 * SL_SECOND_NS)
#define SL_AGGREGATE_WAIT_NS (2 * SL_SECOND_NS)
#define SL_SENT_PER_SECOND 3u
#define SL_PRIORITY 32768u /* the standard's default, of systems and of ports */

void sl_lacp_init(struct sl_lacp *lacp, const uint8_t system[6], uint16_t key, unsigned int count,
                  bool fast)
{
	memset(lacp, 0, sizeof(*lacp));
	lacp->count = count;
	for (unsigned int i = 0; i < count; i++) {
		struct sl_lacp_end *actor = &lacp->port[i].actor;

		actor->system_priority = SL_PRIORITY;
		memcpy(actor->system, system, sizeof(actor->system));
		actor->key = key;
		actor->port_priority = SL_PRIORITY;
		actor->port = (uint16_t)(key * 16u + i + 1);
		actor->state = (uint8_t)(SL_LACP_ACTIVITY | SL_LACP_AGGREGATION |
		                         SL_LACP_DEFAULTED | (fast ? SL_LACP_SHORT_TIMEOUT : 0));
	}
}

void sl_lacp_link(struct sl_lacp *lacp, unsigned int i, bool up) { lacp->port[i].link_up = up; }

static bool same_aggregator(const struct sl_lacp_end *a, const struct sl_lacp_end *b)
{
	return a->system_priority == b->system_priority && a->key == b->key &&
	       memcmp(a->system, b->system, sizeof(a->system)) == 0;
}

static bool same_end(const struct sl_lacp_end *a, const struct sl_lacp_end *b)
{
	return same_aggregator(a, b) && a->port_priority == b->port_priority && a->port == b->port;
}

static bool differs(uint8_t a, uint8_t b, uint8_t bits) { return ((a ^ b) & bits) != 0; }

static void become_expired(struct sl_lacp_port *port, uint64_t now_ns)
{
	port->receive = SL_LACP_RX_EXPIRED;
	port->partner.state &= (uint8_t)~SL_LACP_SYNCHRONIZATION;
	port->partner.state |= SL_LACP_SHORT_TIMEOUT;
	port->actor.state |= SL_LACP_EXPIRED;
	port->current_while_ns = now_ns + SL_SHORT_TIMEOUT_NS;
}

/* Nobody answers: a member that speaks no LACP is not used, whatever it is connected to. */
static void become_defaulted(struct sl_lacp_port *port)
{
	port->receive = SL_LACP_RX_DEFAULTED;
	port->selected = false;
	memset(&port->partner, 0, sizeof(port->partner));
	/* Of one that may come we say that it wants to hear us often: so it does at once. */
	port->partner.state = SL_LACP_SHORT_TIMEOUT;
	port->actor.state |= SL_LACP_DEFAULTED;
	port->actor.state &= (uint8_t)~SL_LACP_EXPIRED;
	port->current_while_ns = 0;
}

static void receive_machine(struct sl_lacp_port *port, uint64_t now_ns)
{
	if (!port->link_up) {
		port->receive = SL_LACP_PORT_DISABLED;
		port->partner.state &= (uint8_t)~SL_LACP_SYNCHRONIZATION;
		port->selected = false;
		return;
	}
	if (port->receive == SL_LACP_PORT_DISABLED)
		become_expired(port, now_ns);
	if (port->current_while_ns == 0 || now_ns < port->current_while_ns)
		return;
	if (port->receive == SL_LACP_RX_CURRENT)
		become_expired(port, now_ns);
	else if (port->receive == SL_LACP_RX_EXPIRED)
		become_defaulted(port);
}

/* recordPDU (5.4.9): the partner is in step when it means us, or is no part of an aggregation. */
static void record(struct sl_lacp_port *port, const struct sl_lacp_pdu *pdu)
{
	const uint8_t theirs = pdu->actor.state;
	bool means_us = same_end(&pdu->partner, &port->actor) &&
	                !differs(pdu->partner.state, port->actor.state, SL_LACP_AGGREGATION);

	port->partner = pdu->actor;
	port->actor.state &= (uint8_t) ~(SL_LACP_DEFAULTED | SL_LACP_EXPIRED);
	if ((theirs & SL_LACP_SYNCHRONIZATION) != 0 &&
	    (means_us || (theirs & SL_LACP_AGGREGATION) == 0))
		port->partner.state |= SL_LACP_SYNCHRONIZATION;
	else
		port->partner.state &= (uint8_t)~SL_LACP_SYNCHRONIZATION;
}

void sl_lacp_receive(struct sl_lacp *lacp, unsigned int i, const uint8_t *frame, size_t length,
                     uint64_t now_ns)
{
	const uint8_t told = SL_LACP_ACTIVITY | SL_LACP_SHORT_TIMEOUT | SL_LACP_SYNCHRONIZATION |
	                     SL_LACP_AGGREGATION;
	struct sl_lacp_port *port = &lacp->port[i];
	struct sl_lacp_pdu pdu;

	if (!sl_lacp_decode(&pdu, frame, length) ||
	    memcmp(pdu.actor.system, port->actor.system, sizeof(pdu.actor.system)) == 0) {
		port->malformed++;
		return;
	}
	port->received++;
	if (!port->link_up) /* it came before the link went */
		return;
	if (!same_end(&port->partner, &pdu.actor) ||
	    differs(port->partner.state, pdu.actor.state, SL_LACP_AGGREGATION))
		port->selected = false;
	if (!same_end(&pdu.partner, &port->actor) ||
	    differs(pdu.partner.state, port->actor.state, told))
		port->ntt = true;
	record(port, &pdu);
	port->receive = SL_LACP_RX_CURRENT;
	port->current_while_ns =
		now_ns + ((port->actor.state & SL_LACP_SHORT_TIMEOUT) != 0 ? SL_SHORT_TIMEOUT_NS
	                                                                   : SL_LONG_TIMEOUT_NS);
}

static bool can_be_selected(const struct sl_lacp_port *port)
{
	return port->receive == SL_LACP_RX_CURRENT &&
	       (port->partner.state & SL_LACP_AGGREGATION) != 0;
}

/*
 * Selection (5.4.14): there is one aggregator. Its partner stays while it has a member; then it is the one that most
 * members see, the first of these when there are several.
 */
static const struct sl_lacp_end *choose_partner(const struct sl_lacp *lacp)
{
	const struct sl_lacp_end *best = NULL;
	unsigned int most = 0;

	for (unsigned int i = 0; i < lacp->count; i++)
		if (lacp->port[i].selected)
			return &lacp->port[i].partner;
	for (unsigned int i = 0; i < lacp->count; i++) {
		unsigned int members = 0;

		if (!can_be_selected(&lacp->port[i]))
			continue;
		for (unsigned int j = 0; j < lacp->count; j++)
			members += can_be_selected(&lacp->port[j]) &&
			           same_aggregator(&lacp->port[j].partner, &lacp->port[i].partner);
		if (members > most) {
			most = members;
			best = &lacp->port[i].partner;
		}
	}
	return best;
}

static void select_members(struct sl_lacp *lacp)
{
	const struct sl_lacp_end *partner = choose_partner(lacp);

	for (unsigned int i = 0; i < lacp->count; i++) {
		struct sl_lacp_port *port = &lacp->port[i];

		if (partner != NULL && can_be_selected(port) &&
		    same_aggregator(&port->partner, partner))
			port->selected = true;
	}
}

static void set_state(struct sl_lacp_port *port, uint8_t bits, bool on)
{
	uint8_t state = on ? (uint8_t)(port->actor.state | bits)
	                   : (uint8_t)(port->actor.state & (uint8_t)~bits);

	if (state == port->actor.state)
		return;
	port->actor.state = state;
	port->ntt = true;
}

static void mux_machine(struct sl_lacp_port *port, uint64_t now_ns)
{
	bool in_step = (port->partner.state & SL_LACP_SYNCHRONIZATION) != 0;

	if (!port->selected) {
		port->mux = SL_LACP_DETACHED;
		set_state(port, SL_LACP_SYNCHRONIZATION | SL_LACP_COLLECTING | SL_LACP_DISTRIBUTING,
		          false);
		return;
	}
	if (port->mux == SL_LACP_DETACHED) {
		port->mux = SL_LACP_WAITING;
		port->wait_while_ns = now_ns + SL_AGGREGATE_WAIT_NS;
	}
	if (port->mux == SL_LACP_WAITING && now_ns >= port->wait_while_ns) {
		port->mux = SL_LACP_ATTACHED;
		set_state(port, SL_LACP_SYNCHRONIZATION, true);
	}
	if (port->mux != SL_LACP_ATTACHED)
		return;
	set_state(port, SL_LACP_COLLECTING, in_step);
	set_state(port, SL_LACP_DISTRIBUTING,
	          in_step && (port->partner.state & SL_LACP_COLLECTING) != 0);
}

/* Periodic transmission (5.4.13), as often as the partner wants; we are active, so there is always some. */
static void periodic_machine(struct sl_lacp_port *port, uint64_t now_ns)
{
	bool fast = (port->partner.state & SL_LACP_SHORT_TIMEOUT) != 0;
	uint64_t period = fast ? SL_FAST_PERIODIC_NS : SL_SLOW_PERIODIC_NS;

	if (!port->link_up) {
		port->periodic_ns = 0;
		return;
	}
	if (port->periodic_ns == 0 || now_ns >= port->periodic_ns ||
	    port->periodic_ns - now_ns > period) {
		port->ntt = true;
		port->periodic_ns = now_ns + period;
	}
}

void sl_lacp_step(struct sl_lacp *lacp, uint64_t now_ns)
{
	for (unsigned int i = 0; i < lacp->count; i++) {
		receive_machine(&lacp->port[i], now_ns);
		/* Detached before it is selected again, maybe for another partner. */
		if (!lacp->port[i].selected)
			mux_machine(&lacp->port[i], now_ns);
	}
	select_members(lacp);
	for (unsigned int i = 0; i < lacp->count; i++) {
		mux_machine(&lacp->port[i], now_ns);
		periodic_machine(&lacp->port[i], now_ns);
	}
}

bool sl_lacp_send(struct sl_lacp *lacp, unsigned int i, const uint8_t source[6],
                  uint8_t frame[SL_LACP_FRAME], uint64_t now_ns)
{
	struct sl_lacp_port *port = &lacp->port[i];
	struct sl_lacp_pdu pdu = {.actor = port->actor, .partner = port->partner};

	if (now_ns >= port->window_ns + SL_SECOND_NS) {
		port->window_ns = now_ns;
		port->in_window = 0;
	}
	if (!port->ntt || !port->link_up || port->in_window >= SL_SENT_PER_SECOND)
		return false;
	sl_lacp_encode(&pdu, source, frame);
	port->ntt = false;
	port->in_window++;
	port->sent++;
	return true;
}

void sl_lacp_unsent(struct sl_lacp *lacp, unsigned int i)
{
	lacp->port[i].ntt = true;
	lacp->port[i].in_window--;
	lacp->port[i].sent--;
}
