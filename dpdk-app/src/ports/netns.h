/* SPDX-License-Identifier: Apache-2.0 */
/* Doing something inside another network namespace. */
#ifndef SEALANE_PORTS_NETNS_H
#define SEALANE_PORTS_NETNS_H

#include "control/fault.h"

/*
 * Call fn(context, fault) with the calling thread in the network namespace of `fd` (-1: stay), and
 * come back. Returns what fn returned, or -1 with `fault` when the namespace cannot be entered. A thread
 * that cannot come back would make every later port in the wrong namespace: then the process ends.
 */
int sl_with_netns(int fd, int (*fn)(void *context, struct sl_fault *fault), void *context,
                  struct sl_fault *fault);

#endif
