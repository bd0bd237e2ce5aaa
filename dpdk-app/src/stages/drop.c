/* SPDX-License-Identifier: Apache-2.0 */
#include "stages/capture.h"
#include "stages/packet.h"

void sl_count_drop(struct sl_worker *w, const struct sl_packet *p, enum sl_drop_reason reason)
{
	w->block->drops[reason]++;
	/* before the interface is known there is no VRF either: VRF 0 is the core's, not "none" */
	if (p->interface == 0 || p->interface >= SL_MAX_INTERFACES)
		return;
	w->block->interface[p->interface].drops++;
	if (p->vrf < SL_MAX_VRFS)
		w->block->vrf[p->vrf].drops++;
}

void sl_drop(struct sl_worker *w, struct rte_mbuf *m, enum sl_drop_reason reason)
{
	sl_count_drop(w, sl_packet(m), reason);
	if (unlikely(w->capture != NULL))
		sl_capture_drop(w, m, reason);
	sl_free(m);
}
