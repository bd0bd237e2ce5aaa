/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of sealane-worker. Nothing secret comes this way: process arguments are public. */
#ifndef SEALANE_CONTROL_OPTIONS_H
#define SEALANE_CONTROL_OPTIONS_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#include "control/fault.h"

enum sl_huge { SL_HUGE_AUTO, SL_HUGE_ON, SL_HUGE_OFF };

#define SL_DEFAULT_MEMORY_MB 64u
#define SL_DEFAULT_MAX_MTU 1900u /* one AF_PACKET frame of 2048 bytes holds it */
#define SL_LARGEST_MTU 9600u

struct sl_options {
	char instance_dir[PATH_MAX];
	char tables[PATH_MAX];
	char state[PATH_MAX];
	char socket[PATH_MAX];
	char log[PATH_MAX];
	const char *lcore_map; /* EAL's --lcores as given, NULL = float over all CPUs */
	unsigned int lcores;   /* packet threads */
	unsigned int memory_mb;
	unsigned int
		max_mtu; /* largest IP packet any port may carry, bytes: sizes the packet buffers */
	unsigned int wait_ms; /* for the supervisor to complete `tables` */
	enum sl_huge huge;
	bool idle_poll; /* never sleep when idle */
	bool pci;       /* PCI ports will be added */
	bool standby;   /* wait beside the worker that forwards, to go on in its place */
	bool help;
	int eal_count; /* extra EAL arguments after "--" */
	char **eal_arguments;
};

/* Fill in `options` from the command line. Returns 0, or -1 with `fault` (SL_FAULT_USAGE). */
int sl_options_parse(struct sl_options *options, int argc, char **argv, struct sl_fault *fault);

void sl_options_usage(FILE *out);

#endif
