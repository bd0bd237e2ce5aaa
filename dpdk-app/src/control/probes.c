/* SPDX-License-Identifier: Apache-2.0 */
#include "control/probes.h"

#include <string.h>

#include "control/options.h"
#include "net/eth.h"
#include "stages/jumbo.h"

const char *sl_probes_check(const Sealane__Worker__V1__SendProbes *in)
{
	if (in->nexthop == 0 || in->nexthop >= SL_MAX_NEXTHOPS)
		return "next-hop row outside its table";
	if (in->sa == 0 || in->sa >= SL_MAX_SAS)
		return "SA row outside its table";
	if (in->n_bytes == 0 || in->n_bytes > SL_PROBES_MAX)
		return "other than 1..16 probes";
	for (size_t i = 0; i < in->n_bytes; i++)
		if (in->bytes[i] < SL_PROBE_LEAST_BYTES || in->bytes[i] > SL_LARGEST_MTU)
			return "probe of other than 68..9600 bytes";
	return NULL;
}

/* A buffer with room for the probe, from its Ethernet header on; NULL: there is none. */
static struct rte_mbuf *make(const struct sl_worker *first, const struct sl_probe *probe)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(sl_pool_for(first, probe->bytes + SL_TEMPLATE_LEN));

	if (m == NULL)
		return NULL;
	memset(sl_packet(m), 0, sizeof(struct sl_packet));
	sl_packet(m)->punt = SL_PUNT_PROBE;
	memcpy(rte_pktmbuf_append(m, sizeof(*probe)), probe, sizeof(*probe));
	return m;
}

int sl_probes_send(const struct sl_worker *first, const Sealane__Worker__V1__SendProbes *in,
                   struct sl_fault *fault)
{
	struct rte_mbuf *probes[SL_PROBES_MAX];
	unsigned int n = 0;

	for (; n < in->n_bytes; n++) {
		struct sl_probe probe = {in->nexthop, in->sa, in->round, in->bytes[n]};

		probes[n] = make(first, &probe);
		if (probes[n] == NULL)
			break;
	}
	if (n == in->n_bytes &&
	    rte_ring_sp_enqueue_bulk(first->inject, (void **)probes, n, NULL) != 0)
		return 0;
	rte_pktmbuf_free_bulk(probes, n);
	return sl_fail(fault, SL_FAULT_NO_MEMORY, "ask again later",
	               "no buffer for a path MTU probe, or no room on its way");
}
