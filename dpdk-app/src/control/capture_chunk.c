/* SPDX-License-Identifier: Apache-2.0 */
#include "control/capture_chunk.h"

#include <rte_cycles.h>
#include <string.h>
#include <time.h>

/* An instant of both clocks: from cycles to time of day. */
struct instant {
	uint64_t tsc, ns, hz;
};

static struct instant now(void)
{
	struct timespec time;
	struct instant at = {.hz = rte_get_tsc_hz()};

	clock_gettime(CLOCK_REALTIME, &time);
	at.tsc = rte_rdtsc();
	at.ns = (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
	return at;
}

/* `tsc`, not later than the instant, in nanoseconds since 1970. */
static uint64_t time_of(const struct instant *at, uint64_t tsc)
{
	uint64_t ago = tsc < at->tsc ? at->tsc - tsc : 0;

	return at->ns - ago / at->hz * 1000000000u - ago % at->hz * 1000000000u / at->hz;
}

/* The oldest of what all threads have put in; NULL: nothing. */
static struct sl_capture_ring *oldest(struct sl_capture_session *s)
{
	const struct sl_capture_record *first = sl_capture_ring_peek(&s->control);
	struct sl_capture_ring *ring = first != NULL ? &s->control : NULL;

	for (uint32_t i = 0; i < s->threads; i++) {
		const struct sl_capture_record *record = sl_capture_ring_peek(&s->packets[i]);

		if (record == NULL || (first != NULL && first->tsc < record->tsc))
			continue;
		first = record;
		ring = &s->packets[i];
	}
	return ring;
}

bool sl_capture_is_empty(struct sl_capture_session *session) { return oldest(session) == NULL; }

static void add(struct sl_capture_chunk *chunk, const struct sl_capture_record *record,
                const struct instant *at)
{
	size_t i = chunk->message.n_packets++;
	Sealane__Worker__V1__CapturedPacket *packet = &chunk->packet[i];

	sealane__worker__v1__captured_packet__init(packet);
	chunk->packets[i] = packet;
	packet->time_ns = time_of(at, record->tsc);
	packet->link_type = record->link;
	packet->interface = record->interface;
	packet->vrf = record->vrf;
	packet->direction = record->direction;
	packet->drop_reason = record->reason;
	packet->length = record->length;
	packet->data.data = chunk->bytes + chunk->used;
	packet->data.len = record->stored;
	memcpy(packet->data.data, record + 1, record->stored);
	chunk->used += record->stored;
}

void sl_capture_chunk_read(struct sl_capture_chunk *chunk, struct sl_capture_session *session,
                           struct sl_capture_limits *limits)
{
	struct instant at = now();
	struct sl_capture_ring *ring;

	sealane__worker__v1__capture_chunk__init(&chunk->message);
	chunk->message.packets = chunk->packets;
	chunk->used = 0;
	while (limits->packets_left > 0 && limits->bytes_left > 0 &&
	       chunk->message.n_packets < SL_CAPTURE_CHUNK_PACKETS &&
	       (ring = oldest(session)) != NULL) {
		const struct sl_capture_record *record = sl_capture_ring_peek(ring);

		if (record->stored > SL_CAPTURE_CHUNK_BYTES - chunk->used)
			return;
		add(chunk, record, &at);
		limits->packets_left--;
		limits->bytes_left -= RTE_MIN(limits->bytes_left, record->stored);
		sl_capture_ring_drop(ring);
	}
}

static void add_lost(struct sl_capture_chunk *chunk, uint32_t interface, enum sl_capture_link link,
                     uint32_t packets)
{
	size_t i = chunk->message.n_lost;

	if (packets == 0 || i == RTE_DIM(chunk->lost_of))
		return;
	sealane__worker__v1__capture_lost__init(&chunk->lost_of[i]);
	chunk->lost_of[i].interface = interface;
	chunk->lost_of[i].link_type = (uint32_t)link;
	chunk->lost_of[i].packets = packets;
	chunk->lost[i] = &chunk->lost_of[i];
	chunk->message.n_lost++;
}

void sl_capture_chunk_end(struct sl_capture_chunk *chunk, const struct sl_capture_session *session,
                          const char *why)
{
	/* protobuf-c's fields are not const, though packing only reads them */
	chunk->message.ended = (char *)(uintptr_t)why;
	chunk->message.lost = chunk->lost;
	for (uint32_t i = 0; i < SL_MAX_INTERFACES; i++) {
		const struct sl_capture_lost *lost = &session->lost[i];

		add_lost(chunk, i, SL_CAPTURE_ETHERNET, lost->ethernet);
		add_lost(chunk, i, SL_CAPTURE_IP, lost->ip);
		add_lost(chunk, i, SL_CAPTURE_MPLS, lost->mpls);
	}
}
