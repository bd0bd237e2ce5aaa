/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread's loop. */
#include "control/control.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "control/bfd_commands.h"
#include "control/counters.h"
#include "control/hand_over.h"
#include "control/log.h"
#include "ports/lag.h"

/* What an event is about, in the upper half of epoll's data. */
#define SL_TAG_SIGNAL (1ull << 32)
#define SL_TAG_LISTEN (2ull << 32)
#define SL_TAG_CONNECTION (3ull << 32)
#define SL_TAG_INTERFACE (4ull << 32) /* lower half: interface row */
#define SL_TAG_BFD_TIMER (5ull << 32)
#define SL_TAG_BFD_LISTENER (6ull << 32) /* lower half: listener */
#define SL_TAG_MASK (~0ull << 32)

#define SL_EVENTS 32
#define SL_COMMANDS_PER_WAKEUP 16
#define SL_SWEEP_ROWS 1024u

/*
 * The packet thread makes no system call to wake anybody, so its punt ring is polled: every
 * millisecond while something happens and for two seconds after, else every ten.
 */
#define SL_BUSY_WAIT_MS 1
#define SL_QUIET_WAIT_MS 10
#define SL_IDLE_WAIT_MS 200 /* before Start */
#define SL_BUSY_NS 2000000000ull
#define SL_LAST_WORDS_MS 20
#define SL_NEXT_BEGINS_NS 300000000 /* keys of many SAs are expanded first */
/* How often links of members are looked at, and LACP's machines run. */
#define SL_LAGS_NS 100000000u

uint64_t sl_monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void sl_control_online(struct sl_control *control)
{
	uint64_t epoch = __atomic_load_n(&control->tables->header.reclaim_epoch, __ATOMIC_ACQUIRE);

	/* The fence: as in packet_thread.c, go_online(). */
	__atomic_store_n(&control->segment.state->header.control_epoch, epoch, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void sl_control_offline(struct sl_control *control)
{
	__atomic_store_n(&control->segment.state->header.control_epoch, 0, __ATOMIC_RELEASE);
}

static bool send_event(struct sl_control *control, int encoded, struct sl_encoded *event)
{
	bool sent;

	if (encoded != 0)
		return false;
	sent = control->server.greeted &&
	       sl_server_send(&control->server, event->data, event->length);
	sl_encoded_free(event);
	return sent;
}

void sl_control_link_event(struct sl_control *control, uint32_t port)
{
	struct sl_encoded event;

	(void)send_event(control, sl_encode_link_state(&event, port, control->ports[port].link_up),
	                 &event);
}

void sl_control_alarm(struct sl_control *control, const char *name, const char *detail)
{
	struct sl_encoded event;

	sl_log(SL_LOG_WARNING, "alarm %s: %s", name, detail);
	(void)send_event(control, sl_encode_alarm(&event, name, detail), &event);
}

bool sl_control_resolve_event(void *context, uint32_t interface, const uint8_t *address,
                              uint32_t length)
{
	struct sl_encoded event;

	return send_event(context, sl_encode_resolve(&event, interface, address, length), &event);
}

bool sl_control_acquire_event(void *context, uint32_t nexthop)
{
	struct sl_encoded event;

	return send_event(context, sl_encode_acquire(&event, nexthop), &event);
}

bool sl_control_too_big_event(void *context, uint32_t sa, uint16_t mtu)
{
	struct sl_control *control = context;
	const struct sl_sa_row *row = &control->tables->sa_out[sa & (SL_MAX_SAS - 1)];
	struct sl_encoded event;

	/* Still that of an SA: it was a moment ago, and a row is not written anew while this thread is online. */
	return send_event(control,
	                  sl_encode_path_mtu(&event, row->source, row->destination,
	                                     row->family == 4 ? 4 : 16, mtu),
	                  &event);
}

static bool on_bfd_state(void *context, const struct sl_bfd_entry *entry)
{
	struct sl_encoded event;

	return send_event(context, sl_encode_bfd_state(&event, entry), &event);
}

static void on_lost(void *context, uint32_t interface)
{
	char detail[64];

	(void)snprintf(detail, sizeof(detail), "interface %" PRIu32, interface);
	sl_control_alarm(context, "kernel_interface_lost", detail);
}

static void on_drop(void *context, const struct rte_mbuf *packet, enum sl_drop_reason reason)
{
	sl_captures_drop(&((struct sl_control *)context)->captures, packet, reason);
}

static void take_signal(struct sl_control *control)
{
	struct signalfd_siginfo info;

	if (read(control->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	sl_log(SL_LOG_INFO, "signal %" PRIu32 " from pid %" PRIu32 ": shutting down",
	       info.ssi_signo, info.ssi_pid);
	control->stopping = true;
}

static void on_disconnect(struct sl_control *control)
{
	if (!control->standing_by) {
		sl_log(SL_LOG_INFO, "the supervisor is gone: forwarding goes on");
		return;
	}
	sl_log(SL_LOG_WARNING, "the supervisor is gone: nobody wants this standby");
	control->stopping = true;
}

static void take_commands(struct sl_control *control)
{
	struct sl_received received;

	for (int i = 0; i < SL_COMMANDS_PER_WAKEUP && !control->stopping; i++) {
		int result = sl_server_receive(&control->server, &received);

		if (result < 0)
			on_disconnect(control);
		if (result <= 0)
			return;
		sl_control_command(control, &received);
	}
}

static void handle(struct sl_control *control, const struct epoll_event *event)
{
	switch (event->data.u64 & SL_TAG_MASK) {
	case SL_TAG_SIGNAL:
		take_signal(control);
		break;
	case SL_TAG_LISTEN:
		if (sl_server_accept(&control->server))
			sl_log(SL_LOG_INFO, "supervisor with pid %" PRIu32 " connected",
			       control->server.peer_pid);
		break;
	case SL_TAG_CONNECTION:
		take_commands(control);
		break;
	case SL_TAG_INTERFACE:
		(void)sl_kernel_path_read(&control->kernel, (uint32_t)event->data.u64);
		break;
	case SL_TAG_BFD_TIMER:
		sl_bfd_link_expire(&control->bfd);
		break;
	case SL_TAG_BFD_LISTENER:
		sl_bfd_link_receive(&control->bfd, (uint32_t)event->data.u64);
		break;
	default:
		break;
	}
}

static void look_at_link(struct sl_control *control, uint32_t id)
{
	struct sl_port_info *port = &control->ports[id];

	if (!sl_port_link_changed(port))
		return;
	sl_log(SL_LOG_WARNING, "port %" PRIu32 " %s: link %s", id, port->name,
	       port->link_up ? "up" : "down");
	sl_control_link_event(control, id);
}

/* Link aggregation groups: LACP, and what follows of it. */
static void serve_lags(struct sl_control *control, uint64_t now_ns)
{
	sl_lag_step(control->ports, SL_MAX_PORTS, control->workers.thread[0]->pool, now_ns);
	for (uint32_t id = 1; id < SL_MAX_PORTS; id++)
		if (control->ports[id].exists && control->ports[id].lag != NULL)
			look_at_link(control, id);
}

static void look_at_port(struct sl_control *control, uint32_t id, uint64_t now_ns)
{
	look_at_link(control, id);
	sl_counters_port(control, id, now_ns);
}

static void every_second(struct sl_control *control, uint64_t now_ns)
{
	if (control->standing_by) {
		if (now_ns >= control->standby_until_ns) {
			sl_log(SL_LOG_WARNING, "nobody wants this standby");
			control->stopping = true;
		}
		return;
	}
	for (uint32_t id = 1; id < SL_MAX_PORTS; id++)
		if (control->ports[id].exists)
			look_at_port(control, id, now_ns);
	sl_sa_sweep(&control->sas, SL_SWEEP_ROWS);
	sl_sa_index_tick(&control->sas.outbound, control->segment.state,
	                 (uint32_t)control->segment.state->header.committed_sa_out, now_ns);
}

static int wait_ms(const struct sl_control *control, uint64_t now_ns)
{
	if (!control->started)
		return SL_IDLE_WAIT_MS;
	return now_ns - control->last_active_ns < SL_BUSY_NS ? SL_BUSY_WAIT_MS : SL_QUIET_WAIT_MS;
}

static void turn(struct sl_control *control)
{
	struct epoll_event events[SL_EVENTS];
	struct sl_state_header *header = &control->segment.state->header;
	uint64_t now_ns = sl_monotonic_ns();
	uint32_t punted = 0;
	int count;

	if (control->started && sl_kernel_path_waits(&control->kernel))
		count = epoll_wait(control->epoll_fd, events, SL_EVENTS, 0);
	else
		count = epoll_wait(control->epoll_fd, events, SL_EVENTS, wait_ms(control, now_ns));
	sl_control_online(control);
	for (int i = 0; i < count && !control->stopping; i++)
		handle(control, &events[i]);
	now_ns = sl_monotonic_ns();
	if (control->started) {
		punted = sl_kernel_path_punt(&control->kernel, now_ns);
		sl_counters_pools(control, now_ns);
	}
	if (!control->server.greeted)
		sl_captures_end(&control->captures);
	if (control->server.greeted)
		sl_bfd_link_tell(&control->bfd);
	if (control->started && now_ns >= control->next_lags_ns) {
		serve_lags(control, now_ns);
		control->next_lags_ns = now_ns + SL_LAGS_NS;
	}
	if (now_ns >= control->next_second_ns) {
		every_second(control, now_ns);
		control->next_second_ns = now_ns + 1000000000u;
	}
	sl_control_offline(control);
	if (count > 0 || punted > 0)
		control->last_active_ns = now_ns;
	__atomic_store_n(&header->control_heartbeat_ns, now_ns, __ATOMIC_RELAXED);
}

/*
 * The last words of BFD lie in the TAPs: take them to the ports while the packet thread runs.
 */
static void send_last_words(struct sl_control *control)
{
	struct timespec pause = {.tv_nsec = 1000000};

	if (!control->handing_over)
		sl_bfd_link_close(&control->bfd, false);
	if (!control->started)
		return;
	sl_control_online(control);
	for (uint32_t i = 1; i < SL_MAX_INTERFACES; i++)
		(void)sl_kernel_path_read(&control->kernel, i);
	sl_control_offline(control);
	for (int i = 0; i < SL_LAST_WORDS_MS && !sl_kernel_path_injected(&control->kernel); i++)
		nanosleep(&pause, NULL);
}

/*
 * While this worker's sockets leave the groups of its ports, flows move between the next one's: with several threads, not
 * before those have forwarded what waited for them.
 */
static void wait_for_next(const struct sl_control *control)
{
	const struct timespec pause = {.tv_nsec = SL_NEXT_BEGINS_NS};

	if (control->workers.count > 1)
		nanosleep(&pause, NULL);
}

static int open_events(struct sl_control *control, struct sl_fault *fault)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = SL_TAG_SIGNAL};
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	control->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	control->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (control->epoll_fd < 0 || control->signal_fd < 0 ||
	    epoll_ctl(control->epoll_fd, EPOLL_CTL_ADD, control->signal_fd, &event) != 0)
		return sl_fail(fault, SL_FAULT_INTERNAL, "", "cannot wait for events: %s",
		               strerror(errno));
	return 0;
}

static int listen_for_supervisor(struct sl_control *control, struct sl_fault *fault)
{
	char path[PATH_MAX + sizeof(SL_STANDBY_SUFFIX)];

	(void)snprintf(path, sizeof(path), "%s%s", control->options->socket,
	               control->standing_by ? SL_STANDBY_SUFFIX : "");
	if (sl_server_open(&control->server, path, control->epoll_fd, SL_TAG_LISTEN,
	                   SL_TAG_CONNECTION, fault) != 0)
		return -1;
	sl_log(SL_LOG_INFO, "listening on %s", path);
	return 0;
}

int sl_control_run(struct sl_control *control, struct sl_fault *fault)
{
	if (open_events(control, fault) != 0)
		return -1;
	sl_kernel_path_init(&control->kernel, &control->workers,
	                    control->segment.state->header.control_drops, control->epoll_fd,
	                    SL_TAG_INTERFACE);
	control->kernel.on_resolve = sl_control_resolve_event;
	control->kernel.on_acquire = sl_control_acquire_event;
	control->kernel.on_too_big = sl_control_too_big_event;
	control->kernel.on_lost = on_lost;
	control->kernel.on_drop = on_drop;
	control->kernel.context = control;
	if (sl_bfd_link_open(&control->bfd, control->epoll_fd, SL_TAG_BFD_TIMER,
	                     SL_TAG_BFD_LISTENER, control->segment.state->header.control_drops,
	                     fault) != 0)
		return -1;
	control->bfd.on_state = on_bfd_state;
	control->bfd.context = control;
	if (listen_for_supervisor(control, fault) != 0)
		return -1;
	sl_log_detach_stderr();
	control->standby_until_ns = sl_monotonic_ns() + SL_STANDBY_SECONDS * 1000000000ull;
	while (!control->stopping)
		turn(control);
	send_last_words(control);
	if (control->handing_over)
		sl_hand_over_give(control);
	sl_packet_threads_stop(&control->threads);
	sl_captures_end(&control->captures);
	sl_kernel_path_close(&control->kernel);
	/* The next worker waits for the segment's lock, not for devices that it has open, too. */
	if (control->handing_over) {
		sl_bfd_link_close(&control->bfd, true);
		sl_server_close(&control->server);
		sl_state_detach(&control->segment);
		wait_for_next(control);
	}
	for (uint32_t id = 1; id < SL_MAX_PORTS; id++)
		sl_port_remove(&control->ports[id]);
	sl_server_close(&control->server);
	close(control->signal_fd);
	close(control->epoll_fd);
	return 0;
}
