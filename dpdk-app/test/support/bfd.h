/* SPDX-License-Identifier: Apache-2.0 */
/* BFD's time and settings, for all its tests; one session's peer and its packets, for bfd_session.c and bfd_poll.c. */
#ifndef SEALANE_TEST_BFD_H
#define SEALANE_TEST_BFD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "bfd/bfd_session.h"

#define MS 1000000ull /* nanoseconds */
#define S (1000 * MS)
#define START (100 * S)

/* Jitter: the test says what comes. UINT32_MAX / 2 and the like are cut by the machine. */
static uint32_t drawn;
static inline uint32_t draw(void *context)
{
	(void)context;
	return drawn;
}

static const struct sl_bfd_world world = {.random = draw};

static const struct sl_bfd_config fast = {
	.desired_min_tx_us = 50000, .required_min_rx_us = 60000, .detect_mult = 3};

static struct sl_bfd_output out;

/* What a peer sends: state and its intervals. */
static inline struct sl_bfd_packet from_peer(const struct sl_bfd_session *session, uint8_t state)
{
	return (struct sl_bfd_packet){.state = state,
	                              .detect_mult = 5,
	                              .length = 24,
	                              .my_discr = 77,
	                              .your_discr = session->local_discr,
	                              .desired_min_tx_us = 100000,
	                              .required_min_rx_us = 200000};
}

static inline void receive(struct sl_bfd_session *session, const struct sl_bfd_packet *packet,
                           uint64_t now_ns)
{
	assert_true(sl_bfd_receive(session, packet, NULL, now_ns, &out));
}

static inline void receive_state(struct sl_bfd_session *session, uint8_t state, uint64_t now_ns)
{
	struct sl_bfd_packet packet = from_peer(session, state);

	receive(session, &packet, now_ns);
}

/* A session in `state`, which knows its peer unless it has to be without one; its timers run from `now_ns`. */
static inline struct sl_bfd_session session_in(uint8_t state, uint64_t now_ns)
{
	struct sl_bfd_session session;
	struct sl_bfd_config config = fast;

	drawn = 0;
	config.admin_down = state == SL_BFD_ADMIN_DOWN;
	sl_bfd_start(&session, &world, &config, 1, now_ns);
	sl_bfd_expire(&session, now_ns, &out);
	if (state == SL_BFD_INIT || state == SL_BFD_UP)
		receive_state(&session, SL_BFD_DOWN, now_ns);
	if (state == SL_BFD_UP)
		receive_state(&session, SL_BFD_INIT, now_ns);
	assert_int_equal(session.state, state);
	return session;
}

#endif
