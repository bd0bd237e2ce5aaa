/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP errors about packets that are dropped. The answer is built in the mbuf of the packet in error
 * and looked up in its VRF like a packet of our own, so that about a packet that came through a tunnel
 * it goes back through one.
 */
#include <rte_cycles.h>

#include "net/icmp.h"
#include "stages/capture.h"
#include "stages/ip_header.h"
#include "stages/stage.h"

/* Token bucket (RFC 1812 4.3.2.8, RFC 4443 2.4 f): each packet thread has its share, and one of its own. */
#define SL_ICMP_PER_SECOND 1000u
#define SL_ICMP_BUCKET 100u

struct message {
	uint8_t type, code;
};
static const struct message messages4[] = {
	[SL_ICMP_TIME_EXCEEDED] = {11, 0},
	[SL_ICMP_NET_UNREACHABLE] = {3, 0},
	[SL_ICMP_HOST_UNREACHABLE] = {3, 1},
	[SL_ICMP_TOO_BIG] = {3, 4},
};
static const struct message messages6[] = {
	[SL_ICMP_TIME_EXCEEDED] = {3, 0},
	[SL_ICMP_NET_UNREACHABLE] = {1, 0},
	[SL_ICMP_HOST_UNREACHABLE] = {1, 3},
	[SL_ICMP_TOO_BIG] = {2, 0},
};

static bool take_token(struct sl_worker *w)
{
	uint32_t threads = w->threads > 1 ? w->threads : 1, bucket = SL_ICMP_BUCKET / threads;
	uint64_t per_token = rte_get_tsc_hz() / SL_ICMP_PER_SECOND * threads;
	uint64_t tokens = (w->now_tsc - w->icmp_refill_tsc) / per_token;

	if (w->icmp_refill_tsc == 0 || w->icmp_tokens + tokens >= bucket) {
		w->icmp_tokens = bucket;
		w->icmp_refill_tsc = w->now_tsc;
	} else {
		w->icmp_tokens += (uint32_t)tokens;
		w->icmp_refill_tsc += tokens * per_token;
	}
	if (w->icmp_tokens == 0)
		return false;
	w->icmp_tokens--;
	return true;
}

/* RFC 1122 3.2.2, RFC 4443 2.4 e. What no single host sent, or came as multicast, was dropped before. */
static bool may_answer(struct rte_mbuf *m, const struct sl_packet *p)
{
	struct sl_upper upper;
	const uint8_t *bytes;
	size_t length;

	if (!sl_find_upper(m, p, &upper) || !upper.first)
		return false;
	bytes = rte_pktmbuf_mtod_offset(m, const uint8_t *, upper.offset);
	length = (size_t)(m->data_len - upper.offset);
	return p->family == 4 ? sl_icmp4_may_answer(upper.protocol, bytes, length)
	                      : sl_icmp6_may_answer(upper.protocol, bytes, length);
}

/* The address the answer comes from: the input interface's when it is in the packet's VRF. */
static const uint8_t *find_source(const struct sl_worker *w, const struct sl_packet *p)
{
	static const uint8_t none[16];
	const struct sl_interface_row *interface = sl_interface(w, p->interface);
	const struct sl_vrf_row *vrf = &w->tables->vrf[p->vrf & (SL_MAX_VRFS - 1)];
	size_t length = p->family == 4 ? 4 : 16;
	const uint8_t *own = p->family == 4 ? interface->address4 : interface->address6;
	const uint8_t *shared = p->family == 4 ? vrf->icmp_source4 : vrf->icmp_source6;

	if (p->interface != 0 && interface->vrf == p->vrf && memcmp(own, none, length) != 0)
		return own;
	return memcmp(shared, none, length) != 0 ? shared : NULL;
}

/* Turn the packet into the answer. False: no room in front of it. */
static bool build(struct rte_mbuf *m, struct sl_packet *p, enum sl_icmp_error error, uint16_t mtu,
                  const uint8_t *source)
{
	const struct message *message = p->family == 4 ? &messages4[error] : &messages6[error];
	uint16_t front = p->family == 4 ? SL_ICMP4_FRONT_LEN : SL_ICMP6_FRONT_LEN;
	size_t quote = p->family == 4 ? sl_icmp4_quote_len(sl_l3_len(m, p))
	                              : sl_icmp6_quote_len(sl_l3_len(m, p));
	uint8_t *packet = sl_begin_before_l3(m, p, front);

	if (packet == NULL)
		return false;
	sl_end_at(m, (uint16_t)(front + quote));
	if (p->family == 4)
		sl_icmp4_write(packet, quote, message->type, message->code, mtu, source);
	else
		sl_icmp6_write(packet, quote, message->type, message->code, mtu, source);
	p->l3_offset = 0;
	p->lane = SL_LANE_IP;
	p->from_host = 1;
	p->ttl_source = 0;
	p->leaf = SL_LEAF_NONE;
	memset(&p->arrival, 0, sizeof(p->arrival));
	return true;
}

void sl_icmp_error(struct sl_worker *w, struct rte_mbuf *m, enum sl_drop_reason reason,
                   enum sl_icmp_error error, uint16_t mtu)
{
	struct sl_packet *p = sl_packet(m);
	enum sl_drop_reason suppressed = SL_DROP_icmp_forbidden;
	const uint8_t *source;

	/* one packet, one drop of an interface and VRF; the reason below is counted beside it */
	sl_count_drop(w, p, reason);
	if (unlikely(w->capture != NULL))
		sl_capture_drop(w, m, reason);
	source = find_source(w, p);
	if (source == NULL || !may_answer(m, p))
		goto suppress;
	suppressed = SL_DROP_icmp_rate;
	if (w->icmp_count == SL_BURST || !take_token(w))
		goto suppress;
	suppressed = SL_DROP_no_mbuf;
	if (!build(m, p, error, mtu, source))
		goto suppress;
	w->icmp[w->icmp_count++] = m;
	return;
suppress:
	w->block->drops[suppressed]++;
	sl_free(m);
}
