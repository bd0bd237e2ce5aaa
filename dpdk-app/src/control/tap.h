/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One queue of a TAP (Ethernet frames) or TUN (IP packets) device that the supervisor made, as this
 * process holds it. The kernel's side of an interface.
 */
#ifndef SEALANE_CONTROL_TAP_H
#define SEALANE_CONTROL_TAP_H

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/fault.h"

/*
 * Check that `fd` is a queue of a TUN/TAP device of the right kind without virtio headers, and make it
 * non-blocking. That it has no packet information either (IFF_NO_PI) is the caller's promise. 0, or -1 with `fault` (SL_FAULT_MALFORMED).
 */
int sl_tap_check(int fd, bool is_tun, struct sl_fault *fault);

enum sl_tap_read {
	SL_TAP_GOT,    /* one frame or packet is in the mbuf */
	SL_TAP_EMPTY,  /* nothing there now */
	SL_TAP_LONG,   /* larger than mbuf and spill: gone, to be counted */
	SL_TAP_BROKEN, /* the device is gone */
};

/* What an ordinary buffer does not hold of a frame. */
#define SL_TAP_SPILL 10240u

/*
 * Read one frame or packet into an empty mbuf, and the rest of one that is larger into `spill`: *spilt bytes, 0 when it
 * has room to spare for what the packet path adds.
 */
enum sl_tap_read sl_tap_read(int fd, struct rte_mbuf *mbuf, uint8_t *spill, size_t *spilt);

/* Write the mbuf's bytes from `offset` on. False: the kernel refused them. */
bool sl_tap_write(int fd, const struct rte_mbuf *mbuf, uint16_t offset);

#endif
