/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One BFD session in asynchronous mode (RFC 5880 §6.8): a machine without socket, clock or memory of its
 * own. Packets, time and configuration go in; at most one packet comes out of each step, with whether the
 * state changed. Times are CLOCK_MONOTONIC nanoseconds, intervals microseconds.
 *
 * Demand mode is answered (§6.6: our periodic packets cease while the peer asks for it), never asked for.
 * The echo function is not offered: Required Min Echo RX Interval is 0.
 */
#ifndef SEALANE_BFD_BFD_SESSION_H
#define SEALANE_BFD_BFD_SESSION_H

#include "bfd/bfd_auth.h"
#include "bfd/bfd_packet.h"

#define SL_BFD_NEVER UINT64_MAX
/* §6.8.3: while a session is not Up, Desired Min TX Interval is a second at least. */
#define SL_BFD_SLOW_US 1000000u

struct sl_bfd_config {
	uint32_t desired_min_tx_us;  /* while Up; not 0 */
	uint32_t required_min_rx_us; /* not 0 */
	uint8_t detect_mult;         /* not 0 */
	bool admin_down;
	struct sl_bfd_key key; /* type SL_BFD_AUTH_NONE: packets carry no authentication */
};

/* What a session needs of the world. */
struct sl_bfd_world {
	uint32_t (*random)(void *context); /* uniform; not predictable for a peer */
	void *random_context;
	struct sl_bfd_hasher hasher;
};

struct sl_bfd_counters {
	uint64_t rx;          /* accepted */
	uint64_t tx;          /* handed to the socket */
	uint64_t rx_bad_auth; /* dropped */
	uint64_t ups;         /* times the session came up */
	uint64_t downs;       /* times it left Up */
};

/* Names as in §6.8.1, with our own below. */
struct sl_bfd_session {
	struct sl_bfd_config config;
	uint8_t state;
	uint8_t remote_state;
	uint8_t local_diag;
	bool remote_demand;
	uint32_t local_discr;
	uint32_t remote_discr;
	uint32_t desired_min_tx_us; /* as advertised */
	uint32_t required_min_rx_us;
	uint32_t remote_min_rx_us;
	struct sl_bfd_auth auth;

	uint8_t remote_diag;
	uint8_t remote_detect_mult;
	bool remote_independent; /* the C bit of the peer's last packet */
	uint32_t remote_desired_min_tx_us;
	/* What is in force; differs from the advertised values until a Poll Sequence ends (§6.8.3). */
	uint32_t tx_in_force_us;
	uint32_t rx_in_force_us;
	bool polling;
	bool poll_again; /* values changed within a Poll Sequence: another must follow */
	uint64_t last_tx_ns;
	uint64_t last_rx_ns;
	uint32_t tx_interval_us; /* unjittered, that tx_due_ns was made with */
	uint64_t tx_due_ns;      /* SL_BFD_NEVER: no periodic packets */
	uint64_t detect_due_ns;  /* SL_BFD_NEVER: nothing is expected */
	struct sl_bfd_counters counters;
	const struct sl_bfd_world *world;
};

/* What a step brings about. */
struct sl_bfd_output {
	bool send;    /* `packet` is to be sent now */
	bool changed; /* `state` of the session is another than before */
	struct sl_bfd_packet packet;
};

/* State Down (or AdminDown), first packet due at once. `local_discr` is unique among sessions, not 0. */
void sl_bfd_start(struct sl_bfd_session *session, const struct sl_bfd_world *world,
                  const struct sl_bfd_config *config, uint32_t local_discr, uint64_t now_ns);

/* What another machine has to know to go on for one that is Up at both ends. */
struct sl_bfd_resume {
	uint32_t local_discr, remote_discr; /* not 0 */
	uint32_t remote_min_rx_us;
	uint32_t remote_desired_min_tx_us;
	uint8_t remote_detect_mult; /* not 0 */
	bool remote_independent;
	uint32_t xmit_seq; /* of the next packet */
};

/* False when the session is not Up at both ends: there is nothing to go on from. */
bool sl_bfd_get_resume(const struct sl_bfd_session *session, struct sl_bfd_resume *resume);

/*
 * Right after sl_bfd_start() of a session that is not administratively down: Up, as if it had always been this
 * one, except that a Poll Sequence asks the peer whether it still has our parameters.
 */
void sl_bfd_go_on(struct sl_bfd_session *session, const struct sl_bfd_resume *resume,
                  uint64_t now_ns);

/* Change what is configured; the same again changes nothing. */
void sl_bfd_configure(struct sl_bfd_session *session, const struct sl_bfd_config *config,
                      uint64_t now_ns, struct sl_bfd_output *out);

/*
 * A packet for this session (§6.8.6), decoded from `bytes`. False: discarded for its authentication, and
 * counted; nothing else changed.
 */
bool sl_bfd_receive(struct sl_bfd_session *session, const struct sl_bfd_packet *packet,
                    const uint8_t *bytes, uint64_t now_ns, struct sl_bfd_output *out);

/* Do what is due at `now_ns`; nothing when called early. */
void sl_bfd_expire(struct sl_bfd_session *session, uint64_t now_ns, struct sl_bfd_output *out);

/* When sl_bfd_expire() is to be called next. */
uint64_t sl_bfd_due(const struct sl_bfd_session *session);

/* The present Detection Time (§6.8.4); 0 before the peer was heard. */
uint64_t sl_bfd_detection_us(const struct sl_bfd_session *session);

/* Encode, authenticate and count one output packet. Returns its length. */
size_t sl_bfd_seal(struct sl_bfd_session *session, const struct sl_bfd_packet *packet,
                   uint8_t bytes[SL_BFD_MAX_BYTES]);

#endif
