/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's part of each interface: frames and packets from its TAPs to the first packet thread (inject
 * ring), and what the packet threads punt to its TAPs. Bounded batches, so that the control thread
 * stays responsive; every failure has a counter in control_drops. Control thread only.
 */
#ifndef SEALANE_CONTROL_KERNEL_PATH_H
#define SEALANE_CONTROL_KERNEL_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "control/fault.h"
#include "control/punt_limiter.h"
#include "control/resolve_limiter.h"
#include "control/tap.h"
#include "worker.h"

#define SL_PUNT_BATCH 64u
#define SL_INJECT_BATCH 32u /* per descriptor and wake-up */

struct sl_attachment {
	int fd; /* -1 = none */
	uint16_t svlan, vlan;
	uint32_t port; /* 0 for a host TUN */
};

struct sl_kernel_path {
	const struct sl_workers *workers;
	uint64_t *drops; /* control_drops of segment `state` */
	int epoll_fd;
	uint64_t event_tag; /* ORed to the interface id in epoll's data */
	bool reading;       /* descriptors are watched: packets are polled */
	struct sl_attachment interface[SL_MAX_INTERFACES];
	uint8_t spill[SL_TAP_SPILL];
	struct sl_punt_bucket bucket[SL_MAX_INTERFACES];
	struct sl_resolve_limiter resolve;
	struct sl_resolve_limiter acquire; /* `interface`: the next hop; no address */
	uint64_t too_big_second_ns;        /* start of the present second */
	uint32_t too_big_told;             /* path MTUs in it */
	/* Tell the supervisor; false when it could not be told. */
	bool (*on_resolve)(void *context, uint32_t interface, const uint8_t *address,
	                   uint32_t length);
	bool (*on_acquire)(void *context, uint32_t nexthop);
	bool (*on_too_big)(void *context, uint32_t sa, uint16_t mtu);
	void (*on_lost)(void *context, uint32_t interface);
	/* A packet that is dropped here, counted already; it is freed afterwards. */
	void (*on_drop)(void *context, const struct rte_mbuf *packet, enum sl_drop_reason reason);
	void *context;
};

void sl_kernel_path_init(struct sl_kernel_path *path, const struct sl_workers *workers,
                         uint64_t *drops, int epoll_fd, uint64_t event_tag);
void sl_kernel_path_close(struct sl_kernel_path *path);

/* Watch the descriptors from now on: the packet thread takes what they bring. */
int sl_kernel_path_start(struct sl_kernel_path *path, struct sl_fault *fault);

/*
 * Give interface row `interface` (live, its port running) its descriptor, in the place of an older
 * one, and have its VLAN's frames recognised. Takes `fd` only when it succeeds. 0, or -1 with `fault`.
 */
int sl_kernel_path_attach(struct sl_kernel_path *path, uint32_t interface, int fd,
                          struct sl_fault *fault);
int sl_kernel_path_detach(struct sl_kernel_path *path, uint32_t interface, struct sl_fault *fault);

/* Read what the kernel has on an interface's descriptor: one batch. Returns the number read. */
uint32_t sl_kernel_path_read(struct sl_kernel_path *path, uint32_t interface);

/* Deliver one batch from each punt ring, one of requests for SAs, one of path MTUs. Returns the number taken. */
uint32_t sl_kernel_path_punt(struct sl_kernel_path *path, uint64_t now_ns);

/* Is there anything to deliver? */
bool sl_kernel_path_waits(const struct sl_kernel_path *path);

/* Have the packet threads taken all that was read? */
bool sl_kernel_path_injected(const struct sl_kernel_path *path);

#endif
