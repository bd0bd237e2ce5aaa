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

const struct sl_host_policy_row *sl_host_policy_of(const struct sl_tables *tables, uint8_t family,
                                                   const uint8_t *ip, bool outbound)
{
	const uint8_t *source = ip + (family == 4 ? 12 : 8);
	const uint8_t *destination = ip + (family == 4 ? 16 : 24);

	return outbound ? sl_host_policy_find(tables, family, source, destination)
	                : sl_host_policy_find(tables, family, destination, source);
}

bool sl_host_policy_any(const struct sl_tables *tables)
{
	for (uint32_t i = 0; i < SL_MAX_HOST_POLICIES; i++)
		if (__atomic_load_n(&tables->host_policy_head[i], __ATOMIC_ACQUIRE) != 0)
			return true;
	return false;
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
