/* SPDX-License-Identifier: Apache-2.0 */
#include "stages/capture.h"

#include <rte_cycles.h>

#include "net/bytes.h"
#include "net/mpls.h"
#include "stages/offload.h"
#include "stages/stage.h"

static void count_lost(struct sl_capture_session *s, const struct sl_capture_record *record)
{
	struct sl_capture_lost *lost = &s->lost[record->interface & (SL_MAX_INTERFACES - 1)];
	uint32_t *count = record->link == SL_CAPTURE_ETHERNET ? &lost->ethernet
	                  : record->link == SL_CAPTURE_IP     ? &lost->ip
	                                                      : &lost->mpls;

	__atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
}

/* Filters see frames, or IP packets: what is under a label. */
static bool matches(const struct sl_capture_session *s, const struct sl_capture_view *view)
{
	uint32_t length = view->record.length, stored = view->record.stored, front = 0;

	if (view->record.link == SL_CAPTURE_ETHERNET)
		return sl_capture_filter_match(&s->ethernet, view->bytes, length, stored);
	if (view->record.link == SL_CAPTURE_MPLS)
		front = RTE_MIN(stored, SL_MPLS_LEN);
	return sl_capture_filter_match(&s->ip, view->bytes + front, length - front, stored - front);
}

void sl_capture_put(struct sl_capture_session *session, struct sl_capture_ring *ring,
                    const struct sl_capture_view *view)
{
	struct sl_capture_record record = view->record;

	if (!matches(session, view))
		return;
	record.stored = RTE_MIN(record.stored, session->snap);
	record.tsc = rte_rdtsc();
	if (!sl_capture_ring_put(ring, &record, view->bytes))
		count_lost(session, &record);
}

void sl_capture_put_all(struct sl_worker *w, enum sl_capture_point point,
                        const struct sl_capture_view *view)
{
	for (uint32_t i = 0; i < w->capture->count; i++) {
		struct sl_capture_session *s = w->capture->session[i];

		if (s->point != point ||
		    (point == SL_CAPTURE_AT_INTERFACE && s->interface != view->record.interface) ||
		    (point >= SL_CAPTURE_BEFORE_CRYPTO && s->vrf != view->record.vrf))
			continue;
		sl_capture_put(s, &s->packets[w->index], view);
	}
}

/* All of a frame; one of several buffers is copied into one piece. */
static void view_frame(const struct rte_mbuf *m, uint8_t *joined, struct sl_capture_view *view)
{
	view->record.link = SL_CAPTURE_ETHERNET;
	view->record.length = m->pkt_len;
	view->record.stored = RTE_MIN(m->pkt_len, SL_CAPTURE_SNAP_MAX);
	view->bytes = rte_pktmbuf_read(m, 0, view->record.stored, joined);
}

/* Keep the frame as it is now, with what the driver gave. */
static void keep(struct sl_capture *c, const struct rte_mbuf *m, const struct sl_capture_view *view)
{
	struct sl_capture_frame *frame = &c->frame[c->frame_count++];

	frame->mbuf = m;
	frame->length = view->record.length;
	frame->stored = RTE_MIN(view->record.stored, SL_CAPTURE_FRAME);
	memcpy(frame->bytes, view->bytes, frame->stored);
}

static bool wants_frames(const struct sl_worker *w)
{
	return sl_capture_wants(w, SL_CAPTURE_AT_DROPS) ||
	       sl_capture_wants(w, SL_CAPTURE_AFTER_CRYPTO);
}

/* Those that are not open yet are frames still. */
void sl_capture_taken(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	struct sl_capture *c = w->capture;

	c->frame_count = 0;
	for (uint16_t i = 0; i < n && wants_frames(w); i++) {
		struct sl_capture_view view = {.record.direction = SL_CAPTURE_RECEIVED};
		uint8_t lane = sl_packet(packets[i])->lane;

		if (lane != SL_LANE_ESP && lane != SL_LANE_LOCAL)
			continue;
		if (sl_restore_tag(packets[i])) {
			sl_packet(packets[i])->l3_offset += SL_VLAN_LEN;
			sl_packet(packets[i])->upper_offset += SL_VLAN_LEN;
		}
		view_frame(packets[i], c->joined, &view);
		if (view.bytes != NULL)
			keep(c, packets[i], &view);
	}
}

void sl_capture_received(struct sl_worker *w, uint32_t port, struct rte_mbuf **frames, uint16_t n)
{
	struct sl_capture *c = w->capture;
	bool kept = wants_frames(w);

	c->frame_count = 0;
	if (!kept && !sl_capture_wants(w, SL_CAPTURE_AT_INTERFACE))
		return;
	for (uint16_t i = 0; i < n; i++) {
		struct sl_capture_view view = {.record.direction = SL_CAPTURE_RECEIVED};
		struct sl_eth eth;

		(void)sl_restore_tag(frames[i]); /* as on the wire */
		view_frame(frames[i], c->joined, &view);
		if (view.bytes == NULL)
			continue;
		if (kept)
			keep(c, frames[i], &view);
		if (!sl_eth_parse(view.bytes, view.record.stored, &eth))
			continue;
		view.record.interface = sl_port_interface(&w->ports[port], eth.svlan, eth.vlan);
		view.record.vrf = sl_interface(w, view.record.interface)->vrf;
		if (view.record.interface != 0)
			sl_capture_put_all(w, SL_CAPTURE_AT_INTERFACE, &view);
	}
}

void sl_capture_moved(struct sl_capture *c, const struct rte_mbuf *from, const struct rte_mbuf *to)
{
	struct sl_capture_frame *frame = sl_capture_kept(c, from);

	if (frame != NULL)
		frame->mbuf = to;
}

void sl_capture_burst_end(struct sl_worker *w) { w->capture->frame_count = 0; }

void sl_capture_sent(struct sl_worker *w, const struct sl_tx_queue *queue)
{
	if (!sl_capture_wants(w, SL_CAPTURE_AT_INTERFACE))
		return;
	for (uint16_t i = 0; i < queue->count; i++) {
		struct sl_capture_view view = {.record.interface = queue->note[i].interface,
		                               .record.direction = SL_CAPTURE_SENT};

		view.record.vrf = sl_interface(w, view.record.interface)->vrf;
		view_frame(queue->frames[i], w->capture->joined, &view);
		if (view.bytes != NULL)
			sl_capture_put_all(w, SL_CAPTURE_AT_INTERFACE, &view);
	}
}

/* Octets of the IP packet at `ip`, of which `there` follow; ESP's trailer is none of them. */
static uint32_t ip_length(const uint8_t *ip, uint8_t family, uint32_t there)
{
	uint32_t length = there;

	if (family == 4 && there >= SL_IP4_LEN)
		length = sl_get16(ip + 2);
	else if (family == 6 && there >= SL_IP6_LEN)
		length = (uint32_t)sl_get16(ip + 4) + SL_IP6_LEN;
	return RTE_MIN(length, there);
}

/* The label in front of the IP header, and the packet. */
static void put_labelled(struct sl_worker *w, struct rte_mbuf *m, uint32_t interface,
                         enum sl_capture_direction direction)
{
	const struct sl_packet *p = sl_packet(m);
	struct sl_capture_view view = {.record = {.interface = interface,
	                                          .vrf = p->vrf,
	                                          .link = SL_CAPTURE_MPLS,
	                                          .direction = (uint8_t)direction}};

	if (p->family == 0 || p->l3_offset < SL_MPLS_LEN || p->l3_offset > m->data_len)
		return;
	view.bytes = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->l3_offset - SL_MPLS_LEN);
	view.record.length = SL_MPLS_LEN + ip_length(sl_l3(m, p), p->family, sl_l3_len(m, p));
	view.record.stored = view.record.length;
	sl_capture_put_all(w, SL_CAPTURE_BEFORE_CRYPTO, &view);
}

void sl_capture_into_tunnel(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	if (!sl_capture_wants(w, SL_CAPTURE_BEFORE_CRYPTO))
		return;
	for (uint16_t i = 0; i < n; i++)
		put_labelled(w, packets[i],
		             w->tables->version[sl_packet(packets[i])->version].interface,
		             SL_CAPTURE_SENT);
}

void sl_capture_sealed(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	if (!sl_capture_wants(w, SL_CAPTURE_AFTER_CRYPTO))
		return;
	for (uint16_t i = 0; i < n; i++) {
		const struct sl_packet *p = sl_packet(packets[i]);
		struct sl_capture_view view = {.record.vrf = p->vrf,
		                               .record.direction = SL_CAPTURE_SENT};

		view.record.interface = w->tables->version[p->version].interface;
		view_frame(packets[i], w->capture->joined, &view);
		if (view.bytes != NULL && p->family != 0)
			sl_capture_put_all(w, SL_CAPTURE_AFTER_CRYPTO, &view);
	}
}

void sl_capture_labelled(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		const struct sl_packet *p = sl_packet(packets[i]);
		const struct sl_capture_frame *frame;
		struct sl_capture_view view = {.record.interface = p->interface,
		                               .record.vrf = p->vrf};

		if (!p->arrival.labelled || p->family == 0)
			continue;
		if (sl_capture_wants(w, SL_CAPTURE_BEFORE_CRYPTO))
			put_labelled(w, packets[i], p->interface, SL_CAPTURE_RECEIVED);
		frame = sl_capture_kept(w->capture, packets[i]);
		if (frame == NULL)
			continue;
		sl_capture_view_kept(frame, &view);
		sl_capture_put_all(w, SL_CAPTURE_AFTER_CRYPTO, &view);
	}
}
