/* SPDX-License-Identifier: Apache-2.0 */
#include "control/captures.h"

#include <inttypes.h>
#include <rte_common.h>
#include <stdlib.h>
#include <string.h>

#include "control/capture_chunk.h"
#include "control/control.h"
#include "control/log.h"

const char *sl_captures_check(const Sealane__Worker__V1__StartCapture *in)
{
	if (in->session == 0)
		return "capture 0";
	if (in->point < SEALANE__WORKER__V1__CAPTURE_POINT__CAPTURE_INTERFACE ||
	    in->point > SEALANE__WORKER__V1__CAPTURE_POINT__CAPTURE_AFTER_CRYPTO)
		return "a capture at no known point";
	if (in->interface >= SL_MAX_INTERFACES || in->vrf >= SL_MAX_VRFS)
		return "a capture of a row that there cannot be";
	if (in->snap_length == 0 || in->snap_length > SL_CAPTURE_SNAP_MAX)
		return "snap length outside 1..16384";
	if (in->packets == 0 || in->bytes == 0 || in->seconds == 0)
		return "a capture without an end";
	return NULL;
}

static void free_session(struct sl_capture_session *s)
{
	if (s == NULL)
		return;
	sl_capture_filter_close(&s->ethernet);
	sl_capture_filter_close(&s->ip);
	for (uint32_t i = 0; i < s->threads; i++)
		sl_capture_ring_close(&s->packets[i]);
	sl_capture_ring_close(&s->control);
	free(s->lost);
	free(s);
}

/* The sessions that take packets, for one thread: *list NULL when there are none. False: no memory. */
static bool make_list(const struct sl_captures *captures, struct sl_capture **list)
{
	struct sl_capture *now = NULL;

	for (uint32_t i = 0; i < SL_CAPTURE_SESSIONS; i++) {
		struct sl_capture_session *s = captures->session[i];

		if (s == NULL || captures->limits[i].stopped)
			continue;
		if (now == NULL && (now = calloc(1, sizeof(*now))) == NULL)
			return false;
		now->session[now->count++] = s;
		now->points |= 1u << s->point;
	}
	*list = now;
	return true;
}

static void free_lists(struct sl_capture **lists, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		free(lists[i]);
}

/*
 * Show the packet threads the sessions that take packets, each a list of its own, and wait until they have let go
 * of the lists before. False: no memory, and the lists before stay.
 */
static bool show(struct sl_captures *captures)
{
	const struct sl_workers *workers = captures->workers;
	struct sl_capture *list[SL_MAX_LCORES], *before[SL_MAX_LCORES];

	for (uint32_t i = 0; i < workers->count; i++) {
		if (!make_list(captures, &list[i])) {
			free_lists(list, i);
			return false;
		}
	}
	for (uint32_t i = 0; i < workers->count; i++) {
		before[i] = workers->thread[i]->capture_next;
		__atomic_store_n(&workers->thread[i]->capture_next, list[i], __ATOMIC_RELEASE);
	}
	if (captures->quiesce != NULL && captures->quiesce(captures->quiesce_context) != 0) {
		sl_log(SL_LOG_WARNING, "a packet thread does not let go of a capture");
		captures->stuck = true;
	}
	if (!captures->stuck)
		free_lists(before, workers->count);
	return true;
}

/* Free a session that the packet thread is not shown any more. */
static void release(struct sl_captures *captures, uint32_t i)
{
	if (!captures->stuck)
		free_session(captures->session[i]);
	captures->session[i] = NULL;
}

static uint32_t find(const struct sl_captures *captures, uint32_t id)
{
	uint32_t i = 0;

	while (i < SL_CAPTURE_SESSIONS &&
	       (captures->session[i] == NULL || captures->session[i]->id != id))
		i++;
	return i;
}

/* A ring for each thread, of what there is for a capture: a power of two each. */
static bool open_rings(struct sl_capture_session *s, uint32_t threads)
{
	uint64_t bytes = SL_CAPTURE_RING_BYTES / rte_align32pow2(threads);

	while (s->threads < threads) {
		if (!sl_capture_ring_open(&s->packets[s->threads], bytes))
			return false;
		s->threads++;
	}
	return sl_capture_ring_open(&s->control, SL_CAPTURE_RING_BYTES / 16);
}

static struct sl_capture_session *make_session(const Sealane__Worker__V1__StartCapture *in,
                                               uint32_t threads, struct sl_fault *fault)
{
	struct sl_capture_session *s = calloc(1, sizeof(*s));
	const char *wrong = NULL;

	if (s == NULL)
		goto no_memory;
	s->id = in->session;
	s->point = (enum sl_capture_point)in->point;
	s->interface = in->interface;
	s->vrf = in->vrf;
	s->snap = in->snap_length;
	wrong = sl_capture_filter_open(&s->ethernet, in->ethernet_filter, in->n_ethernet_filter);
	if (wrong == NULL)
		wrong = sl_capture_filter_open(&s->ip, in->ip_filter, in->n_ip_filter);
	if (wrong != NULL) {
		(void)sl_fail(fault, SL_FAULT_MALFORMED, "send what libpcap compiled", "%s", wrong);
		goto failed;
	}
	s->lost = calloc(SL_MAX_INTERFACES, sizeof(*s->lost));
	if (s->lost != NULL && open_rings(s, threads))
		return s;
no_memory:
	(void)sl_fail(fault, SL_FAULT_NO_MEMORY, "end something", "no memory for a capture");
failed:
	free_session(s);
	return NULL;
}

int sl_captures_start(struct sl_captures *captures, const Sealane__Worker__V1__StartCapture *in,
                      struct sl_fault *fault)
{
	uint32_t i = 0;

	if (find(captures, in->session) < SL_CAPTURE_SESSIONS)
		return sl_fail(fault, SL_FAULT_ALREADY, "use another number",
		               "capture %" PRIu32 " runs already", in->session);
	while (i < SL_CAPTURE_SESSIONS && captures->session[i] != NULL)
		i++;
	if (i == SL_CAPTURE_SESSIONS)
		return sl_fail(fault, SL_FAULT_STATE, "end one of them", "%u captures run already",
		               SL_CAPTURE_SESSIONS);
	if (captures->chunk == NULL)
		captures->chunk = malloc(sizeof(*captures->chunk));
	if (captures->chunk == NULL)
		return sl_fail(fault, SL_FAULT_NO_MEMORY, "end something",
		               "no memory for a capture");
	captures->session[i] = make_session(in, captures->workers->count, fault);
	if (captures->session[i] == NULL)
		return -1;
	captures->limits[i] = (struct sl_capture_limits){
		.packets_left = in->packets,
		.bytes_left = in->bytes,
		.end_ns = sl_monotonic_ns() + (uint64_t)in->seconds * 1000000000u,
	};
	if (show(captures))
		return 0;
	release(captures, i);
	return sl_fail(fault, SL_FAULT_NO_MEMORY, "end something", "no memory for a capture");
}

/* Take no further packets. */
static void halt(struct sl_captures *captures, uint32_t i)
{
	if (captures->limits[i].stopped)
		return;
	captures->limits[i].stopped = true;
	if (!show(captures)) /* no memory for a shorter list: nobody's then */
		captures->stuck = true;
}

int sl_captures_stop(struct sl_captures *captures, uint32_t id, bool discard,
                     struct sl_fault *fault)
{
	uint32_t i = find(captures, id);

	if (i == SL_CAPTURE_SESSIONS)
		return sl_fail(fault, SL_FAULT_NOT_FOUND, "", "no capture %" PRIu32, id);
	halt(captures, i);
	if (discard)
		release(captures, i);
	return 0;
}

/* Why no more than what was read now will come; NULL: more may. */
static const char *ended(struct sl_captures *captures, uint32_t i)
{
	const struct sl_capture_limits *limits = &captures->limits[i];

	if (limits->packets_left == 0)
		return "packets";
	if (limits->bytes_left == 0)
		return "bytes";
	if (!limits->stopped && sl_monotonic_ns() >= limits->end_ns)
		return "seconds";
	if (limits->stopped && sl_capture_is_empty(captures->session[i]))
		return "stopped";
	return NULL;
}

int sl_captures_read(struct sl_captures *captures, uint32_t id,
                     Sealane__Worker__V1__CaptureChunk **out, struct sl_fault *fault)
{
	uint32_t i = find(captures, id);
	const char *why;

	if (i == SL_CAPTURE_SESSIONS)
		return sl_fail(fault, SL_FAULT_NOT_FOUND, "", "no capture %" PRIu32, id);
	sl_capture_chunk_read(captures->chunk, captures->session[i], &captures->limits[i]);
	*out = &captures->chunk->message;
	why = ended(captures, i);
	if (why == NULL)
		return 0;
	halt(captures, i);
	sl_capture_chunk_end(captures->chunk, captures->session[i], why);
	release(captures, i);
	return 0;
}

void sl_captures_end(struct sl_captures *captures)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < SL_CAPTURE_SESSIONS; i++) {
		if (captures->session[i] == NULL)
			continue;
		captures->limits[i].stopped = true;
		count++;
	}
	if (count != 0) {
		(void)show(captures); /* an empty list takes no memory */
		for (uint32_t i = 0; i < SL_CAPTURE_SESSIONS; i++)
			release(captures, i);
		sl_log(SL_LOG_INFO, "%" PRIu32 " captures ended with their supervisor", count);
	}
	free(captures->chunk);
	captures->chunk = NULL;
}

void sl_captures_drop(struct sl_captures *captures, const struct rte_mbuf *m,
                      enum sl_drop_reason reason)
{
	for (uint32_t i = 0; i < SL_CAPTURE_SESSIONS; i++) {
		struct sl_capture_session *s = captures->session[i];
		struct sl_capture_view view;

		if (s == NULL || s->point != SL_CAPTURE_AT_DROPS || captures->limits[i].stopped)
			continue;
		sl_capture_view_drop(captures->workers->thread[0], m, reason, &view);
		sl_capture_put(s, &s->control, &view);
	}
}
