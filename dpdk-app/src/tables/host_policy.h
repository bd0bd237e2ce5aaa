/* SPDX-License-Identifier: Apache-2.0 */
/* Which flows of the kernel have to be inside an SA (policy-model 18; rows: tables.h). */
#ifndef SEALANE_TABLES_HOST_POLICY_H
#define SEALANE_TABLES_HOST_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "sealane/tables.h"

#define SL_TCP_PORTS_LEN 4u /* of a TCP header */

/* The policy for two addresses of `family` (4 or 16 bytes each); NULL: none, they may talk in clear. */
const struct sl_host_policy_row *sl_host_policy_find(const struct sl_tables *tables, uint8_t family,
                                                     const uint8_t *local, const uint8_t *remote);

/* The same for the addresses of the IP header at `ip`: of a packet from here (outbound) or to here. */
const struct sl_host_policy_row *sl_host_policy_of(const struct sl_tables *tables, uint8_t family,
                                                   const uint8_t *ip, bool outbound);

/* Is there any policy? Reads all chains' heads, so it is for rare packets. */
bool sl_host_policy_any(const struct sl_tables *tables);

/* The ports of a TCP segment or of its first 8 bytes: is one of them the policy's? */
bool sl_host_policy_has_port(const struct sl_host_policy_row *policy, const uint8_t *tcp);

/*
 * Outbound SA word of a segment from `local` for which sl_host_policy_has_port() holds; 0: none. When both
 * ports are the policy's either SA will do.
 */
uint64_t sl_host_policy_sa(const struct sl_host_policy_row *policy, const uint8_t *tcp);

#endif
