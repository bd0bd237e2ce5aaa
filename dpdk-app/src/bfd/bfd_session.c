/* SPDX-License-Identifier: Apache-2.0 */
#include "bfd/bfd_session.h"

#include <string.h>

#define NS_PER_US 1000u

static uint32_t larger(uint32_t a, uint32_t b) { return a > b ? a : b; }
static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* ---- Transmission, §6.8.7 ---------------------------------------------------------------------- */

/* 75 to 100 % of the interval, with Detect Mult 1 at most 90 %. */
static uint64_t jittered_ns(const struct sl_bfd_session *s)
{
	uint32_t range = s->config.detect_mult == 1 ? 1500 : 2500;
	uint32_t draw = s->world->random(s->world->random_context) % (range + 1);

	/* 7500 to 10000 parts of 10,000, in nanoseconds. */
	return (uint64_t)s->tx_interval_us * (7500u + draw) / (10000u / NS_PER_US);
}

static bool is_periodic(const struct sl_bfd_session *s)
{
	if (s->remote_min_rx_us == 0)
		return false;
	/* Demand mode is active at the peer (§6.6). */
	if (s->remote_demand && s->state == SL_BFD_UP && s->remote_state == SL_BFD_UP)
		return s->polling;
	return true;
}

static void schedule(struct sl_bfd_session *s)
{
	s->tx_due_ns = is_periodic(s) ? s->last_tx_ns + jittered_ns(s) : SL_BFD_NEVER;
}

/*
 * Follow a change of what the interval is made of. A wait that has not changed is left alone: drawn
 * anew with each received packet, its jitter would not be uniform.
 */
static void reschedule(struct sl_bfd_session *s)
{
	uint32_t interval = larger(s->tx_in_force_us, s->remote_min_rx_us);
	bool periodic = is_periodic(s);

	if (interval == s->tx_interval_us && periodic == (s->tx_due_ns != SL_BFD_NEVER))
		return;
	s->tx_interval_us = interval;
	schedule(s);
}

static void fill(const struct sl_bfd_session *s, bool final, struct sl_bfd_packet *packet)
{
	memset(packet, 0, sizeof(*packet));
	packet->diag = s->local_diag;
	packet->state = s->state;
	packet->final = final;
	packet->poll = s->polling && !final; /* never both */
	packet->independent = true;
	packet->authenticated = s->config.key.type != SL_BFD_AUTH_NONE;
	packet->detect_mult = s->config.detect_mult;
	packet->my_discr = s->local_discr;
	packet->your_discr = s->remote_discr;
	packet->desired_min_tx_us = s->desired_min_tx_us;
	packet->required_min_rx_us = s->required_min_rx_us;
}

/* A packet of the periodic kind, or one in between because its contents differ from the last. */
static void send_now(struct sl_bfd_session *s, uint64_t now_ns, struct sl_bfd_output *out)
{
	s->last_tx_ns = now_ns;
	schedule(s);
	out->send = true;
	fill(s, false, &out->packet);
}

/* ---- Parameters, §6.8.3 ------------------------------------------------------------------------ */

/*
 * Advertise what the state and the configuration call for. While Up, an interval that would make us send
 * later, or expect packets sooner, than the peer knows waits for the end of the Poll Sequence.
 */
static void set_parameters(struct sl_bfd_session *s)
{
	uint32_t tx = s->state == SL_BFD_UP ? s->config.desired_min_tx_us
	                                    : larger(s->config.desired_min_tx_us, SL_BFD_SLOW_US);
	uint32_t rx = s->config.required_min_rx_us;

	if (tx == s->desired_min_tx_us && rx == s->required_min_rx_us)
		return;
	s->desired_min_tx_us = tx;
	s->required_min_rx_us = rx;
	s->tx_in_force_us = s->state == SL_BFD_UP ? smaller(s->tx_in_force_us, tx) : tx;
	s->rx_in_force_us = s->state == SL_BFD_UP ? larger(s->rx_in_force_us, rx) : rx;
	if (s->remote_discr == 0)
		return; /* nobody to tell: a session that is Up has a peer */
	s->poll_again = s->polling;
	s->polling = true;
}

/* The peer has acknowledged a Poll Sequence (§6.5). */
static void end_poll(struct sl_bfd_session *s)
{
	if (s->poll_again) {
		/* It may have seen the older values only. */
		s->poll_again = false;
		return;
	}
	s->polling = false;
	s->tx_in_force_us = s->desired_min_tx_us;
	s->rx_in_force_us = s->required_min_rx_us;
}

/* ---- Detection, §6.8.4 ------------------------------------------------------------------------- */

uint64_t sl_bfd_detection_us(const struct sl_bfd_session *s)
{
	return (uint64_t)s->remote_detect_mult *
	       larger(s->rx_in_force_us, s->remote_desired_min_tx_us);
}

static void expect_next(struct sl_bfd_session *s)
{
	uint64_t detection_ns = sl_bfd_detection_us(s) * NS_PER_US;

	s->detect_due_ns = s->remote_discr != 0 ? s->last_rx_ns + detection_ns : SL_BFD_NEVER;
	s->auth.forget_ns = s->last_rx_ns + 2 * detection_ns;
}

/* bfd.RemoteDiscr is zero after a Detection Time of silence; with it goes all that the peer asked for. */
static void forget_remote(struct sl_bfd_session *s)
{
	s->remote_discr = 0;
	s->remote_state = SL_BFD_DOWN;
	s->remote_min_rx_us = 1;
	s->remote_demand = false;
	s->remote_desired_min_tx_us = 0;
	s->remote_detect_mult = 0;
	s->polling = false;
	s->poll_again = false;
	s->detect_due_ns = SL_BFD_NEVER;
	s->tx_in_force_us = s->desired_min_tx_us;
	s->rx_in_force_us = s->required_min_rx_us;
}

/* ---- States ------------------------------------------------------------------------------------ */

static void enter(struct sl_bfd_session *s, uint8_t state, uint8_t diag, struct sl_bfd_output *out)
{
	if (s->state == SL_BFD_UP)
		s->counters.downs++;
	if (state == SL_BFD_UP)
		s->counters.ups++;
	s->state = state;
	s->local_diag = diag;
	out->changed = true;
	set_parameters(s);
}

/* The table of §6.8.6 and §6.2: what the peer's state does to ours, which is not AdminDown. */
static void follow(struct sl_bfd_session *s, uint8_t remote, struct sl_bfd_output *out)
{
	if (remote == SL_BFD_ADMIN_DOWN) {
		if (s->state != SL_BFD_DOWN)
			enter(s, SL_BFD_DOWN, SL_BFD_DIAG_NEIGHBOR_DOWN, out);
	} else if (s->state == SL_BFD_DOWN) {
		if (remote == SL_BFD_DOWN)
			enter(s, SL_BFD_INIT, s->local_diag, out);
		else if (remote == SL_BFD_INIT)
			enter(s, SL_BFD_UP, SL_BFD_DIAG_NONE, out);
	} else if (s->state == SL_BFD_INIT) {
		if (remote == SL_BFD_INIT || remote == SL_BFD_UP)
			enter(s, SL_BFD_UP, SL_BFD_DIAG_NONE, out);
	} else if (remote == SL_BFD_DOWN) {
		enter(s, SL_BFD_DOWN, SL_BFD_DIAG_NEIGHBOR_DOWN, out);
	}
}

static void take_remote(struct sl_bfd_session *s, const struct sl_bfd_packet *packet,
                        uint64_t now_ns)
{
	s->counters.rx++;
	s->last_rx_ns = now_ns;
	s->remote_discr = packet->my_discr;
	s->remote_state = packet->state;
	s->remote_diag = packet->diag;
	s->remote_demand = packet->demand;
	s->remote_independent = packet->independent;
	s->remote_min_rx_us = packet->required_min_rx_us;
	s->remote_desired_min_tx_us = packet->desired_min_tx_us;
	s->remote_detect_mult = packet->detect_mult;
}

bool sl_bfd_receive(struct sl_bfd_session *s, const struct sl_bfd_packet *packet,
                    const uint8_t *bytes, uint64_t now_ns, struct sl_bfd_output *out)
{
	bool authenticated = s->config.key.type != SL_BFD_AUTH_NONE;

	memset(out, 0, sizeof(*out));
	if (packet->authenticated != authenticated ||
	    (authenticated &&
	     !sl_bfd_auth_check(&s->auth, &s->world->hasher, packet, bytes, now_ns))) {
		s->counters.rx_bad_auth++;
		return false;
	}
	take_remote(s, packet, now_ns);
	if (packet->final && s->polling)
		end_poll(s);
	if (s->state != SL_BFD_ADMIN_DOWN)
		follow(s, packet->state, out);
	expect_next(s);
	reschedule(s);
	if (s->state == SL_BFD_ADMIN_DOWN)
		return true;
	if (out->changed)
		send_now(s, now_ns, out);
	if (packet->poll) { /* answered regardless of the timer, §6.5 */
		out->send = true;
		fill(s, true, &out->packet);
	}
	return true;
}

void sl_bfd_expire(struct sl_bfd_session *s, uint64_t now_ns, struct sl_bfd_output *out)
{
	memset(out, 0, sizeof(*out));
	if (now_ns >= s->detect_due_ns) {
		forget_remote(s);
		if (s->state == SL_BFD_INIT || s->state == SL_BFD_UP)
			enter(s, SL_BFD_DOWN, SL_BFD_DIAG_EXPIRED, out);
		reschedule(s);
	}
	if (out->changed || now_ns >= s->tx_due_ns)
		send_now(s, now_ns, out);
}

uint64_t sl_bfd_due(const struct sl_bfd_session *s)
{
	return s->tx_due_ns < s->detect_due_ns ? s->tx_due_ns : s->detect_due_ns;
}

/* ---- Configuration ----------------------------------------------------------------------------- */

void sl_bfd_start(struct sl_bfd_session *s, const struct sl_bfd_world *world,
                  const struct sl_bfd_config *config, uint32_t local_discr, uint64_t now_ns)
{
	memset(s, 0, sizeof(*s));
	s->world = world;
	s->config = *config;
	s->state = config->admin_down ? SL_BFD_ADMIN_DOWN : SL_BFD_DOWN;
	s->local_diag = config->admin_down ? SL_BFD_DIAG_ADMIN_DOWN : SL_BFD_DIAG_NONE;
	s->local_discr = local_discr;
	forget_remote(s);
	set_parameters(s);
	sl_bfd_auth_set(&s->auth, &config->key, world->random(world->random_context));
	s->tx_interval_us = larger(s->tx_in_force_us, s->remote_min_rx_us);
	s->tx_due_ns = now_ns;
}

bool sl_bfd_get_resume(const struct sl_bfd_session *s, struct sl_bfd_resume *resume)
{
	if (s->state != SL_BFD_UP || s->remote_state != SL_BFD_UP || s->remote_discr == 0)
		return false;
	*resume = (struct sl_bfd_resume){
		.local_discr = s->local_discr,
		.remote_discr = s->remote_discr,
		.remote_min_rx_us = s->remote_min_rx_us,
		.remote_desired_min_tx_us = s->remote_desired_min_tx_us,
		.remote_detect_mult = s->remote_detect_mult,
		.remote_independent = s->remote_independent,
		.xmit_seq = s->auth.xmit_seq,
	};
	return true;
}

void sl_bfd_go_on(struct sl_bfd_session *s, const struct sl_bfd_resume *resume, uint64_t now_ns)
{
	s->state = SL_BFD_UP;
	s->remote_state = SL_BFD_UP;
	s->local_discr = resume->local_discr;
	s->remote_discr = resume->remote_discr;
	s->remote_min_rx_us = resume->remote_min_rx_us;
	s->remote_desired_min_tx_us = resume->remote_desired_min_tx_us;
	s->remote_detect_mult = resume->remote_detect_mult;
	s->remote_independent = resume->remote_independent;
	s->auth.xmit_seq = resume->xmit_seq;
	s->counters.ups = 1;
	s->desired_min_tx_us = s->config.desired_min_tx_us;
	s->tx_in_force_us = s->config.desired_min_tx_us;
	s->polling = true;
	s->tx_interval_us = larger(s->tx_in_force_us, s->remote_min_rx_us);
	s->tx_due_ns = now_ns;
	s->last_rx_ns = now_ns;
	expect_next(s);
}

static bool same_key(const struct sl_bfd_key *a, const struct sl_bfd_key *b)
{
	return a->type == b->type && a->id == b->id &&
	       memcmp(a->octets, b->octets, sizeof(a->octets)) == 0;
}

void sl_bfd_configure(struct sl_bfd_session *s, const struct sl_bfd_config *config, uint64_t now_ns,
                      struct sl_bfd_output *out)
{
	bool differs = s->config.detect_mult != config->detect_mult, was_polling = s->polling;

	memset(out, 0, sizeof(*out));
	if (!same_key(&s->config.key, &config->key))
		sl_bfd_auth_set(&s->auth, &config->key, s->world->random(s->world->random_context));
	s->config = *config;
	if (config->admin_down && s->state != SL_BFD_ADMIN_DOWN)
		enter(s, SL_BFD_ADMIN_DOWN, SL_BFD_DIAG_ADMIN_DOWN, out);
	else if (!config->admin_down && s->state == SL_BFD_ADMIN_DOWN)
		enter(s, SL_BFD_DOWN, SL_BFD_DIAG_NONE, out);
	else
		set_parameters(s);
	expect_next(s);
	reschedule(s);
	if (out->changed || differs || (s->polling && !was_polling))
		send_now(s, now_ns, out);
}

size_t sl_bfd_seal(struct sl_bfd_session *s, const struct sl_bfd_packet *packet,
                   uint8_t bytes[SL_BFD_MAX_BYTES])
{
	size_t length = sl_bfd_encode(packet, bytes);

	if (packet->authenticated)
		sl_bfd_auth_seal(&s->auth, &s->world->hasher, bytes);
	s->counters.tx++;
	return length;
}
