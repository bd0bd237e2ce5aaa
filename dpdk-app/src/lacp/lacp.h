/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Link Aggregation Control Protocol (IEEE 802.1AX-2008 clause 5.4) of one link aggregation group: its members are to make
 * one aggregation with one partner. Pure: a step takes the time, what was received and the members' links, and says what to
 * send, and which members may collect and distribute. DPDK's own machine can say no short timeout, and sees no link of a
 * kernel interface: ADR 33.
 */
#ifndef SEALANE_LACP_LACP_H
#define SEALANE_LACP_LACP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SL_LAG_MEMBERS 8u

#define SL_LACP_FRAME 124u /* Ethernet header and LACPDU, bytes, without FCS */

/* Actor_State and Partner_State (5.4.2.2), as on the wire. */
enum {
	SL_LACP_ACTIVITY = 0x01,
	SL_LACP_SHORT_TIMEOUT = 0x02,
	SL_LACP_AGGREGATION = 0x04,
	SL_LACP_SYNCHRONIZATION = 0x08,
	SL_LACP_COLLECTING = 0x10,
	SL_LACP_DISTRIBUTING = 0x20,
	SL_LACP_DEFAULTED = 0x40,
	SL_LACP_EXPIRED = 0x80,
};

/* What one end of a link says of itself: host order. */
struct sl_lacp_end {
	uint16_t system_priority;
	uint8_t system[6];
	uint16_t key;
	uint16_t port_priority;
	uint16_t port;
	uint8_t state;
};

struct sl_lacp_pdu {
	struct sl_lacp_end actor, partner;
};

/* Receive machine (5.4.12). */
enum sl_lacp_receive {
	SL_LACP_PORT_DISABLED, /* no link */
	SL_LACP_RX_EXPIRED,
	SL_LACP_RX_DEFAULTED,
	SL_LACP_RX_CURRENT,
};

/* Mux machine with independent control (5.4.15); collecting and distributing are in the actor's state. */
enum sl_lacp_mux { SL_LACP_DETACHED, SL_LACP_WAITING, SL_LACP_ATTACHED };

struct sl_lacp_port {
	struct sl_lacp_end actor, partner;
	enum sl_lacp_receive receive;
	enum sl_lacp_mux mux;
	bool link_up;
	bool selected;
	bool ntt;                  /* need to transmit */
	uint64_t current_while_ns; /* when what the partner said is too old; 0 = not running */
	uint64_t wait_while_ns;
	uint64_t periodic_ns; /* when the next one is due; 0 = none is */
	uint64_t window_ns;   /* since when `in_window` were sent */
	uint32_t in_window;
	uint64_t received, sent, malformed; /* LACPDUs */
};

struct sl_lacp {
	unsigned int count;
	struct sl_lacp_port port[SL_LAG_MEMBERS];
};

/*
 * `system`: MAC address that names us; `key`: the same for all members and for no other group of ours, 1..4095; `fast`:
 * the partner shall say so every second, not every thirty. Times are nanoseconds of one clock that never is 0.
 */
void sl_lacp_init(struct sl_lacp *lacp, const uint8_t system[6], uint16_t key, unsigned int count,
                  bool fast);

/* Of the device below member `i`. */
void sl_lacp_link(struct sl_lacp *lacp, unsigned int i, bool up);

/* A frame came by member `i`. What is no LACPDU, or one of our own, is counted and means nothing. */
void sl_lacp_receive(struct sl_lacp *lacp, unsigned int i, const uint8_t *frame, size_t length,
                     uint64_t now_ns);

/* All timers and machines. */
void sl_lacp_step(struct sl_lacp *lacp, uint64_t now_ns);

/*
 * Whether member `i` has something to say now; then it is in `frame`, from MAC address `source`, and counts as sent, 3 a
 * second at most (5.4.16).
 */
bool sl_lacp_send(struct sl_lacp *lacp, unsigned int i, const uint8_t source[6],
                  uint8_t frame[SL_LACP_FRAME], uint64_t now_ns);
/* It could not be sent after all. */
void sl_lacp_unsent(struct sl_lacp *lacp, unsigned int i);

/*
 * Whether what comes by member `i` is taken: from when we say that it is in step. A partner with coupled control, such as Linux,
 * sends by it as soon as it hears that, and would lose what it sends until we have heard the same of it.
 */
static inline bool sl_lacp_collects(const struct sl_lacp *lacp, unsigned int i)
{
	return (lacp->port[i].actor.state & SL_LACP_SYNCHRONIZATION) != 0;
}
static inline bool sl_lacp_distributes(const struct sl_lacp *lacp, unsigned int i)
{
	return (lacp->port[i].actor.state & SL_LACP_DISTRIBUTING) != 0;
}

/* lacp_pdu.c: false when it is no LACPDU of 802.1AX. Reads nothing outside `length` bytes. */
bool sl_lacp_decode(struct sl_lacp_pdu *pdu, const uint8_t *frame, size_t length);
void sl_lacp_encode(const struct sl_lacp_pdu *pdu, const uint8_t source[6],
                    uint8_t frame[SL_LACP_FRAME]);

#endif
