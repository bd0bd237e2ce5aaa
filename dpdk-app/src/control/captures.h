/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captures as the control thread sees them: started and ended for the supervisor, and read by it. The packet
 * thread is shown a list of them (struct sl_capture) that is replaced, never changed.
 */
#ifndef SEALANE_CONTROL_CAPTURES_H
#define SEALANE_CONTROL_CAPTURES_H

#include "control/fault.h"
#include "stages/capture.h"
#include "worker.pb-c.h"

/* Of a capture, shared out among the packet threads; a sixteenth more for the control thread. */
#define SL_CAPTURE_RING_BYTES (4u << 20)
#define SL_CAPTURE_CHUNK_BYTES (48u << 10)
#define SL_CAPTURE_CHUNK_PACKETS 256u

struct sl_capture_limits {
	uint64_t packets_left, bytes_left, end_ns; /* CLOCK_MONOTONIC */
	bool stopped;
};

/* What one ReadCapture yields: valid until the next one. */
struct sl_capture_chunk {
	Sealane__Worker__V1__CaptureChunk message;
	Sealane__Worker__V1__CapturedPacket packet[SL_CAPTURE_CHUNK_PACKETS];
	Sealane__Worker__V1__CapturedPacket *packets[SL_CAPTURE_CHUNK_PACKETS];
	uint8_t bytes[SL_CAPTURE_CHUNK_BYTES];
	uint32_t used;
	Sealane__Worker__V1__CaptureLost lost_of[3 * 64];
	Sealane__Worker__V1__CaptureLost *lost[3 * 64];
};

struct sl_captures {
	const struct sl_workers *workers;
	/* Waits until the packet thread has begun a round; as struct sl_sa_store has it. NULL: no thread. */
	int (*quiesce)(void *context);
	void *quiesce_context;
	struct sl_capture_session *session[SL_CAPTURE_SESSIONS];
	struct sl_capture_limits limits[SL_CAPTURE_SESSIONS];
	struct sl_capture_chunk *chunk;
	bool stuck; /* the packet thread stood still once: what it may still see is never freed */
};

/* What is out of range in the command, or NULL. */
const char *sl_captures_check(const Sealane__Worker__V1__StartCapture *in);
/* 0, or -1 with `fault`: MALFORMED, ALREADY, STATE (four run), NO_MEMORY. */
int sl_captures_start(struct sl_captures *captures, const Sealane__Worker__V1__StartCapture *in,
                      struct sl_fault *fault);
/* `*out` lives until the next call. 0, or -1 with `fault`: NOT_FOUND. */
int sl_captures_read(struct sl_captures *captures, uint32_t id,
                     Sealane__Worker__V1__CaptureChunk **out, struct sl_fault *fault);
int sl_captures_stop(struct sl_captures *captures, uint32_t id, bool discard,
                     struct sl_fault *fault);
/* All of them, at once: the supervisor is gone. */
void sl_captures_end(struct sl_captures *captures);
/* The control thread drops this packet; cheap while nobody captures. */
void sl_captures_drop(struct sl_captures *captures, const struct rte_mbuf *m,
                      enum sl_drop_reason reason);

#endif
