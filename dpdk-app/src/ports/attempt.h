/* SPDX-License-Identifier: Apache-2.0 */
/* Within ports/: one attempt to make a port, or a member of one, step by step. */
#ifndef SEALANE_PORTS_ATTEMPT_H
#define SEALANE_PORTS_ATTEMPT_H

#include "ports/port.h"

/* Everything one attempt needs, for the function called inside the namespace. */
struct sl_attempt {
	struct sl_port_info *port;
	const struct sl_port_request *request;
	const struct sl_port_limits *limits;
	struct sl_devargs devargs;
	bool kernel; /* a kernel interface, or a group with one */
	char probed[SL_DEVARGS_LEN + 64];
};

/* A port that is not there. */
extern const struct sl_port_info sl_no_port;

/* Take the device arguments apart, and refuse what cannot be. 0, or -1 with `fault`. */
int sl_attempt_check(struct sl_attempt *a, struct sl_fault *fault);

/* Claim the device and have DPDK probe it. 0, or -1 with `fault`; then sl_port_discard(). */
int sl_attempt_open(struct sl_attempt *a, struct sl_fault *fault);

/* Queues, buffers, MTU; the port's `queues` are there already when it is a group. 0, or -1 with `fault`. */
int sl_attempt_configure(struct sl_attempt *a, struct sl_fault *fault);

/* -1, with `fault` of what DPDK could not do: `error` is an errno. */
int sl_attempt_fail(const struct sl_attempt *a, int error, const char *what,
                    struct sl_fault *fault);

/* Undo what part of an attempt was done. */
void sl_port_discard(struct sl_port_info *port);

#endif
