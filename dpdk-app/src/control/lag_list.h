/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEALANE_CONTROL_LAG_LIST_H
#define SEALANE_CONTROL_LAG_LIST_H

#include "control/message.h"

/* The members of all groups among ports[SL_MAX_PORTS]. It is there until the next call. */
Sealane__Worker__V1__LagList *sl_lag_list(const struct sl_port_info *ports);

#endif
