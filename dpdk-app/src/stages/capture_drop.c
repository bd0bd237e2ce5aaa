/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to be seen of a packet that is dropped. Best is the frame as it was received; what came out of an SA
 * is shown from its label, or its IP header, on; what was never received, as it lies in its buffer.
 */
#include "net/mpls.h"
#include "stages/capture.h"
#include "stages/packet.h"
#include "stages/stage.h"

struct sl_capture_frame *sl_capture_kept(struct sl_capture *c, const struct rte_mbuf *m)
{
	for (uint16_t i = 0; i < c->frame_count; i++)
		if (c->frame[i].mbuf == m)
			return &c->frame[i];
	return NULL;
}

void sl_capture_view_kept(const struct sl_capture_frame *frame, struct sl_capture_view *view)
{
	view->record.link = SL_CAPTURE_ETHERNET;
	view->record.direction = SL_CAPTURE_RECEIVED;
	view->record.length = frame->length;
	view->record.stored = frame->stored;
	view->bytes = frame->bytes;
}

static bool is_from_queue(enum sl_drop_reason reason)
{
	return reason == SL_DROP_tx_full || reason == SL_DROP_tx_no_port;
}

/* Decrypted, and not in its GRE header any more. */
static bool is_opened(const struct sl_packet *p)
{
	return p->arrival.sp_table != 0 && p->lane != SL_LANE_GRE;
}

/* From `offset` in the first buffer on. */
static void view_from(const struct rte_mbuf *m, uint16_t offset, enum sl_capture_link link,
                      struct sl_capture_view *view)
{
	if (offset > m->data_len) {
		offset = 0;
		link = SL_CAPTURE_ETHERNET;
	}
	view->record.link = (uint8_t)link;
	view->record.length = m->pkt_len - offset;
	view->record.stored = (uint32_t)m->data_len - offset;
	view->bytes = rte_pktmbuf_mtod_offset(m, const uint8_t *, offset);
}

void sl_capture_view_drop(const struct sl_worker *w, const struct rte_mbuf *m,
                          enum sl_drop_reason reason, struct sl_capture_view *view)
{
	const struct sl_packet *p = (const struct sl_packet *)(m + 1);

	*view = (struct sl_capture_view){
		.record = {.interface = p->interface, .vrf = p->vrf, .reason = (uint16_t)reason}};
	if (is_from_queue(reason)) {
		view_from(m, 0, SL_CAPTURE_ETHERNET, view);
		view->record.direction = SL_CAPTURE_SENT;
		if (p->version != 0)
			view->record.interface =
				w->tables->version[p->version & (SL_MAX_VERSIONS - 1)].interface;
		return;
	}
	if (p->arrival.labelled)
		view->record.direction = SL_CAPTURE_RECEIVED;
	if (p->lane == SL_LANE_MPLS && is_opened(p))
		view_from(m, p->upper_offset, SL_CAPTURE_MPLS, view);
	else if (p->lane == 0)
		view_from(m, 0, p->from_host ? SL_CAPTURE_IP : SL_CAPTURE_ETHERNET, view);
	else if (p->family == 4 || p->family == 6)
		view_from(m, p->l3_offset, SL_CAPTURE_IP, view);
	else if (p->l3_offset >= SL_MPLS_LEN)
		view_from(m, (uint16_t)(p->l3_offset - SL_MPLS_LEN), SL_CAPTURE_MPLS, view);
	else
		view_from(m, 0, SL_CAPTURE_ETHERNET, view);
}

void sl_capture_drop(struct sl_worker *w, const struct rte_mbuf *m, enum sl_drop_reason reason)
{
	const struct sl_packet *p = (const struct sl_packet *)(m + 1);
	struct sl_capture_frame *frame;
	struct sl_capture_view view;

	if (!sl_capture_wants(w, SL_CAPTURE_AT_DROPS))
		return;
	frame = sl_capture_kept(w->capture, m);
	sl_capture_view_drop(w, m, reason, &view);
	if (frame != NULL && !is_from_queue(reason) && !is_opened(p))
		sl_capture_view_kept(frame, &view);
	if (frame != NULL)
		frame->mbuf = NULL; /* what its buffer is used for from now on is something else */
	sl_capture_put_all(w, SL_CAPTURE_AT_DROPS, &view);
}
