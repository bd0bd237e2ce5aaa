/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing DPDK's environment abstraction layer up, without traces of earlier runs or left for later. */
#ifndef SEALANE_CONTROL_EAL_H
#define SEALANE_CONTROL_EAL_H

#include <stdbool.h>

#include "control/fault.h"
#include "control/options.h"
#include "sealane/layout.h"

struct sl_eal {
	bool huge; /* memory is hugepages */
	unsigned int packet_lcore
		[SL_MAX_LCORES]; /* EAL's ids, of as many packet threads as were asked for */
	char runtime_dir[512];   /* EAL's own files: removed once it is up, and at exit */
};

/*
 * Initialise EAL. Signals that the control thread handles must be blocked already: threads inherit
 * that. 0, or -1 with `fault` (SL_FAULT_NO_MEMORY, SL_FAULT_NO_PRIVILEGE, SL_FAULT_USAGE).
 */
int sl_eal_start(struct sl_eal *eal, const struct sl_options *options, struct sl_fault *fault);

/* Before the process ends; EAL itself, its memory and its threads go with it. */
void sl_eal_stop(struct sl_eal *eal);

#endif
