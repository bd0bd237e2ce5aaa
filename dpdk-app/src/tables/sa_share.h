/* SPDX-License-Identifier: Apache-2.0 */
/* Which SA a packet thread has of its own where a next hop names another thread's (policy-model 23, RFC 9611). */
#ifndef SEALANE_TABLES_SA_SHARE_H
#define SEALANE_TABLES_SA_SHARE_H

#include "sealane/tables.h"

/* Word of thread `thread` for outbound SA `sa`, as of sl_host_sa(); 0 = it has none. */
static inline uint64_t sl_sa_share(const struct sl_tables *tables, uint32_t sa, unsigned int thread)
{
	const uint64_t *backed = &tables->header.committed_rows[SL_ARENA_SA_SHARE];

	/* A hole is not to be read: it would become memory. Most PEs have no share at all. */
	if (sa >= SL_MAX_SAS || thread >= SL_MAX_LCORES ||
	    sa >= __atomic_load_n(backed, __ATOMIC_ACQUIRE))
		return 0;
	return __atomic_load_n(&tables->sa_share[sa].sa[thread], __ATOMIC_ACQUIRE);
}

#endif
