/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of packets for `sealane capture`. The packet path asks once per burst whether `w->capture` is
 * there, and calls these only then. They change no packet.
 */
#ifndef SEALANE_STAGES_CAPTURE_H
#define SEALANE_STAGES_CAPTURE_H

#include "capture/capture_filter.h"
#include "capture/capture_ring.h"
#include "worker.h"

#define SL_CAPTURE_SESSIONS 4u
#define SL_CAPTURE_SNAP_MAX 16384u
#define SL_CAPTURE_FRAME 9728u /* octets kept of a frame as it was received */

/* Values are those of LINKTYPE_ in pcapng (and fit into a byte). */
enum sl_capture_link {
	SL_CAPTURE_ETHERNET = 1,
	SL_CAPTURE_IP = 101,
	SL_CAPTURE_MPLS = 219,
};
enum sl_capture_direction {
	SL_CAPTURE_NEITHER = 0,
	SL_CAPTURE_RECEIVED = 1,
	SL_CAPTURE_SENT = 2,
};
enum sl_capture_point {
	SL_CAPTURE_AT_INTERFACE = 1,
	SL_CAPTURE_AT_DROPS = 2,
	SL_CAPTURE_BEFORE_CRYPTO = 3,
	SL_CAPTURE_AFTER_CRYPTO = 4,
};

/* Packets that matched while the ring was full, by interface row. Atomic: all threads count. */
struct sl_capture_lost {
	uint32_t ethernet, ip, mpls;
};

struct sl_capture_session {
	uint32_t id;
	enum sl_capture_point point;
	uint32_t interface; /* SL_CAPTURE_AT_INTERFACE */
	uint32_t vrf;       /* SL_CAPTURE_BEFORE_CRYPTO, SL_CAPTURE_AFTER_CRYPTO */
	uint32_t snap;
	struct sl_capture_filter ethernet, ip;
	uint32_t threads;                              /* rings of `packets` */
	struct sl_capture_ring packets[SL_MAX_LCORES]; /* each written by its packet thread */
	struct sl_capture_ring control; /* written by the control thread: what it drops */
	struct sl_capture_lost *lost;   /* [SL_MAX_INTERFACES] */
};

/* A frame of the burst as it was received: later it is decrypted in place, and loses its headers. */
struct sl_capture_frame {
	const struct rte_mbuf *mbuf; /* NULL = told already */
	uint32_t length, stored;
	uint8_t bytes[SL_CAPTURE_FRAME];
};

/* What one packet thread captures now. Never changed once the packet thread can see it, but for what is its own. */
struct sl_capture {
	uint32_t count;
	struct sl_capture_session *session[SL_CAPTURE_SESSIONS];
	uint32_t points; /* bit of each point that is asked for */
	/* The packet thread's own. */
	uint16_t frame_count;
	struct sl_capture_frame frame[SL_BURST];
	uint8_t joined[SL_CAPTURE_SNAP_MAX]; /* a packet of several buffers in one piece */
};

/* A packet to be captured: what the record says, and where its bytes are. */
struct sl_capture_view {
	struct sl_capture_record
		record; /* length, stored, link, interface, vrf, reason, direction */
	const uint8_t *bytes;
};
/* Put it into one of the session's rings if its filter wants it; count it when there is no room. */
void sl_capture_put(struct sl_capture_session *session, struct sl_capture_ring *ring,
                    const struct sl_capture_view *view);
/* To every session at `point` that asks for its interface, or its VRF. */
void sl_capture_put_all(struct sl_worker *w, enum sl_capture_point point,
                        const struct sl_capture_view *view);
/* The frame as it was received, NULL when it came otherwise, or long ago. */
struct sl_capture_frame *sl_capture_kept(struct sl_capture *c, const struct rte_mbuf *m);
void sl_capture_view_kept(const struct sl_capture_frame *frame, struct sl_capture_view *view);
/* What there is to see of a packet that is dropped for `reason` in the packet's buffer itself. */
void sl_capture_view_drop(const struct sl_worker *w, const struct rte_mbuf *m,
                          enum sl_drop_reason reason, struct sl_capture_view *view);

static inline bool sl_capture_wants(const struct sl_worker *w, enum sl_capture_point point)
{
	return (w->capture->points & 1u << point) != 0;
}

/* A burst from a port, before its first stage. */
void sl_capture_received(struct sl_worker *w, uint32_t port, struct rte_mbuf **frames, uint16_t n);
/* A burst from another packet thread, which has told of what it received: frames are kept as above. */
void sl_capture_taken(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
/* The packet in `from` is in `to` now. */
void sl_capture_moved(struct sl_capture *c, const struct rte_mbuf *from, const struct rte_mbuf *to);
/* The burst is over: what was kept of it is nobody's any more. */
void sl_capture_burst_end(struct sl_worker *w);
/* A queue about to be handed to its port. */
void sl_capture_sent(struct sl_worker *w, const struct sl_tx_queue *queue);
/* Packets in their tunnel, before and after encryption. */
void sl_capture_into_tunnel(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
void sl_capture_sealed(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
/* Packets behind the label lookup: those that came by a label. */
void sl_capture_labelled(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
/* A packet that is dropped. */
void sl_capture_drop(struct sl_worker *w, const struct rte_mbuf *m, enum sl_drop_reason reason);

#endif
