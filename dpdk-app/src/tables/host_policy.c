/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/host_policy.h"

#include <string.h>

#include "net/bytes.h"

static bool matches(const struct sl_host_policy_row *row, uint8_t family, const uint8_t *local,
                    const uint8_t *remote, size_t length)
{
	return row->family == family && memcmp(row->remote, remote, length) == 0 &&
	       memcmp(row->local, local, length) == 0;
}

const struct sl_host_policy_row *sl_host_policy_find(const struct sl_tables *tables, uint8_t family,
                                                     const uint8_t *local, const uint8_t *remote)
{
	size_t length = family == 4 ? 4 : 16;
	uint8_t key[16] = {0};
	uint32_t id;

	memcpy(key, remote, length);
	id = __atomic_load_n(&tables->host_policy_head[sl_host_policy_chain(key)],
	                     __ATOMIC_ACQUIRE);
	/* no chain is longer than the table, whatever the segment holds */
	for (uint32_t i = 0; id != 0 && i < SL_MAX_HOST_POLICIES; i++) {
		const struct sl_host_policy_row *row =
			&tables->host_policy[id & (SL_MAX_HOST_POLICIES - 1)];

		if (matches(row, family, local, remote, length))
			return row;
		id = __atomic_load_n(&row->next, __ATOMIC_ACQUIRE);
	}
	return NULL;
}

bool sl_host_policy_has_port(const struct sl_host_policy_row *policy, const uint8_t *tcp)
{
	return sl_get16(tcp) == policy->port || sl_get16(tcp + 2) == policy->port;
}

uint64_t sl_host_policy_sa(const struct sl_host_policy_row *policy, const uint8_t *tcp)
{
	uint64_t word = 0;

	if (sl_get16(tcp + 2) == policy->port)
		word = __atomic_load_n(&policy->sa_to_port, __ATOMIC_ACQUIRE);
	if (word == 0 && sl_get16(tcp) == policy->port)
		word = __atomic_load_n(&policy->sa_from_port, __ATOMIC_ACQUIRE);
	return word;
}
