/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread: everything the worker has, put together. */
#ifndef SEALANE_CONTROL_CONTROL_H
#define SEALANE_CONTROL_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "control/bfd_link.h"
#include "control/budget.h"
#include "control/captures.h"
#include "control/eal.h"
#include "control/kernel_path.h"
#include "control/message.h"
#include "control/options.h"
#include "control/packet_thread.h"
#include "control/sa_store.h"
#include "control/server.h"
#include "ports/port.h"
#include "segments/state_segment.h"
#include "worker.h"

struct sl_control {
	const struct sl_options *options;
	const struct sl_tables *tables;
	struct sl_state_segment segment;
	struct sl_eal eal;
	struct sl_budget budget; /* of packet buffers */
	struct sl_sa_store sas;
	struct sl_workers workers;
	struct sl_packet_threads threads;
	struct sl_port_info ports[SL_MAX_PORTS]; /* by stable id */
	struct sl_kernel_path kernel;
	struct sl_bfd_link bfd;
	struct sl_captures captures;
	struct sl_server server;
	int epoll_fd;
	int signal_fd;
	bool started;               /* Start was given */
	bool stopping;              /* Shutdown or a signal was */
	bool standing_by;           /* another worker forwards; TakeOver was not given yet */
	bool handing_over;          /* stopping, and another worker stands by */
	uint64_t standby_until_ns;  /* when a standby that nobody wants goes */
	uint64_t last_active_ns;    /* a packet or command was there */
	uint64_t next_lags_ns;      /* when link aggregation groups are looked at */
	uint64_t next_second_ns;    /* when the once-a-second work is due */
	uint64_t next_pools_ns;     /* when packet buffers are counted again */
	uint64_t next_empty_log_ns; /* until when nothing more is said about packet buffers */
};

/* CLOCK_MONOTONIC. */
uint64_t sl_monotonic_ns(void);

/*
 * Buffers, rings and the packet threads' contexts, once EAL and the segments are there. 0, or -1 with
 * `fault`.
 */
int sl_control_make_workers(struct sl_control *control, struct sl_fault *fault);
void sl_control_free_workers(struct sl_control *control);

/*
 * Once the state segment is there, and again when another came in its place (hand_over.h): the packet threads'
 * part of it. 0, or -1 with `fault`.
 */
int sl_control_begin_state(struct sl_control *control, struct sl_fault *fault);

/*
 * Handle signals, the supervisor, TAPs and punts until asked to stop. 0, or -1 with `fault` when it could
 * not begin. The packet thread has ended when it returns.
 */
int sl_control_run(struct sl_control *control, struct sl_fault *fault);

/* Serve one received command, close the descriptors it did not take, and reply to it. */
void sl_control_command(struct sl_control *control, struct sl_received *received);

/*
 * The control thread as a reader of `tables`: online while it handles events, offline while it waits or
 * does something long that reads no row.
 */
void sl_control_online(struct sl_control *control);
void sl_control_offline(struct sl_control *control);

/* Events for the supervisor; lost when none is connected or it does not read. */
void sl_control_link_event(struct sl_control *control, uint32_t port);
void sl_control_alarm(struct sl_control *control, const char *name, const char *detail);
bool sl_control_resolve_event(void *control, uint32_t interface, const uint8_t *address,
                              uint32_t length);
bool sl_control_acquire_event(void *control, uint32_t nexthop);
bool sl_control_too_big_event(void *control, uint32_t sa, uint16_t mtu);

#endif
