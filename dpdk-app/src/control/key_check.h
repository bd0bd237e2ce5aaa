/* SPDX-License-Identifier: Apache-2.0 */
/* Telling keys apart without keeping them. */
#ifndef SEALANE_CONTROL_KEY_CHECK_H
#define SEALANE_CONTROL_KEY_CHECK_H

#include <intel-ipsec-mb.h>
#include <stdint.h>

#include "sealane/tables.h"

/*
 * The first 8 bytes, big-endian, of SHA-256(key || salt): the bytes of the key as long as the row's
 * algorithm says, then the 4 salt bytes. The algorithm must be one of enum sl_algorithm. Never 0.
 */
uint64_t sl_key_check(struct IMB_MGR *manager, const struct sl_sa_row *row);

#endif
